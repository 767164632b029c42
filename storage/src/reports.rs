//! What people reported, with the messages as they were then: staff read them here and nowhere else.

use async_trait::async_trait;
use barterline_domain::clock::Timestamp;
use barterline_domain::event::{Author, Seq};
use barterline_domain::ids::{ChatId, ReportId, UserId};

use crate::error::StoreError;

/// A message as it was when it was reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedMessage {
    /// Its number.
    pub seq: Seq,
    /// When it was said.
    pub at: Timestamp,
    /// By whom.
    pub author: Author,
    /// The name of its kind.
    pub kind: String,
    /// Its text at the time; `None` if it had none.
    pub text: Option<String>,
}

/// One report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Its name: the reporter's, so that a retry is the same report.
    pub id: ReportId,
    /// Which chat.
    pub chat: ChatId,
    /// Who reports.
    pub reporter: UserId,
    /// Whom.
    pub reported: UserId,
    /// Why, in the reporter's words.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// The messages, ascending.
    pub messages: Vec<ReportedMessage>,
}

/// All reports.
#[async_trait]
pub trait Reports: Send + Sync {
    /// Keeps a report. The first of an id stays; gives whether this was it.
    async fn insert(&self, report: Report) -> Result<bool, StoreError>;

    /// Finds a report.
    async fn find(&self, id: ReportId) -> Result<Option<Report>, StoreError>;

    /// Lists at most `limit` reports, newest first, of those before `before` by time and id.
    async fn list(
        &self,
        before: Option<(Timestamp, ReportId)>,
        limit: usize,
    ) -> Result<Vec<Report>, StoreError>;
}
