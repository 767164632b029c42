//! The first frame of a connection and its answer.

use barterline_domain::clock::Timestamp;
use barterline_domain::event::Seq;
use barterline_domain::ids::{ChatId, DeviceId, SessionId, UserId};
use serde::{Deserialize, Serialize};

use crate::cursor::Cursor;
use crate::limits::Limits;

/// The protocol version this crate speaks.
pub const VERSION: u32 = 1;

/// `hello`: who is there, and how far it has come. Must be the first frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Access token.
    pub token: String,
    /// This installation.
    pub device: DeviceId,
    /// Versions the client speaks.
    pub versions: Vec<u32>,
    /// The newest cursor the client stored; absent at first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
    /// Chats on screen, each with the number up to which the client has every event: what follows
    /// is pushed without being asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub have: Vec<(ChatId, Seq)>,
}

/// `welcome`: the connection is the user's event stream from here on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The version spoken from here on.
    pub version: u32,
    /// Whose stream this is.
    pub user: UserId,
    /// The log-in behind the token.
    pub session: SessionId,
    /// Server's clock.
    pub now: Timestamp,
    /// When the token ends; send `auth` with a new one before.
    pub token_expires_at: Timestamp,
    /// How often the server expects a sign of life, in milliseconds; silent for three times as
    /// long, a connection is closed.
    pub heartbeat_ms: u64,
    /// What the client must keep to.
    pub limits: Limits,
    /// Names of optional features that are switched on.
    pub features: Vec<String>,
}
