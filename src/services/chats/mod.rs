//! Chats: who may open and read them.
//!
//! Membership is decided from the caller's own inbox before anything else is touched: a stranger
//! gets the answer of a chat that does not exist, after the same work (G6).

use std::sync::Arc;

use barterline_domain::chat::{Chat, Participants};
use barterline_domain::clock::Clock;
use barterline_domain::event::{Event, InvalidBody, Seq};
use barterline_domain::ids::{ChatId, ListingId};
use barterline_domain::listing::ListingStatus;
use barterline_storage::chat_log::{ChatLog, Range};
use barterline_storage::error::StoreError;
use barterline_storage::inbox::{Inbox, InboxPage, InboxRow};

use crate::auth::principal::Principal;
use crate::services::listings::ListingReader;

/// The rules of chats. Cheap to clone.
#[derive(Clone)]
pub struct Chats {
    log: Arc<dyn ChatLog>,
    inbox: Arc<dyn Inbox>,
    listings: Arc<dyn ListingReader>,
    clock: Arc<dyn Clock>,
}

/// Why something in a chat was refused.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// No such chat for this person.
    #[error("no such chat")]
    NotFound,
    /// A seller does not talk to themselves.
    #[error("the listing is the caller's own")]
    OwnListing,
    /// No such listing.
    #[error("no such listing")]
    ListingNotFound,
    /// Sold or withdrawn: no new chats.
    #[error("the listing is closed")]
    ListingClosed,
    /// The text cannot be a message.
    #[error(transparent)]
    Text(#[from] InvalidBody),
    /// Messages of this kind cannot be sent.
    #[error("messages of this kind cannot be sent")]
    KindUnsupported,
    /// A number above the chat's newest.
    #[error("the chat's newest event is {head}")]
    SeqAhead {
        /// The newest number.
        head: Seq,
    },
    /// The base lies too far back.
    #[error("the base lies too far below {head}")]
    BaseOld {
        /// The newest number.
        head: Seq,
    },
    /// The id names another message.
    #[error("the id names another message")]
    IdConflict,
    /// Too much at once.
    #[error("too much at once")]
    Busy {
        /// Not before so many milliseconds have passed.
        retry_after_ms: u64,
    },
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A chat that is open now.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The caller's row.
    pub row: InboxRow,
    /// It was not there before.
    pub created: bool,
}

/// A range of a chat's events.
#[derive(Debug, Clone)]
pub struct History {
    /// The events, lowest number first.
    pub events: Vec<Event>,
    /// The newest number of the chat.
    pub head: Seq,
}

impl Chats {
    /// The rules over these parts.
    pub fn new(
        log: Arc<dyn ChatLog>,
        inbox: Arc<dyn Inbox>,
        listings: Arc<dyn ListingReader>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            log,
            inbox,
            listings,
            clock,
        }
    }

    /// Opens the chat about a listing, with the caller as buyer. A chat that is there stays
    /// reachable by this way, whatever became of the listing.
    pub async fn open(
        &self,
        principal: &Principal,
        listing: ListingId,
    ) -> Result<Opened, ChatError> {
        let id = ChatId::of(listing, principal.user);
        if let Some(row) = self.inbox.row(principal.user, id).await? {
            return Ok(Opened {
                row,
                created: false,
            });
        }
        let found = self.listings.find(listing).await?;
        let listing = found.ok_or(ChatError::ListingNotFound)?;
        if listing.seller == principal.user {
            return Err(ChatError::OwnListing);
        }
        match listing.status {
            ListingStatus::Active | ListingStatus::Reserved => {}
            ListingStatus::Sold | ListingStatus::Withdrawn => return Err(ChatError::ListingClosed),
        }
        let chat = Chat {
            id,
            listing: listing.id,
            participants: Participants {
                buyer: principal.user,
                seller: listing.seller,
            },
            snapshot: listing.snapshot(),
            opened_at: self.clock.now(),
        };
        self.log.create(chat).await?;
        let row = self.row(principal, id).await?;
        Ok(Opened { row, created: true })
    }

    /// The caller's row of a chat.
    pub async fn row(&self, principal: &Principal, chat: ChatId) -> Result<InboxRow, ChatError> {
        let row = self.inbox.row(principal.user, chat).await?;
        row.ok_or(ChatError::NotFound)
    }

    /// The caller's chats, the newest change first, those that changed before `before`.
    pub async fn inbox(
        &self,
        principal: &Principal,
        before: Option<u64>,
        limit: usize,
    ) -> Result<InboxPage, ChatError> {
        Ok(self.inbox.list(principal.user, before, limit).await?)
    }

    /// A range of a chat's events; without one, the newest.
    pub async fn history(
        &self,
        principal: &Principal,
        chat: ChatId,
        range: Option<Range>,
        limit: usize,
    ) -> Result<History, ChatError> {
        let member = self.inbox.membership(principal.user, chat).await?;
        member.ok_or(ChatError::NotFound)?;
        let range = range.unwrap_or(Range::Before(Seq(u64::MAX)));
        let events = self.log.read(chat, range, limit).await?;
        // Read after the events, so that it covers them.
        let head = self.log.head(chat).await?;
        let head = head.map_or(Seq::ZERO, |head| head.head);
        match range {
            Range::After(seq) if seq > head => Err(ChatError::SeqAhead { head }),
            Range::After(_) | Range::Before(_) => Ok(History { events, head }),
        }
    }
}
