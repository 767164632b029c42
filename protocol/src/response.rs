//! What the server answers, and the list of everything it sends.

use barterline_domain::clock::Timestamp;
use barterline_domain::event::Seq;
use barterline_domain::ids::{ChatId, ClientId};
use serde::{Deserialize, Serialize};

use crate::frame::{frames, is_false};
use crate::hello::Welcome;
use crate::push::{
    Behind, Bye, Event, Live, MarksMoved, Presence, Renew, Row, Rows, Settings, StateMoved,
};
use crate::request::{Block, Ping, Typing};

frames! {
    /// A frame from the server.
    pub enum Outgoing {
        /// Answers `hello`.
        "welcome" => Welcome(Welcome),
        /// Chats that changed while the client was away.
        "rows" => Rows(Rows),
        /// Nothing is missing from the announcement.
        "live" => Live(Live),
        /// Answers `send`: the message is durable.
        "ack" => Ack(Ack),
        /// Answers `mark`: done and durable.
        "ok" => Ok(Done),
        /// Answers `pull`.
        "page" => Page(Page),
        /// Answers `open`.
        "chat" => Chat(Box<Row>),
        /// Answers `auth`.
        "authed" => Authed(Authed),
        /// A numbered fact of a chat.
        "event" => Event(Event),
        /// Somebody's marks moved.
        "marks" => Marks(MarksMoved),
        /// What is the reader's alone in a chat changed.
        "state" => State(StateMoved),
        /// The other person types.
        "typing" => Typing(Typing),
        /// The other person came or went.
        "presence" => Presence(Presence),
        /// Answers `settings`, and tells the person's other devices.
        "settings" => Settings(Settings),
        /// Another device of the person blocked somebody.
        "block" => Block(Block),
        /// The token ends soon.
        "renew" => Renew(Renew),
        /// What the client has stored is of another history.
        "reset" => Reset(Done),
        /// Too much to push.
        "behind" => Behind(Behind),
        /// Asks for a sign of life.
        "ping" => Ping(Ping),
        /// Gives a sign of life.
        "pong" => Pong(Ping),
        /// A request was refused.
        "error" => Error(ErrorBody),
        /// The connection is about to be closed.
        "bye" => Bye(Bye),
    }
}

/// `ack`: the message is durable under this number, for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Ack {
    /// The chat.
    pub chat: ChatId,
    /// The message's name.
    pub id: ClientId,
    /// Its number.
    pub seq: Seq,
    /// When the server took it.
    pub at: Timestamp,
    /// This was a retry: the number was given earlier.
    #[serde(default, skip_serializing_if = "is_false")]
    pub repeat: bool,
}

/// `ok`: the request was carried out. `reset` has no fields either.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Done {}

/// `page`: a range of a chat's events, lowest number first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = EventPage))]
pub struct Page {
    /// The chat.
    pub chat: ChatId,
    /// The events, without a gap between them.
    pub events: Vec<Event>,
    /// The newest number of the chat.
    pub head: Seq,
}

/// `authed`: the connection goes on under the new token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authed {
    /// When the new token ends.
    pub token_expires_at: Timestamp,
}

/// `error`: the request was refused and changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ErrorBody {
    /// A stable name ([`crate::error_code::ErrorCode`]).
    pub code: String,
    /// For developers, in English; may change.
    pub message: String,
    /// The chat it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat: Option<ChatId>,
    /// The message it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<ClientId>,
    /// The newest number of the chat, where the answer depends on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Seq>,
    /// Of what there was too much, for `rate.limited`: `connection`, `user`, `chat`, `new_chats` or
    /// `address`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Try again, but not before so many milliseconds have passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}
