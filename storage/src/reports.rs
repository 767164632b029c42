//! What people reported, with the messages as they were then: staff read them here and nowhere else.

use async_trait::async_trait;
use barterline_domain::clock::Timestamp;
use barterline_domain::event::{Author, Seq};
use barterline_domain::ids::{ChatId, ReportId, UserId};

use crate::error::StoreError;
use crate::record::sealing::{Sealing, about_reported};

/// The text of a message as it was when it was reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportedText {
    /// In the open.
    Open(String),
    /// Sealed.
    Sealed(Vec<u8>),
}

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
    pub text: Option<ReportedText>,
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

impl Report {
    /// Seals the texts that are in the open, if they are to be sealed.
    pub fn seal(&mut self, sealing: &Sealing) {
        for (index, message) in self.messages.iter_mut().enumerate() {
            let Some(ReportedText::Open(text)) = &message.text else { continue };
            let about = about_reported(self.id, index);
            if let Some(sealed) = sealing.seal(&about, text.as_bytes()) {
                message.text = Some(ReportedText::Sealed(sealed));
            }
        }
    }

    /// Opens the texts that are sealed.
    pub fn open(&mut self, sealing: &Sealing) -> Result<(), StoreError> {
        for (index, message) in self.messages.iter_mut().enumerate() {
            let Some(ReportedText::Sealed(sealed)) = &message.text else { continue };
            let damaged = || {
                StoreError::corrupt("open a report", format!("report {}, message {index}", self.id))
            };
            let opened = sealing.open(&about_reported(self.id, index), sealed);
            let opened = opened.map_err(|unread| unread.or(damaged))?;
            let text = String::from_utf8(opened).map_err(|_| damaged())?;
            message.text = Some(ReportedText::Open(text));
        }
        Ok(())
    }
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
