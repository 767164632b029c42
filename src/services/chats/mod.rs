//! Who may speak, and what is said. One door for sockets and REST.
//!
//! Membership is decided from the caller's own inbox before anything else is looked at: a chat of
//! other people and a chat that does not exist are the same answer after the same work (G6).

mod compose;
mod erasure;
mod listing;
pub mod media;
mod quote;
mod sync;

use std::sync::Arc;
use std::time::Duration;

use barterline_domain::account::Scope;
use barterline_domain::bearer::{Bearer, Unpermitted};
use barterline_domain::chat::{Chat, Participants, Role};
use barterline_domain::clock::Clock;
use barterline_domain::event::{Event, Seq};
use barterline_domain::ids::{ChatId, ClientId, DeviceId, ListingId, MediaId, UserId};
use barterline_domain::listing::ListingStatus;
use barterline_domain::marks::Marks;
use barterline_domain::message::InvalidBody;
use barterline_domain::personal::{HIDDEN_MAX, PersonalChange};
use barterline_storage::chat_log::{ChatLog, Range};
use barterline_storage::error::StoreError;
use barterline_storage::inbox::{Inbox, InboxPage, InboxRow, Position, Unread};

use super::listings::ListingReader;
use super::listings::standings::Standings;
use super::people::People;
use crate::fault::{Fault, planted};
use crate::hub::Hub;
use crate::hub::answers::Sent;
use crate::hub::room::{Command, Refusal};
use crate::hub::slot::Slot;
use crate::limits::{Exceeded, Limits};
use compose::Judgement;
use media::MediaDirectory;
pub use quote::Revision;
pub use sync::{Changes, SyncError};

/// The rules of chats.
#[derive(Clone)]
pub struct Chats {
    log: Arc<dyn ChatLog>,
    inbox: Arc<dyn Inbox>,
    listings: Arc<dyn ListingReader>,
    standings: Arc<Standings>,
    media: Arc<dyn MediaDirectory>,
    people: People,
    limits: Arc<Limits>,
    hub: Hub,
    clock: Arc<dyn Clock>,
    rules: Arc<Rules>,
}

/// What the operator may choose.
#[derive(Debug, Clone)]
pub struct Rules {
    /// How long a message may be edited.
    pub edit_window: Duration,
    /// How long a message may be taken back.
    pub delete_window: Duration,
    /// The reactions there are.
    pub reactions: Vec<String>,
    /// Chats that one person may have.
    pub chats_max: usize,
}

/// What the rules stand on.
pub struct Parts {
    /// The chats' logs.
    pub log: Arc<dyn ChatLog>,
    /// Everybody's chats.
    pub inbox: Arc<dyn Inbox>,
    /// What is for sale.
    pub listings: Arc<dyn ListingReader>,
    /// How it stands, as far as that is at hand.
    pub standings: Arc<Standings>,
    /// What was uploaded.
    pub media: Arc<dyn MediaDirectory>,
    /// Who blocks whom, and shows what.
    pub people: People,
    /// How much anybody may do.
    pub limits: Arc<Limits>,
    /// The live end of chats.
    pub hub: Hub,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What the operator chose.
    pub rules: Rules,
}

/// A chat that was opened, now or earlier.
#[derive(Debug)]
pub struct Opened {
    /// The caller's row of it.
    pub row: InboxRow,
    /// It was opened by this call.
    pub created: bool,
}

/// A part of a chat's history.
#[derive(Debug)]
pub struct History {
    /// The events, ascending, without a gap.
    pub events: Vec<Event>,
    /// The chat as its reader has it.
    pub row: InboxRow,
}

/// Somebody's part in a chat, and what the other person makes of it. To be remembered as long as
/// [`Chats::is_current`] says so.
#[derive(Debug, Clone)]
pub struct Membership {
    /// The chat.
    pub chat: Arc<Chat>,
    /// The side they are on.
    pub role: Role,
    /// The other person has blocked them.
    pub withheld: bool,
    /// [`People::block_changes`] when that was looked up.
    as_of: u64,
}

impl Membership {
    /// The person.
    pub fn user(&self) -> UserId {
        self.chat.participants.user(self.role)
    }

    /// The other person.
    pub fn other(&self) -> UserId {
        self.chat.participants.user(self.role.other())
    }
}

/// A message to be sent, or something to be done to one. Which fields it needs depends on its kind.
#[derive(Debug)]
pub struct Send {
    /// The sender's name for it.
    pub id: ClientId,
    /// The newest number the sender knew when it made the name, if they know any.
    pub base: Option<Seq>,
    /// Its kind, by the name that clients know.
    pub kind: String,
    /// The text, caption or fallback.
    pub text: Option<String>,
    /// The message it answers.
    pub reply: Option<Seq>,
    /// The message it changes.
    pub target: Option<Seq>,
    /// The reaction.
    pub reaction: Option<String>,
    /// What was uploaded.
    pub media: Option<MediaId>,
    /// What an extension carries.
    pub data: Option<String>,
}

