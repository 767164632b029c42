//! `/v1/reports`, and `/reports` of the operators' port: what people reported.

pub mod list;
pub mod read;

use barterline_domain::clock::Timestamp;
use barterline_domain::event::{Author, Seq};
use barterline_domain::ids::{ChatId, ReportId, UserId};
use barterline_storage::reports::{Report as Stored, ReportedText};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::extract::limit;
use super::problem::Problem;
use crate::services::staff::{By, Staff};

/// Which part of the list: what is older than the report `before`.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// Those older than this one: `next` of the part before.
    before: Option<ReportId>,
    /// How many at most.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<usize>,
}

/// A part of the list, newest first; `next` is the `before` of the next.
#[derive(Serialize, ToSchema)]
#[schema(as = Reports)]
pub struct List {
    reports: Vec<Summary>,
    #[schema(required)]
    next: Option<ReportId>,
}

/// A report in a list.
#[derive(Serialize, ToSchema)]
#[schema(as = ReportSummary)]
pub struct Summary {
    id: ReportId,
    at: Timestamp,
    chat: ChatId,
    reporter: UserId,
    reported: UserId,
    reason: String,
}

/// A report whole. A message that was edited stands there as it was first said and as the newest edit
/// left it, under one number.
#[derive(Serialize, ToSchema)]
pub struct Report {
    #[serde(flatten)]
    summary: Summary,
    messages: Vec<Message>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ReportedMessage)]
struct Message {
    seq: Seq,
    at: Timestamp,
    author: Author,
    kind: String,
    #[schema(required)]
    text: Option<String>,
}

impl From<&Stored> for Summary {
    fn from(report: &Stored) -> Self {
        let Stored { id, at, chat, reporter, reported, .. } = *report;
        Self { id, at, chat, reporter, reported, reason: report.reason.clone() }
    }
}

impl From<Stored> for Report {
    fn from(report: Stored) -> Self {
        let summary = Summary::from(&report);
        let messages = report.messages.into_iter().map(|message| Message {
            seq: message.seq,
            at: message.at,
            author: message.author,
            kind: message.kind,
            // A report that is shown was opened.
            text: message.text.and_then(|text| match text {
                ReportedText::Open(text) => Some(text),
                ReportedText::Sealed(_) => None,
            }),
        });
        Self { summary, messages: messages.collect() }
    }
}

impl List {
    /// The part of the list that a page names.
    pub async fn read(staff: &Staff, by: By<'_>, page: Page) -> Result<Self, Problem> {
        let limit = limit(page.limit)?;
        let mut found = staff.reports(by, page.before, limit + 1).await?;
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|report| report.id);
        Ok(Self { reports: found.iter().map(Summary::from).collect(), next })
    }
}
