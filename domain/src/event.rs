//! What a chat's log holds: numbered events that never change place.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::chat::Role;
use crate::clock::Timestamp;
use crate::ids::ClientId;

/// An event's number in its chat: 1, 2, 3 … without a gap. Zero is the place before the first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Seq(pub u64);

/// The number is above [`Seq::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sequence number above 9007199254740991")]
pub struct SeqTooLarge;

impl Seq {
    /// The place before the first event.
    pub const ZERO: Self = Self(0);

    /// The largest number that can be read: what a JSON number carries exactly (RFC 8259, section
    /// 6), 2^53 − 1. Far from the end of `u64`, so that sums over numbers from a stranger are safe.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// The number after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl TryFrom<u64> for Seq {
    type Error = SeqTooLarge;

    fn try_from(number: u64) -> Result<Self, SeqTooLarge> {
        if number > Self::MAX.0 { Err(SeqTooLarge) } else { Ok(Self(number)) }
    }
}

impl From<Seq> for u64 {
    fn from(seq: Seq) -> Self {
        seq.0
    }
}

impl fmt::Debug for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Longest text of a message, in Unicode scalar values.
pub const BODY_CHARS_MAX: usize = 4_000;
/// Longest text of a message, in bytes of UTF-8: four thousand four-byte characters would be
/// 16,000, so the characters bind first for every text; this one bounds memory.
pub const BODY_BYTES_MAX: usize = 16 * 1024;

/// The text of a message: not blank, at most [`BODY_CHARS_MAX`] characters, kept exactly as it was
/// written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body(String);

/// Why a text cannot be a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBody {
    /// Nothing in it but white space.
    #[error("the text is empty")]
    Empty,
    /// More than [`BODY_CHARS_MAX`] characters or [`BODY_BYTES_MAX`] bytes.
    #[error("the text is longer than 4000 characters")]
    TooLong,
    /// A control character that no keyboard types (all but tab, line feed, carriage return).
    #[error("the text holds a control character")]
    Control,
}

impl Body {
    /// Takes a text as a message body.
    pub fn parse(text: String) -> Result<Self, InvalidBody> {
        if text.len() > BODY_BYTES_MAX || text.chars().count() > BODY_CHARS_MAX {
            return Err(InvalidBody::TooLong);
        }
        if text.trim().is_empty() {
            return Err(InvalidBody::Empty);
        }
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t' | '\r')) {
            return Err(InvalidBody::Control);
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Body> for String {
    fn from(body: Body) -> Self {
        body.0
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// Somebody said something.
    Text(Body),
}

impl EventKind {
    /// The digest of the request that asks for this event: the same client id with another digest
    /// is another message under a stolen name, not a retry.
    pub fn digest(&self) -> RequestDigest {
        let mut hash = Sha256::new();
        match self {
            Self::Text(body) => {
                hash.update(b"text\0");
                hash.update(body.as_str().as_bytes());
            }
        }
        let mut short = [0; 16];
        short.copy_from_slice(&hash.finalize()[..16]);
        RequestDigest(short)
    }
}

/// The first 16 bytes of the SHA-256 of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestDigest(pub [u8; 16]);

/// Who made an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Author {
    /// The buyer of the chat.
    Buyer,
    /// The seller of the chat.
    Seller,
    /// The server. No client can speak in its name.
    System,
}

impl From<Role> for Author {
    fn from(role: Role) -> Self {
        match role {
            Role::Buyer => Self::Buyer,
            Role::Seller => Self::Seller,
        }
    }
}

/// A chat's small state after an event. Each event carries it, so that loading a room is one read
/// of the last row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SmallState {
    /// Messages by the buyer so far.
    pub buyer_messages: u64,
    /// Messages by the seller so far.
    pub seller_messages: u64,
}

impl SmallState {
    /// The state after one more event by `author`.
    #[must_use]
    pub fn after(self, author: Author, kind: &EventKind) -> Self {
        let EventKind::Text(_) = kind;
        match author {
            Author::Buyer => Self { buyer_messages: self.buyer_messages + 1, ..self },
            Author::Seller => Self { seller_messages: self.seller_messages + 1, ..self },
            Author::System => self,
        }
    }

    /// Messages by `role` so far.
    pub fn messages_by(self, role: Role) -> u64 {
        match role {
            Role::Buyer => self.buyer_messages,
            Role::Seller => self.seller_messages,
        }
    }
}

/// One durable, numbered fact of a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its place.
    pub seq: Seq,
    /// When the server took it. For display: order is the number.
    pub at: Timestamp,
    /// Who made it.
    pub author: Author,
    /// The author's name for it.
    pub id: ClientId,
    /// Digest of the request, to tell a retry from a clash.
    pub digest: RequestDigest,
    /// What happened.
    pub kind: EventKind,
    /// The chat's small state after it.
    pub after: SmallState,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_what_people_write() {
        let check = |text: &str, expected: Result<(), InvalidBody>| {
            assert_eq!(Body::parse(text.to_owned()).map(|_| ()), expected, "{text:?}");
        };
        check("hi", Ok(()));
        check(" two\nlines\t", Ok(()));
        check("", Err(InvalidBody::Empty));
        check(" \n\t", Err(InvalidBody::Empty));
        check("\u{3000}", Err(InvalidBody::Empty));
        check("bell\u{7}", Err(InvalidBody::Control));
        check("nul\0", Err(InvalidBody::Control));
        check(&"x".repeat(BODY_CHARS_MAX), Ok(()));
        check(&"x".repeat(BODY_CHARS_MAX + 1), Err(InvalidBody::TooLong));
        check(&"\u{1f6b2}".repeat(BODY_CHARS_MAX), Ok(()));
        check(&"\u{1f6b2}".repeat(BODY_CHARS_MAX + 1), Err(InvalidBody::TooLong));
    }

    #[test]
    fn numbers_that_are_read_leave_room_to_count_on() {
        assert_eq!(Seq::try_from(Seq::MAX.0), Ok(Seq::MAX));
        assert_eq!(Seq::try_from(Seq::MAX.0 + 1), Err(SeqTooLarge));
        assert_eq!(Seq::try_from(u64::MAX), Err(SeqTooLarge));
    }

    #[test]
    fn a_digest_tells_texts_apart() {
        let digest =
            |text: &str| EventKind::Text(Body::parse(text.to_owned()).expect("a body")).digest();
        assert_eq!(digest("a"), digest("a"));
        assert_ne!(digest("a"), digest("b"));
    }

    #[test]
    fn the_small_state_counts_by_author() {
        let kind = EventKind::Text(Body::parse("x".to_owned()).expect("a body"));
        let state = SmallState::default()
            .after(Author::Buyer, &kind)
            .after(Author::Seller, &kind)
            .after(Author::Buyer, &kind)
            .after(Author::System, &kind);
        assert_eq!(state.messages_by(Role::Buyer), 2);
        assert_eq!(state.messages_by(Role::Seller), 1);
    }
}