/// Why something was refused. Nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// The API key is not for that.
    #[error(transparent)]
    Unpermitted(#[from] Unpermitted),
    /// No such chat, or of other people.
    #[error("no such chat")]
    NotFound,
    /// Sellers do not buy from themselves.
    #[error("the listing is the caller's own")]
    OwnListing,
    /// No such listing.
    #[error("no such listing")]
    ListingNotFound,
    /// Sold or withdrawn.
    #[error("the listing is closed")]
    ListingClosed,
    /// The text cannot be a message.
    #[error(transparent)]
    Text(#[from] InvalidBody),
    /// Nothing that clients send.
    #[error("messages of this kind cannot be sent")]
    KindUnsupported,
    /// A field is missing that the kind needs, or there that it cannot have.
    #[error("{0}")]
    Incomplete(&'static str),
    /// More data than a message may carry.
    #[error("the data is too long")]
    DataTooLong,
    /// Too much at once.
    #[error("too much at once")]
    Limited(Exceeded),
    /// No more messages can be hidden one by one.
    #[error("too many messages are hidden one by one")]
    HiddenFull,
    /// One of the two has as many chats as anybody may have.
    #[error("one of the two has too many chats")]
    InboxFull,
    /// A number above the newest.
    #[error("the number is above the head {head}")]
    SeqAhead {
        /// The newest number.
        head: Seq,
    },
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why nothing was said, for somebody who waited.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// By what was asked for.
    #[error(transparent)]
    Chat(#[from] ChatError),
    /// By where the chat stands.
    #[error("refused: {0:?}")]
    Refused(Refusal),
}

impl SendError {
    /// Whether something that is kept of the chat is damaged.
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Chat(ChatError::Store(StoreError::Corrupt { .. }))
                | Self::Refused(Refusal::Damaged)
        )
    }
}

impl ChatError {
    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        let store = matches!(
            self,
            Self::Store(StoreError::Unavailable { .. } | StoreError::Unknown { .. })
        );
        store || matches!(self, Self::Limited(_))
    }
}

/// How long somebody's part in a chat is looked up, before anything is said. A pull that holds up the
/// connection comes before it, and an append behind it: together less than five seconds (G10).
const MEMBERSHIP_TIMEOUT: Duration = Duration::from_millis(750);
/// Events in one answer at most.
const HISTORY_MAX: usize = barterline_protocol::limits::PAGE_EVENTS_MAX;

impl Chats {
    /// The rules over these stores.
    pub fn new(parts: Parts) -> Self {
        let Parts { log, inbox, listings, standings, media, people, limits, hub, clock, rules } =
            parts;
        let rules = Arc::new(rules);
        Self { log, inbox, listings, standings, media, people, limits, hub, clock, rules }
    }

    /// What the operator chose.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The hub behind the rules.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Opens the chat of `buyer` about a listing, or finds it.
    pub async fn open(&self, buyer: Bearer, listing: ListingId) -> Result<Opened, ChatError> {
        let buyer = buyer.may(Scope::WriteChats)?;
        let id = ChatId::of(listing, buyer);
        if let Some(row) = self.inbox.row(buyer, id).await? {
            self.catch_up(&row).await;
            return Ok(Opened { row, created: false });
        }
        let began = self.clock.now();
        let listing = self.listings.find(listing).await?.ok_or(ChatError::ListingNotFound)?;
        if listing.seller == buyer {
            return Err(ChatError::OwnListing);
        }
        if !listing.was_for_sale() {
            return Err(ChatError::ListingNotFound);
        }
        match listing.status_at(self.clock.now()) {
            ListingStatus::Active | ListingStatus::Reserved => {}
            ListingStatus::Draft
            | ListingStatus::Sold
            | ListingStatus::Withdrawn
            | ListingStatus::Expired => return Err(ChatError::ListingClosed),
        }
        self.limits.new_chat(buyer, self.clock.now()).map_err(ChatError::Limited)?;
        for user in [buyer, listing.seller] {
            if self.inbox.count(user).await? >= self.rules.chats_max {
                return Err(ChatError::InboxFull);
            }
        }
        self.standings.looked(&listing, began);
        let chat = Chat {
            id,
            listing: listing.id,
            participants: Participants { buyer, seller: listing.seller },
            snapshot: listing.snapshot(),
            opened_at: self.clock.now(),
        };
        self.log.create(chat).await?;
        let row = self.inbox.row(buyer, id).await?.ok_or(ChatError::NotFound)?;
        Ok(Opened { row, created: true })
    }

