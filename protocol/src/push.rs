//! What the server says without being asked.

use std::borrow::Cow;

use barterline_domain::chat::Role;
use barterline_domain::clock::Timestamp;
use barterline_domain::event::{Author, Seq};
use barterline_domain::ids::{ChatId, ClientId, ListingId, MediaId, UserId};
use barterline_domain::listing::ListingStatus;
use barterline_domain::marks::Marks;
use barterline_domain::money::Money;
use serde::{Deserialize, Serialize};

use crate::cursor::Cursor;
use crate::frame::is_false;

/// `event`: one numbered fact of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Event {
    /// Of which chat.
    pub chat: ChatId,
    /// Its number: 1, 2, 3 … without a gap.
    pub seq: Seq,
    /// When the server took it. For display: order is the number.
    pub at: Timestamp,
    /// `buyer`, `seller` or `system`.
    pub from: Author,
    /// The author's name for it.
    pub id: ClientId,
    /// `text`, `media`, `edit`, `delete`, `reaction`, `listing`, `system`, or a name that starts with
    /// `x-`; a client shows a kind it does not know by its text, and counts its number.
    pub kind: Cow<'static, str>,
    /// The text as it reads now; for `media` the caption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The message that this one answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Seq>,
    /// The message that this event edits, deletes or reacts to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Seq>,
    /// The reaction, for kind `reaction`; absent, it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reaction: Option<String>,
    /// What was uploaded, for kind `media`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<MediaId>,
    /// What a kind of `x-…` carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// What is new about the listing, for kind `listing`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listing: Option<ListingMoved>,
    /// The message was edited: `text` is the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited: Option<Edited>,
    /// The reactions that stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reactions: Option<Reactions>,
    /// Taken back or erased: nothing of it is left but what stands here.
    #[serde(default, skip_serializing_if = "is_false")]
    pub gone: bool,
    /// The reader hid it: nothing of it is shown but what stands here.
    #[serde(default, skip_serializing_if = "is_false")]
    pub hidden: bool,
    /// By somebody the reader blocked: nothing of it is shown but what stands here.
    #[serde(default, skip_serializing_if = "is_false")]
    pub withheld: bool,
}

impl Event {
    /// An event of this kind that says nothing yet.
    pub fn new(
        chat: ChatId,
        seq: Seq,
        at: Timestamp,
        from: Author,
        id: ClientId,
        kind: Cow<'static, str>,
    ) -> Self {
        Self {
            chat,
            seq,
            at,
            from,
            id,
            kind,
            text: None,
            reply: None,
            target: None,
            reaction: None,
            media: None,
            data: None,
            listing: None,
            edited: None,
            reactions: None,
            gone: false,
            hidden: false,
            withheld: false,
        }
    }
}

/// What is new about a listing since its chat was last told: all edits in between are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ListingMoved {
    /// The version of the listing that brought the last of it.
    pub version: u64,
    /// The price, if it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<PriceMoved>,
    /// The status, if it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusMoved>,
}

/// A price that is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PriceMoved {
    /// What it was.
    pub old: Money,
    /// What it is.
    pub new: Money,
}

/// A status that is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StatusMoved {
    /// What it was.
    pub old: ListingStatus,
    /// What it is.
    pub new: ListingStatus,
}

/// The newest edit of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Edited {
    /// Number of the edit: the message's revision.
    pub seq: Seq,
    /// When it was made.
    pub at: Timestamp,
}

/// The reactions to a message, one for each person.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reactions {
    /// The buyer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buyer: Option<String>,
    /// The seller's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seller: Option<String>,
}

/// One chat in the inbox, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Row {
    /// The chat.
    pub chat: ChatId,
    /// What it is about.
    pub listing: ListingId,
    /// The listing's title when the chat was opened.
    pub title: String,
    /// The listing's price when the chat was opened.
    pub price: Money,
    /// The listing's version when the chat was opened.
    pub listing_version: u64,
    /// The side the reader is on.
    pub role: Role,
    /// The other person.
    pub peer: UserId,
    /// When the chat was opened.
    pub opened_at: Timestamp,
    /// Number of the newest event; 0 in an empty chat.
    pub head: Seq,
    /// The newest event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Event>,
    /// The reader's own marks.
    pub marks: Marks,
    /// The other person's marks.
    pub peer_marks: Marks,
    /// Messages of the other person above the reader's read mark.
    pub unread: u64,
    /// What is the reader's alone; absent when nothing is set.
    #[serde(default, skip_serializing_if = "ChatState::is_default")]
    pub state: ChatState,
}

/// What is one person's alone in a chat. What is not set is absent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChatState {
    /// No alerts until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_until: Option<Timestamp>,
    /// Put away.
    #[serde(default, skip_serializing_if = "is_false")]
    pub archived: bool,
    /// Kept on top.
    #[serde(default, skip_serializing_if = "is_false")]
    pub pinned: bool,
    /// Shown as unread.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unread: bool,
    /// Nothing up to this number is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden_through: Option<Seq>,
    /// Messages above it that are not shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<Seq>,
}

impl ChatState {
    /// Whether nothing is set.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// `state`: what is the reader's alone in a chat, all of it, after a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateMoved {
    /// In which chat.
    pub chat: ChatId,
    /// All of it.
    pub state: ChatState,
}

/// `presence`: whether the other person of a watched chat is there, as far as they show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// In which chat.
    pub chat: ChatId,
    /// A device of theirs is connected.
    pub online: bool,
    /// When they were last there, to the minute; absent if that is not shown or not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Timestamp>,
}

/// `settings`: what the reader chose for all chats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Others see how far the reader has read.
    pub shows_read: bool,
    /// Others see whether the reader is there.
    pub shows_presence: bool,
}

/// `renew`: the token ends soon; send `auth` with a new one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renew {
    /// When it ends. The connection is closed a minute later.
    pub token_expires_at: Timestamp,
}

/// `rows`: chats that changed since the client's cursor, before `live`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    /// The chats; the order means nothing.
    pub rows: Vec<Row>,
}

/// `live`: everything that changed since the client's cursor has been announced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// Store it in one transaction with the rows that came before it.
    pub cursor: Cursor,
}

/// `marks`: somebody's marks in a chat moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarksMoved {
    /// In which chat.
    pub chat: ChatId,
    /// Whose.
    pub role: Role,
    /// A device of theirs has stored every event up to here.
    pub delivered: Seq,
    /// They have seen every event up to here.
    pub read: Seq,
}

/// `behind`: more events than are pushed wait in this chat; ask with `pull`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Behind {
    /// In which chat.
    pub chat: ChatId,
    /// The last number pushed on this connection, or 0.
    pub after: Seq,
    /// The newest number.
    pub head: Seq,
}

/// `bye`: the last frame before a close. The close code says the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bye {
    /// The close code that follows.
    pub code: u16,
    /// Its stable name.
    pub reason: String,
    /// Not before so many milliseconds have passed; absent when it does not matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}
