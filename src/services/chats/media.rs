//! What chats and files have to do with each other: which message shows a file, and what became of it.

use std::time::Duration;

use async_trait::async_trait;
use barterline_domain::chat::{Chat, Role};
use barterline_domain::clock::Timestamp;
use barterline_domain::event::{Author, Event, Seq};
use barterline_domain::ids::{ChatId, ClientId, MediaId, UserId};
use barterline_domain::media::{Holder, Media, Shown};
use barterline_domain::message::{Content, EventKind, Message};
use barterline_storage::chat_log::Range;
use barterline_storage::error::StoreError;

use super::{ChatError, Chats, HISTORY_MAX};
use crate::hub::room::{Command, Forbidden};

/// Events that are read first: a message stands not far above the head that its sender saw.
const FIRST_PAGE: usize = 16;
/// Pages of a search for it. Who says so much in between is told that it is not known.
const PAGES_MAX: usize = 24;
/// How far the times of two servers, and of what waited, may be apart: behind, nothing is searched.
const LATE: Duration = Duration::from_hours(1);

/// A message that is about to show a file.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    /// Whose.
    pub user: UserId,
    /// In which chat.
    pub chat: ChatId,
    /// Which file.
    pub media: MediaId,
    /// The message.
    pub shown: Shown,
}

/// What came of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// The message may show it, and no other.
    Yes,
    /// There is no such file that this person may send in this chat.
    NotFound,
    /// It is not whole yet, or is still being looked at.
    NotReady,
    /// Another message shows it.
    Used,
}

/// Knows what was uploaded, by whom and for which chat.
#[async_trait]
pub trait MediaDirectory: Send + Sync {
    /// Has a message show a file: one that was uploaded by its sender, for this chat, and is whole. No other
    /// message may from then on, and this one as often as it is tried.
    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError>;

    /// Has a file looked at again whose message is about to be taken back.
    async fn doubt(&self, media: MediaId, at: Timestamp) -> Result<(), StoreError>;
}

/// A server without uploads.
pub struct NoMedia;

#[async_trait]
impl MediaDirectory for NoMedia {
    async fn claim(&self, _: Claim) -> Result<Claimed, StoreError> {
        Ok(Claimed::NotFound)
    }

    async fn doubt(&self, _: MediaId, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }
}

/// What became of the message that is to show a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Showing {
    /// It is there.
    Stands {
        /// The other person never sees it.
        withheld: bool,
    },
    /// It was taken back.
    Gone,
    /// There is none, so far.
    Absent,
    /// So much was said since that nobody has looked at all of it.
    Unclear,
}

/// The file that a message shows, if it does.
pub(super) fn shown_by(kind: &EventKind) -> Option<MediaId> {
    match kind {
        EventKind::Message(Message { content: Content::Media { media, .. }, .. }) => Some(*media),
        _ => None,
    }
}

impl Chats {
    /// The side that somebody is on in a chat, if they take part in it: the same work for a chat of others and
    /// for one that is not there.
    pub async fn role_in(&self, user: UserId, chat: ChatId) -> Result<Option<Role>, ChatError> {
        let chat = self.inbox.membership(user, chat).await?;
        Ok(chat.and_then(|chat| chat.participants.role_of(user)))
    }

    /// What became of the message that is to show a file.
    pub async fn showing(&self, media: &Media) -> Result<Showing, ChatError> {
        let Some(chat) = media.chat() else { return Ok(Showing::Absent) };
        let Some(Shown { by: Holder::Message { id, above }, at }) = media.shown else {
            return Ok(Showing::Absent);
        };
        // Reading the head makes up for what follows from events that stand, such as that a message is gone.
        let Some(head) = self.log.head(chat).await? else { return Ok(Showing::Absent) };
        let Some(role) = head.chat.participants.role_of(media.owner) else {
            return Ok(Showing::Absent);
        };
        let (mut after, mut limit) = (above, FIRST_PAGE);
        for _ in 0..PAGES_MAX {
            let events = self.log.read(chat, Range::After(after), limit).await?;
            let name = (Author::from(role), id);
            if let Some(found) = events.iter().find_map(|event| found(event, name, media.id)) {
                return Ok(found);
            }
            // It was claimed not long before it was said.
            let newest = events.last().filter(|newest| newest.at <= at.plus(LATE));
            match newest {
                Some(newest) if events.len() == limit => after = newest.seq,
                _ => return Ok(Showing::Absent),
            }
            limit = HISTORY_MAX;
        }
        Ok(Showing::Unclear)
    }

    /// Has the command show its file, if it has one. What is against it, if anything is.
    pub(super) async fn claim(
        &self,
        chat: &Chat,
        role: Role,
        command: &Command,
    ) -> Result<Option<Forbidden>, StoreError> {
        let Some(media) = shown_by(&command.kind) else { return Ok(None) };
        let user = chat.participants.user(role);
        // Not what the client says that it knows: whatever is appended from here on stands above this.
        let above = self.inbox.row_head(user, chat.id).await?.unwrap_or(Seq::ZERO);
        let by = Holder::Message { id: command.id, above };
        let shown = Shown { by, at: command.at };
        let claim = Claim { user, chat: chat.id, media, shown };
        Ok(match self.media.claim(claim).await? {
            Claimed::Yes => None,
            Claimed::NotFound => Some(Forbidden::MediaNotFound),
            Claimed::NotReady => Some(Forbidden::MediaNotReady),
            Claimed::Used => Some(Forbidden::MediaUsed),
        })
    }
}

/// What this event says of the message of a name that is to show a file. An event of the same name that is
/// something else says nothing.
fn found(event: &Event, name: (Author, ClientId), media: MediaId) -> Option<Showing> {
    if (event.author, event.id) != name {
        return None;
    }
    match &event.kind {
        EventKind::Message(Message { content: Content::Gone(_), .. }) => Some(Showing::Gone),
        kind if shown_by(kind) == Some(media) => Some(Showing::Stands { withheld: event.withheld }),
        _ => None,
    }
}