    /// The caller's row of one chat.
    pub async fn row(&self, caller: Bearer, chat: ChatId) -> Result<InboxRow, ChatError> {
        self.row_of(caller.may(Scope::ReadChats)?, chat).await
    }

    async fn row_of(&self, user: UserId, chat: ChatId) -> Result<InboxRow, ChatError> {
        self.inbox.row(user, chat).await?.ok_or(ChatError::NotFound)
    }

    /// Somebody's row of a chat: what a planted fault shows to strangers.
    async fn any_row(&self, chat: ChatId) -> Result<InboxRow, ChatError> {
        let head = self.log.head(chat).await?.ok_or(ChatError::NotFound)?;
        self.row_of(head.chat.participants.buyer, chat).await
    }

    /// The caller's chats, the newest change first.
    pub async fn inbox(
        &self,
        caller: Bearer,
        before: Option<u64>,
        limit: usize,
    ) -> Result<InboxPage, ChatError> {
        let user = caller.may(Scope::ReadChats)?;
        Ok(self.inbox.list(user, before, limit).await?)
    }

    /// What the caller has not read, over all chats.
    pub async fn unread(&self, caller: Bearer) -> Result<Unread, ChatError> {
        let user = caller.may(Scope::ReadChats)?;
        Ok(self.inbox.unread(user).await?)
    }

    /// The caller's chats that changed after an inbox position, in the order of the change. A seller
    /// hears of a chat with its first message.
    pub async fn changed_after(
        &self,
        caller: Bearer,
        position: u64,
        limit: usize,
    ) -> Result<InboxPage, ChatError> {
        let user = caller.may(Scope::ReadChats)?;
        let mut page = self.inbox.changed_after(user, position, limit).await?;
        page.rows.retain(|row| row.role == Role::Buyer || row.head > Seq::ZERO);
        Ok(page)
    }

    /// Where the inboxes stand.
    pub fn position(&self) -> Position {
        self.inbox.position()
    }

    /// The caller's part in a chat. Blocks are looked up in any case: the blocked cannot tell by
    /// the time it takes.
    pub async fn membership(&self, user: UserId, chat: ChatId) -> Result<Membership, ChatError> {
        let looking = Box::pin(self.look_up(user, chat));
        let found = tokio::time::timeout(MEMBERSHIP_TIMEOUT, looking).await;
        found.unwrap_or_else(|_| {
            Err(StoreError::unavailable("look for a chat", "no answer in time").into())
        })
    }

    async fn look_up(&self, user: UserId, chat: ChatId) -> Result<Membership, ChatError> {
        let chat = self.inbox.membership(user, chat).await?.ok_or(ChatError::NotFound)?;
        let role = chat.participants.role_of(user).ok_or(ChatError::NotFound)?;
        let as_of = self.people.block_changes();
        let other = chat.participants.user(role.other());
        let withheld = self.people.blocks(other, user).await?;
        Ok(Membership { chat, role, withheld, as_of })
    }

    /// Whether every change is told here: only then does a cursor go on while its client is
    /// connected. On a cluster other servers change what this one does not hear of.
    pub fn hears_everything(&self) -> bool {
        self.inbox.overlap() == 0
    }

    /// Whether a membership still holds as it was looked up.
    pub fn is_current(&self, membership: &Membership) -> bool {
        membership.as_of == self.people.block_changes()
    }

    /// A part of a chat's history; without a range its newest events.
    pub async fn history(
        &self,
        caller: Bearer,
        chat: ChatId,
        range: Option<Range>,
        limit: usize,
    ) -> Result<History, ChatError> {
        let user = caller.may(Scope::ReadChats)?;
        let row = if planted(Fault::StrangerReads) {
            self.any_row(chat).await?
        } else {
            self.row_of(user, chat).await?
        };
        let is_newest = range.is_none();
        let range = range.unwrap_or(Range::Before(row.head.next()));
        let limit = limit.clamp(1, HISTORY_MAX);
        // Who reads the newest page looks; programs read all the others.
        let looking = async {
            if is_newest {
                self.catch_up(&row).await;
            }
        };
        let (events, ()) = tokio::join!(self.log.read(chat, range, limit), looking);
        let mut events = events?;
        let lacking = u64::from(planted(Fault::PageLacksNewest));
        events.retain(|event| event.seq.0 + lacking <= row.head.0);
        Ok(History { events, row })
    }

    /// Says something in a chat the caller takes part in. What the store makes of it is answered
    /// on `slot`.
    pub async fn send(
        &self,
        membership: &Membership,
        slot: &Arc<Slot>,
        reference: Option<u32>,
        send: Send,
    ) -> Result<(), ChatError> {
        slot.bearer().may(Scope::WriteChats)?;
        let command = self.judged(membership, Some(slot.id), send).await?;
        self.hub.send(&membership.chat, slot, reference, command);
        Ok(())
    }

