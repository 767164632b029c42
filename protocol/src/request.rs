//! What a client asks for.

use barterline_domain::clock::Timestamp;
use barterline_domain::event::Seq;
use barterline_domain::ids::{ChatId, ClientId, ListingId, MediaId, UserId};
use serde::{Deserialize, Serialize};

use crate::cursor::Cursor;
use crate::frame::frames;
use crate::hello::Hello;

frames! {
    /// A frame from a client.
    pub enum Request {
        /// Opens the stream.
        "hello" => Hello(Hello),
        /// Says something in a chat.
        "send" => Send(Send),
        /// Moves the caller's marks in a chat.
        "mark" => Mark(Mark),
        /// Changes what is the caller's alone in a chat.
        "state" => State(SetState),
        /// Asks for a range of a chat's events.
        "pull" => Pull(Pull),
        /// Opens the chat about a listing, as its buyer.
        "open" => Open(Open),
        /// Has a chat on screen, for a while.
        "watch" => Watch(Watch),
        /// Types.
        "typing" => Typing(Typing),
        /// Asks for the caller's settings, and changes them.
        "settings" => Settings(SetSettings),
        /// Blocks somebody, or takes that back.
        "block" => Block(Block),
        /// Replaces the connection's token before it ends.
        "auth" => Auth(Auth),
        /// Asks for a sign of life.
        "ping" => Ping(Ping),
        /// Gives a sign of life.
        "pong" => Pong(Ping),
    }
}

/// `send`: a message, or something that happens to one. Answered by `ack`, or by `error`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Send {
    /// In which chat.
    pub chat: ChatId,
    /// The message's name, made when it was composed. Every retry carries the same.
    pub id: ClientId,
    /// The highest number of this chat the client knew when it made `id`. An earlier success of
    /// this message can only lie above.
    pub base: Seq,
    /// `text`, `media`, `edit`, `delete`, `reaction`, or a name that starts with `x-`.
    pub kind: String,
    /// The text; for `media` the caption, for `x-…` what programs show that do not know the kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The message that this one answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Seq>,
    /// The message to edit, delete or react to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Seq>,
    /// The reaction, for kind `reaction`; absent, it takes the sender's back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reaction: Option<String>,
    /// What was uploaded, for kind `media`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<MediaId>,
    /// For kinds of one's own: anything, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
}

impl Send {
    /// A plain text.
    pub fn text(chat: ChatId, id: ClientId, base: Seq, text: String) -> Self {
        Self { text: Some(text), ..Self::new(chat, id, base, "text") }
    }

    /// A request of this kind with nothing in it.
    pub fn new(chat: ChatId, id: ClientId, base: Seq, kind: &str) -> Self {
        Self {
            chat,
            id,
            base,
            kind: kind.to_owned(),
            text: None,
            reply: None,
            target: None,
            reaction: None,
            media: None,
            data: None,
        }
    }
}

/// `mark`: answered by `ok` once durable. Marks never go back: the lower is ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// In which chat.
    pub chat: ChatId,
    /// This device has stored every event up to here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<Seq>,
    /// The person has seen every event up to here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<Seq>,
}

/// `state`: answered by `ok` once durable. What is absent stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetState {
    /// In which chat.
    pub chat: ChatId,
    /// No alerts until then; 0: alerts again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_until: Option<Timestamp>,
    /// Put away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived: Option<bool>,
    /// Kept on top.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<bool>,
    /// Shown as unread until the read mark grows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<bool>,
    /// Messages that are not shown to the caller any more, for good.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hide: Vec<Seq>,
    /// Nothing up to this number is shown to the caller any more, for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hide_through: Option<Seq>,
}

/// `watch`: answered by `ok`. While it lasts, `typing` and `presence` of the other person come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// Which chat.
    pub chat: ChatId,
    /// On screen, or no longer.
    pub on: bool,
}

/// `typing`, in both directions. Not answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Typing {
    /// In which chat.
    pub chat: ChatId,
}

/// `settings`: answered by `settings`. What is absent stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SetSettings {
    /// Others see how far the caller has read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shows_read: Option<bool>,
    /// Others see whether the caller is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shows_presence: Option<bool>,
}

/// `block`: answered by `ok` once durable. From the server: another device of the same person did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Whom.
    pub user: UserId,
    /// Blocked, or no longer.
    pub on: bool,
}

/// `pull`: answered by `page`. Either `after` or `before`; neither means the newest events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pull {
    /// Of which chat.
    pub chat: ChatId,
    /// The oldest events above this number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Seq>,
    /// The newest events below this number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Seq>,
    /// At most so many events; the server may give fewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// `open`: answered by `chat`. Opening twice gives the same chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// About which listing.
    pub listing: ListingId,
}

/// `auth`: answered by `authed`. The token must be of the same user and session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Auth {
    /// The new access token.
    pub token: String,
}

/// `ping` and `pong`, in both directions. From the server they carry the cursor.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ping {
    /// The newest cursor. Store it with what came before it on this connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
}
