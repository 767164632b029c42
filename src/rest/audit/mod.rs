//! `/v1/audit`, and `/audit` of the operators' port: what staff did.

pub mod list;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use barterline_domain::clock::Timestamp;
use barterline_storage::audit::{Actor, AuditEntry};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::extract::limit;
use super::problem::Problem;
use crate::services::staff::{By, Staff};

/// Which part of the log: entries above the number `after`.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// Entries above this number: `next` of the part before.
    after: Option<u64>,
    /// How many at most.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<usize>,
}

/// A part of the log, oldest first; `next` is the `after` of the next.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntries)]
pub struct Entries {
    entries: Vec<Entry>,
    #[schema(required)]
    next: Option<u64>,
}

/// One entry.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub struct Entry {
    number: u64,
    at: Timestamp,
    /// The id of an account, `operator` or `system`.
    actor: String,
    action: String,
    #[schema(required)]
    subject: Option<String>,
    detail: BTreeMap<String, String>,
    /// SHA-256 in hex, of the entry and of the one before.
    hash: String,
    previous: String,
}

impl From<AuditEntry> for Entry {
    fn from(entry: AuditEntry) -> Self {
        let actor = match entry.record.actor {
            Actor::User(user) => user.to_string(),
            Actor::Operator => "operator".to_owned(),
            Actor::System => "system".to_owned(),
        };
        Self {
            number: entry.number,
            at: entry.record.at,
            actor,
            action: entry.record.action,
            subject: entry.record.subject,
            detail: entry.record.detail,
            hash: hex(&entry.hash),
            previous: hex(&entry.previous),
        }
    }
}

impl Entries {
    /// The part of the log that a page names.
    pub async fn read(staff: &Staff, by: By<'_>, page: Page) -> Result<Self, Problem> {
        let limit = limit(page.limit)?;
        let mut found = staff.audit(by, page.after, limit + 1).await?;
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|entry| entry.number);
        Ok(Self { entries: found.into_iter().map(Entry::from).collect(), next })
    }
}

/// Bytes as people compare them.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // A string takes everything.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
