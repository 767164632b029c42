//! What crosses the socket: bytes in, values out. No I/O and no web framework.
//!
//! A frame is the array `[kind, ref, body]`: a short string, the client's number for the request
//! (or nil), and a map. It is one message of a WebSocket whose subprotocol names the encoding
//! ([`Encoding`]). The modules stand in the order in which a client meets them; docs/protocol.md
//! says the same in words, and `vectors/` holds both to it.

pub mod codec;
pub mod frame;
pub mod limits;

pub mod hello;
pub mod push;
pub mod request;
pub mod response;

pub mod close_code;
pub mod cursor;
pub mod error_code;

#[cfg(feature = "openapi")]
mod openapi;

pub use codec::{DecodeError, Encoding};
pub use frame::Frame;
pub use request::Request;
pub use response::Outgoing;
