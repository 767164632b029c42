//! The user cursor: how far a client has heard of its inbox. Opaque to clients.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest cursor a server may issue, in bytes; lets clients reserve a column.
pub const CURSOR_BYTES_MAX: usize = 64;

/// Bytes that a client stores and gives back unread. In JSON: base64url without padding
/// (RFC 4648, section 5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(Vec<u8>);

/// The bytes are no cursor of this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this server")]
pub struct InvalidCursor;

impl Cursor {
    /// The cursor of `position` in the store's `epoch`: version, epoch, position, big-endian.
    pub fn new(epoch: u32, position: u64) -> Self {
        let mut bytes = vec![1];
        bytes.extend_from_slice(&epoch.to_be_bytes());
        bytes.extend_from_slice(&position.to_be_bytes());
        Self(bytes)
    }

    /// Epoch and position of a cursor that [`Cursor::new`] made.
    pub fn parts(&self) -> Result<(u32, u64), InvalidCursor> {
        let (version, rest) = self.0.split_first().ok_or(InvalidCursor)?;
        let rest: [u8; 12] = rest.try_into().map_err(|_| InvalidCursor)?;
        if *version != 1 {
            return Err(InvalidCursor);
        }
        let (epoch, position) = rest.split_at(4);
        let epoch = u32::from_be_bytes(epoch.try_into().map_err(|_| InvalidCursor)?);
        let position = u64::from_be_bytes(position.try_into().map_err(|_| InvalidCursor)?);
        Ok((epoch, position))
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&URL_SAFE_NO_PAD.encode(&self.0))
        } else {
            serializer.serialize_bytes(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_str(FromText)
        } else {
            deserializer.deserialize_bytes(FromBytes)
        }
    }
}

// Two visitors, so that neither encoding reads the form of the other.
struct FromBytes;
struct FromText;

impl Visitor<'_> for FromBytes {
    type Value = Cursor;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a cursor of at most {CURSOR_BYTES_MAX} bytes")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Cursor, E> {
        if bytes.len() > CURSOR_BYTES_MAX {
            return Err(E::invalid_length(bytes.len(), &self));
        }
        Ok(Cursor(bytes.to_vec()))
    }
}

impl Visitor<'_> for FromText {
    type Value = Cursor;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a cursor of at most {CURSOR_BYTES_MAX} bytes in base64url")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Cursor, E> {
        // Four characters for three bytes: the length is known before memory is taken.
        if text.len() > CURSOR_BYTES_MAX.div_ceil(3) * 4 {
            return Err(E::invalid_length(text.len(), &self));
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(E::custom)?;
        FromBytes.visit_bytes(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_gives_back_what_it_was_made_of() {
        assert_eq!(Cursor::new(7, 1 << 40).parts(), Ok((7, 1 << 40)));
        assert_eq!(Cursor(vec![]).parts(), Err(InvalidCursor));
        assert_eq!(Cursor(vec![2; 13]).parts(), Err(InvalidCursor));
    }
}
