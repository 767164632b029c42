//! What people tell staff about a chat, with the messages as they are at that moment: the only way in
//! which staff come to read what people said (G6).

use std::sync::Arc;

use barterline_domain::account::Scope;
use barterline_domain::bearer::Bearer;
use barterline_domain::clock::{Clock, Timestamp};
use barterline_domain::event::Seq;
use barterline_domain::ids::{ChatId, ClientId, ReportId};
use barterline_domain::message::{Body, InvalidBody};
use barterline_storage::error::StoreError;
use barterline_storage::record::sealing::Sealing;
use barterline_storage::reports::{Report, ReportedMessage, ReportedText, Reports as ReportStore};

use super::chats::{ChatError, Chats, Revision};
use crate::limits::Limits;

/// Messages in one report, and how many of the newest are taken when none are named.
pub const MESSAGES_MAX: usize = 100;
const MESSAGES_DEFAULT: usize = 30;
/// Bytes of their texts: a report is one row.
const BYTES_MAX: usize = 1 << 20;

/// The rules of reports.
#[derive(Clone)]
pub struct Reports(Arc<Parts>);

/// What the rules stand on.
pub struct Parts {
    /// The rules of chats.
    pub chats: Chats,
    /// What was reported.
    pub reports: Arc<dyn ReportStore>,
    /// How their texts are kept.
    pub sealing: Sealing,
    /// How much anybody may do.
    pub limits: Arc<Limits>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// What somebody reports.
#[derive(Debug)]
pub struct Complaint {
    /// Their name for it, the same for every retry.
    pub name: ClientId,
    /// Why, in their words.
    pub reason: String,
    /// Which messages; none: the newest.
    pub messages: Vec<Seq>,
}

/// A report that staff have now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filed {
    /// Its name.
    pub id: ReportId,
    /// It was there before.
    pub repeat: bool,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// By the rules of chats.
    #[error(transparent)]
    Chat(#[from] ChatError),
    /// No reason, or too long a one.
    #[error("the reason: {0}")]
    Reason(#[from] InvalidBody),
    /// More messages, or longer ones, than a report holds.
    #[error("too many messages")]
    TooManyMessages,
    /// A number that is no message of the chat, or one that its reader cannot see.
    #[error("no such message")]
    MessageNotFound,
    /// The name is that of another report.
    #[error("the name was used for another report")]
    NameTaken,
}

impl From<StoreError> for ReportError {
    fn from(error: StoreError) -> Self {
        Self::Chat(error.into())
    }
}

impl Reports {
    /// The rules over these parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Reports the other person of a chat. What is said later, edited or taken back changes nothing
    /// about the report; they do not hear of it.
    pub async fn file(
        &self,
        reporter: Bearer,
        chat: ChatId,
        complaint: Complaint,
    ) -> Result<Filed, ReportError> {
        let reporter = reporter.may(Scope::WriteChats).map_err(ChatError::from)?;
        let Complaint { name, reason, mut messages } = complaint;
        let membership = self.0.chats.membership(reporter, chat).await?;
        let reason = Body::parse(reason)?;
        messages.sort_unstable();
        messages.dedup();
        if messages.len() > MESSAGES_MAX {
            return Err(ReportError::TooManyMessages);
        }
        let id = ReportId::of(reporter, name);
        if let Some(known) = self.0.reports.find(id).await? {
            let mut kept: Vec<_> = known.messages.iter().map(|message| message.seq).collect();
            kept.dedup();
            let named = messages.is_empty() || kept == messages;
            let same = known.chat == chat && known.reason == reason.as_str() && named;
            return if same { Ok(Filed { id, repeat: true }) } else { Err(ReportError::NameTaken) };
        }
        let at = self.0.clock.now();
        self.0.limits.message(reporter, chat, at).map_err(ChatError::Limited)?;
        let quoted = match messages.as_slice() {
            [] => self.0.chats.quote_newest(&membership, MESSAGES_DEFAULT).await?,
            messages => {
                let quoted = self.0.chats.quote(&membership, messages).await?;
                quoted.ok_or(ReportError::MessageNotFound)?
            }
        };
        let messages: Vec<_> = quoted.iter().map(reported).collect();
        let texts = quoted.iter().filter_map(|revision| revision.event.kind.body());
        if texts.map(|text| text.as_str().len()).sum::<usize>() > BYTES_MAX {
            return Err(ReportError::TooManyMessages);
        }
        let mut report = Report {
            id,
            chat,
            reporter,
            reported: membership.other(),
            reason: reason.as_str().to_owned(),
            at,
            messages,
        };
        report.seal(&self.0.sealing);
        let inserted = self.0.reports.insert(report).await?;
        tracing::info!(report = %id, "somebody reported a chat");
        Ok(Filed { id, repeat: !inserted })
    }

    /// One report, for staff.
    pub async fn find(&self, id: ReportId) -> Result<Option<Report>, StoreError> {
        let mut found = self.0.reports.find(id).await?;
        if let Some(report) = &mut found {
            report.open(&self.0.sealing)?;
        }
        Ok(found)
    }

    /// Reports for staff, newest first, of those before `before` by time and id. Their texts are as they
    /// are kept.
    pub async fn list(
        &self,
        before: Option<(Timestamp, ReportId)>,
        limit: usize,
    ) -> Result<Vec<Report>, StoreError> {
        self.0.reports.list(before, limit).await
    }
}

fn reported(revision: &Revision) -> ReportedMessage {
    let Revision { seq, event } = revision;
    ReportedMessage {
        seq: *seq,
        at: event.at,
        author: event.author,
        kind: event.kind.name().to_owned(),
        text: event.kind.body().map(|body| ReportedText::Open(body.as_str().to_owned())),
    }
}
