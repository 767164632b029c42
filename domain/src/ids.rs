//! Sixteen-byte identifiers, one type for each kind of thing.
//!
//! Encoded explicitly: 16 raw bytes in binary formats, a lower-case hyphenated UUID (RFC 9562) in
//! readable ones. No other spelling is read, so that an id has one text and texts can be compared.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The id with these bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The id's bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse(text).map(Self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                read(deserializer).map(Self)
            }
        }
    };
}

/// The text is not a UUID in lower case with hyphens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a UUID in lower case with hyphens")]
pub struct InvalidId;

fn parse(text: &str) -> Result<Uuid, InvalidId> {
    let id = Uuid::try_parse(text).map_err(|_| InvalidId)?;
    let canonical = *id.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == *text;
    if canonical { Ok(id) } else { Err(InvalidId) }
}

fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
    struct Text;

    impl Visitor<'_> for Text {
        type Value = Uuid;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a UUID in lower case with hyphens")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Uuid, E> {
            parse(text).map_err(E::custom)
        }
    }

    if deserializer.is_human_readable() {
        deserializer.deserialize_str(Text)
    } else {
        Uuid::deserialize(deserializer)
    }
}

id! {
    /// A person or program with an account.
    UserId
}
id! {
    /// A listing.
    ListingId
}
id! {
    /// A search that somebody keeps.
    SavedSearchId
}
id! {
    /// A conversation of one buyer about one listing. Knowing it gives nothing.
    ChatId
}
id! {
    /// One installation of a client program; made by the client, kept for as long as it lives.
    DeviceId
}
id! {
    /// One log-in of one account, with the family of its refresh tokens.
    SessionId
}
id! {
    /// The client's name for one message, made when the text was composed. With the chat and the
    /// sender it makes every retry the same message (G2).
    ClientId
}

id! {
    /// A report to staff.
    ReportId
}
id! {
    /// A picture, sound or film that was uploaded.
    MediaId
}
id! {
    /// A key of a program or device.
    ApiKeyId
}
id! {
    /// An identity at an outer provider, by which somebody signs in.
    IdentityId
}

impl ChatId {
    /// The chat of `buyer` about `listing`: always the same id, so that opening twice is opening
    /// once on every node, without asking anybody.
    pub fn of(listing: ListingId, buyer: UserId) -> Self {
        Self(sum(b"barterline chat v1", listing.as_bytes(), buyer.as_bytes()))
    }
}

impl ReportId {
    /// The report that `reporter` named `name`: a retry is the same report, and nobody else's name
    /// is in its way.
    pub fn of(reporter: UserId, name: ClientId) -> Self {
        Self(sum(b"barterline report v1", reporter.as_bytes(), name.as_bytes()))
    }
}

impl ClientId {
    /// A name for what the server takes back in somebody's place: of which message. Of several names, as
    /// the author may have used one for something else, the zeroth is the usual.
    pub fn of_erasure(chat: ChatId, target: u64, name: u64) -> Self {
        let mut what = [0; 16];
        what[..8].copy_from_slice(&target.to_be_bytes());
        what[8..].copy_from_slice(&name.to_be_bytes());
        Self(sum(b"barterline erasure v1", chat.as_bytes(), &what))
    }

    /// A name for what the server tells a chat of its listing: up to which version.
    pub fn of_listing_change(chat: ChatId, version: u64) -> Self {
        let mut what = [0; 16];
        what[..8].copy_from_slice(&version.to_be_bytes());
        Self(sum(b"barterline listing change v1", chat.as_bytes(), &what))
    }
}

/// The id that follows from two others.
fn sum(what: &[u8], one: &[u8; 16], other: &[u8; 16]) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(what);
    hash.update(one);
    hash.update(other);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    // Version 8: "custom" (RFC 9562, section 5.8).
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chat_of_a_buyer_and_a_listing_is_always_the_same() {
        let listing = ListingId::from_bytes([1; 16]);
        let buyer = UserId::from_bytes([2; 16]);
        assert_eq!(ChatId::of(listing, buyer), ChatId::of(listing, buyer));
        assert_ne!(ChatId::of(listing, buyer), ChatId::of(listing, UserId::from_bytes([3; 16])));
        assert_eq!(
            ChatId::of(listing, buyer).to_string(),
            "d689fd87-4eb5-81a6-9796-e549d7e5c702",
            "stored chats are found by this sum: it can never change"
        );
    }

    #[test]
    fn ids_read_what_they_print() {
        let id = UserId::from_bytes([0xab; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("nonsense".parse::<UserId>(), Err(InvalidId));
    }

    #[test]
    fn an_id_has_one_spelling() {
        let id = UserId::from_bytes([0xab; 16]);
        for other in [
            id.to_string().to_uppercase(),
            id.to_string().replace('-', ""),
            format!("{{{id}}}"),
            format!("urn:uuid:{id}"),
            format!(" {id}"),
        ] {
            assert_eq!(other.parse::<UserId>(), Err(InvalidId), "{other}");
        }
    }
}
