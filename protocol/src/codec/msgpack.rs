//! `MessagePack` frames.

use rmp::Marker;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::DecodeError;
use crate::frame::{Frame, Message, settle};
use crate::limits::DEPTH_MAX;

pub(crate) fn encode<M: Message>(reference: Option<u32>, message: &M, out: &mut Vec<u8>) {
    // Writing to a Vec cannot fail.
    let _ = rmp::encode::write_array_len(out, 3);
    let _ = rmp::encode::write_str(out, message.kind());
    match reference {
        Some(reference) => {
            let _ = rmp::encode::write_uint(out, u64::from(reference));
        }
        None => {
            let _ = rmp::encode::write_nil(out);
        }
    }
    message.write_msgpack(out);
}

pub(crate) fn write_body<T: Serialize>(body: &T, out: &mut Vec<u8>) {
    rmp_serde::encode::write_named(out, body).expect("wire types have no value that fails");
}

pub(crate) fn read_body<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    rmp_serde::from_slice(body).map_err(|error| error.to_string())
}

pub(crate) fn decode<M: Message>(bytes: &[u8]) -> Result<Frame<M>, DecodeError> {
    let mut walk = Walk { rest: bytes };
    if walk.array_len()? != 3 {
        return Err(DecodeError::Malformed("a frame is an array of three"));
    }
    let kind = walk.str()?;
    let reference = walk.reference()?;
    let body = walk.map()?;
    if !walk.rest.is_empty() {
        return Err(DecodeError::Malformed("bytes after the frame"));
    }
    settle(M::read_msgpack(kind, body), kind, reference)
}

/// Walks over one encoded value without building it. Every declared length is held against what is
/// left of the frame, and no recursion follows the input.
struct Walk<'a> {
    rest: &'a [u8],
}

const TRUNCATED: DecodeError = DecodeError::Malformed("the frame ends early");

impl<'a> Walk<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or(TRUNCATED)?;
        self.rest = rest;
        Ok(taken)
    }

    fn marker(&mut self) -> Result<Marker, DecodeError> {
        Ok(Marker::from_u8(self.take(1)?[0]))
    }

    /// A big-endian length of `bytes` bytes.
    fn len(&mut self, bytes: usize) -> Result<usize, DecodeError> {
        Ok(self.take(bytes)?.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
    }

    fn array_len(&mut self) -> Result<usize, DecodeError> {
        match self.marker()? {
            Marker::FixArray(n) => Ok(usize::from(n)),
            Marker::Array16 => self.len(2),
            Marker::Array32 => self.len(4),
            _ => Err(DecodeError::Malformed("a frame is an array of three")),
        }
    }

    fn str(&mut self) -> Result<&'a str, DecodeError> {
        let n = match self.marker()? {
            Marker::FixStr(n) => usize::from(n),
            Marker::Str8 => self.len(1)?,
            Marker::Str16 => self.len(2)?,
            Marker::Str32 => self.len(4)?,
            _ => return Err(DecodeError::Malformed("the kind is not a string")),
        };
        utf8(self.take(n)?)
    }

    fn reference(&mut self) -> Result<Option<u32>, DecodeError> {
        const WRONG: DecodeError =
            DecodeError::Malformed("the ref is neither nil nor an unsigned 32-bit integer");
        let n = match self.marker()? {
            Marker::Null => return Ok(None),
            Marker::FixPos(n) => usize::from(n),
            Marker::U8 => self.len(1)?,
            Marker::U16 => self.len(2)?,
            Marker::U32 => self.len(4)?,
            Marker::U64 => self.len(8)?,
            _ => return Err(WRONG),
        };
        u32::try_from(n).map(Some).map_err(|_| WRONG)
    }

    /// The bytes of one map.
    fn map(&mut self) -> Result<&'a [u8], DecodeError> {
        let start = self.rest;
        match start.first().map(|byte| Marker::from_u8(*byte)) {
            Some(Marker::FixMap(_) | Marker::Map16 | Marker::Map32) => self.skip()?,
            Some(_) => return Err(DecodeError::Malformed("the body is not a map")),
            None => return Err(TRUNCATED),
        }
        Ok(&start[..start.len() - self.rest.len()])
    }

    /// Passes over one value. `open[d]` counts the values still due at depth `d`.
    fn skip(&mut self) -> Result<(), DecodeError> {
        // The frame's own array is the first level.
        let mut open = [0_usize; DEPTH_MAX - 1];
        let mut depth = 0;
        let mut due = 1_usize;
        loop {
            while due == 0 {
                if depth == 0 {
                    return Ok(());
                }
                depth -= 1;
                due = open[depth];
            }
            due -= 1;
            let values = self.scalar_or_count()?;
            if values > 0 {
                // Each value takes a byte at least: a count beyond the frame is a lie.
                if values > self.rest.len() {
                    return Err(TRUNCATED);
                }
                let level = open.get_mut(depth);
                *level.ok_or(DecodeError::Malformed("nested too deeply"))? = due;
                depth += 1;
                due = values;
            }
        }
    }

    /// Passes over a scalar, or the head of an array or map; gives the number of values inside.
    fn scalar_or_count(&mut self) -> Result<usize, DecodeError> {
        let marker = self.marker()?;
        let fixed = match marker {
            Marker::FixPos(_) | Marker::FixNeg(_) | Marker::Null | Marker::True | Marker::False => {
                0
            }
            Marker::U8 | Marker::I8 => 1,
            Marker::U16 | Marker::I16 | Marker::FixExt1 => 2,
            Marker::FixExt2 => 3,
            Marker::U32 | Marker::I32 | Marker::F32 => 4,
            Marker::FixExt4 => 5,
            Marker::U64 | Marker::I64 | Marker::F64 => 8,
            Marker::FixExt8 => 9,
            Marker::FixExt16 => 17,
            Marker::Bin8 => self.len(1)?,
            Marker::Bin16 => self.len(2)?,
            Marker::Bin32 => self.len(4)?,
            Marker::Ext8 => self.len(1)? + 1,
            Marker::Ext16 => self.len(2)? + 1,
            Marker::Ext32 => self.len(4)? + 1,
            Marker::FixStr(n) => return self.text(usize::from(n)),
            Marker::Str8 => return self.len(1).and_then(|n| self.text(n)),
            Marker::Str16 => return self.len(2).and_then(|n| self.text(n)),
            Marker::Str32 => return self.len(4).and_then(|n| self.text(n)),
            Marker::FixArray(n) => return Ok(usize::from(n)),
            Marker::Array16 => return self.len(2),
            Marker::Array32 => return self.len(4),
            Marker::FixMap(n) => return Ok(usize::from(n) * 2),
            Marker::Map16 => return Ok(self.len(2)? * 2),
            Marker::Map32 => return Ok(self.len(4)? * 2),
            Marker::Reserved => return Err(DecodeError::Malformed("the reserved byte 0xc1")),
        };
        self.take(fixed)?;
        Ok(0)
    }

    fn text(&mut self, n: usize) -> Result<usize, DecodeError> {
        utf8(self.take(n)?)?;
        Ok(0)
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, DecodeError> {
    std::str::from_utf8(bytes).map_err(|_| DecodeError::Malformed("a string is not UTF-8"))
}