    /// The same for a message that stands alone.
    pub fn send_at_once(
        &self,
        membership: &Membership,
        slot: &Arc<Slot>,
        reference: Option<u32>,
        send: Send,
    ) -> Result<(), ChatError> {
        debug_assert!(send.stands_alone());
        slot.bearer().may(Scope::WriteChats)?;
        let command = self.command(membership, Some(slot.id), send)?;
        self.hub.send(&membership.chat, slot, reference, command);
        Ok(())
    }

    /// The same for somebody without a connection, who waits for what the store makes of it.
    pub async fn send_and_wait(
        &self,
        caller: Bearer,
        chat: ChatId,
        send: Send,
    ) -> Result<Sent, SendError> {
        let user = caller.may(Scope::WriteChats).map_err(ChatError::from)?;
        let membership = self.membership(user, chat).await?;
        // Who waits is the hub's to say.
        let command = self.judged(&membership, None, send).await?;
        self.hub.send_and_wait(&membership.chat, command).await.map_err(SendError::Refused)
    }

    /// What a request comes to, and what the rules have against it.
    async fn judged(
        &self,
        membership: &Membership,
        origin: Option<u64>,
        send: Send,
    ) -> Result<Command, ChatError> {
        let stands_alone = send.stands_alone();
        // Behind it, what is new of it is at hand for the command.
        Box::pin(self.standing(membership.chat.listing)).await;
        let mut command = self.command(membership, origin, send)?;
        if !stands_alone {
            let Membership { chat, role, .. } = membership;
            match Box::pin(self.judge(chat, *role, &command)).await? {
                Judgement::Forbidden(why) => command.refusal = Some(Refusal::Forbidden(why)),
                Judgement::Allowed { withheld } => command.withheld |= withheld,
            }
        }
        Ok(command)
    }

    /// What a request comes to.
    fn command(
        &self,
        membership: &Membership,
        origin: Option<u64>,
        send: Send,
    ) -> Result<Command, ChatError> {
        let Membership { chat, role, withheld, .. } = membership;
        let (id, base, role, withheld) = (send.id, send.base, *role, *withheld);
        let kind = compose::kind(send)?;
        let at = self.clock.now();
        self.limits.message(membership.user(), chat.id, at).map_err(ChatError::Limited)?;
        let (author, digest) = (role.into(), kind.digest());
        let (refusal, standing) = (None, self.standings.last(chat.listing));
        Ok(Command { author, id, digest, base, kind, at, withheld, origin, refusal, standing })
    }

    /// Moves the caller's marks. Everybody concerned hears of it from the hub.
    pub async fn mark(
        &self,
        caller: Bearer,
        chat: ChatId,
        device: DeviceId,
        marks: Marks,
    ) -> Result<(), ChatError> {
        let user = caller.may(Scope::WriteChats)?;
        let membership = if planted(Fault::StrangerLearnsHead) {
            let row = self.any_row(chat).await?;
            Membership { chat: row.chat, role: row.role, withheld: false, as_of: 0 }
        } else {
            self.membership(user, chat).await?
        };
        let head = match self.inbox.row_head(user, chat).await? {
            Some(head) => head,
            None if planted(Fault::StrangerLearnsHead) => self.any_row(chat).await?.head,
            None => return Err(ChatError::NotFound),
        };
        if planted(Fault::OkBeforeMarks) {
            return Ok(());
        }
        if marks.delivered > head && !planted(Fault::MarkBeyondHead) {
            return Err(ChatError::SeqAhead { head });
        }
        let visibility = self.people.marks_shown(user, membership.other()).await?;
        self.inbox.mark(user, chat, device, marks, visibility).await?;
        Ok(())
    }

    /// Changes what is the caller's alone in a chat, in this order. The caller's devices hear of it
    /// from the hub.
    pub async fn change(
        &self,
        caller: Bearer,
        chat: ChatId,
        changes: Vec<PersonalChange>,
    ) -> Result<(), ChatError> {
        let user = caller.may(Scope::WriteChats)?;
        let row = self.row_of(user, chat).await?;
        let mut hidden = row.personal.hidden.len();
        for change in &changes {
            match change {
                PersonalChange::Hide(seq) | PersonalChange::HideThrough(seq) if *seq > row.head => {
                    return Err(ChatError::SeqAhead { head: row.head });
                }
                PersonalChange::Hide(seq) if !row.personal.hides(*seq) => hidden += 1,
                _ => {}
            }
        }
        if hidden > HIDDEN_MAX {
            return Err(ChatError::HiddenFull);
        }
        for change in changes {
            self.inbox.change(user, chat, change).await?;
        }
        Ok(())
    }
}
