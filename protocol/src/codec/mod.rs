//! Two encodings of the same frames.
//!
//! Decoding has two steps, so that both encodings judge alike: first the whole frame is walked
//! (well-formed? nested too deeply? declared lengths within the frame?) without taking memory, then
//! the body is read into its type. A failure of the first is a client's bug and costs the
//! connection; a failure of the second is an answer to one request.

pub mod json;
pub mod msgpack;

use crate::frame::{Frame, Message};

/// How frames become bytes; named by the WebSocket subprotocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// `barterline.v1`: `MessagePack` in binary messages.
    MsgPack,
    /// `barterline.v1.json`: JSON in text messages.
    Json,
}

/// Why bytes are no frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not `[kind, ref, body]`, or not well-formed at all. Costs the connection.
    #[error("malformed frame: {0}")]
    Malformed(&'static str),
    /// The kind is not one of the protocol. The connection goes on.
    #[error("unknown kind {kind:?}")]
    UnknownKind {
        /// The frame's number.
        reference: Option<u32>,
        /// The kind's first 32 characters.
        kind: String,
    },
    /// The body does not fit its kind. The connection goes on.
    #[error("invalid body: {reason}")]
    InvalidBody {
        /// The frame's number.
        reference: Option<u32>,
        /// What is wrong with it.
        reason: String,
    },
}

impl Encoding {
    /// Every encoding, the preferred one first.
    pub const ALL: [Self; 2] = [Self::MsgPack, Self::Json];

    /// The WebSocket subprotocol.
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::MsgPack => "barterline.v1",
            Self::Json => "barterline.v1.json",
        }
    }

    /// Appends a frame to `out`.
    pub fn encode<M: Message>(self, reference: Option<u32>, message: &M, out: &mut Vec<u8>) {
        match self {
            Self::MsgPack => msgpack::encode(reference, message, out),
            Self::Json => json::encode(reference, message, out),
        }
    }

    /// Reads a frame.
    pub fn decode<M: Message>(self, bytes: &[u8]) -> Result<Frame<M>, DecodeError> {
        match self {
            Self::MsgPack => msgpack::decode(bytes),
            Self::Json => json::decode(bytes),
        }
    }
}
