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
    let kind = walk.str("the kind is not a string")?;
    let reference = walk.reference()?;
    let body = walk.body()?;
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

    /// A big-endian number of `bytes` bytes, at most eight.
    fn number(&mut self, bytes: usize) -> Result<u64, DecodeError> {
        let taken = self.take(bytes)?;
        Ok(taken.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    /// A big-endian length of `bytes` bytes, at most four.
    fn len(&mut self, bytes: usize) -> Result<usize, DecodeError> {
        // What does not fit into memory is longer than the frame, too.
        usize::try_from(self.number(bytes)?).map_err(|_| TRUNCATED)
    }

    fn array_len(&mut self) -> Result<usize, DecodeError> {
        match self.marker()? {
            Marker::FixArray(n) => Ok(usize::from(n)),
            Marker::Array16 => self.len(2),
            Marker::Array32 => self.len(4),
            _ => Err(DecodeError::Malformed("a frame is an array of three")),
        }
    }

    fn str(&mut self, otherwise: &'static str) -> Result<&'a str, DecodeError> {
        let n = match self.marker()? {
            Marker::FixStr(n) => usize::from(n),
            Marker::Str8 => self.len(1)?,
            Marker::Str16 => self.len(2)?,
            Marker::Str32 => self.len(4)?,
            _ => return Err(DecodeError::Malformed(otherwise)),
        };
        utf8(self.take(n)?)
    }

    fn reference(&mut self) -> Result<Option<u32>, DecodeError> {
        const WRONG: DecodeError =
            DecodeError::Malformed("the ref is neither nil nor an unsigned 32-bit integer");
        let n = match self.marker()? {
            Marker::Null => return Ok(None),
            Marker::FixPos(n) => u64::from(n),
            Marker::U8 => self.number(1)?,
            Marker::U16 => self.number(2)?,
            Marker::U32 => self.number(4)?,
            Marker::U64 => self.number(8)?,
            Marker::I8 => self.number(1).and_then(|n| positive(n, 7).ok_or(WRONG))?,
            Marker::I16 => self.number(2).and_then(|n| positive(n, 15).ok_or(WRONG))?,
            Marker::I32 => self.number(4).and_then(|n| positive(n, 31).ok_or(WRONG))?,
            Marker::I64 => self.number(8).and_then(|n| positive(n, 63).ok_or(WRONG))?,
            _ => return Err(WRONG),
        };
        u32::try_from(n).map(Some).map_err(|_| WRONG)
    }

    /// The bytes of the body: one map whose keys are strings. (Serde would read the number 0 as a
    /// name of the first field.)
    fn body(&mut self) -> Result<&'a [u8], DecodeError> {
        let start = self.rest;
        let fields = match self.marker()? {
            Marker::FixMap(n) => usize::from(n),
            Marker::Map16 => self.len(2)?,
            Marker::Map32 => self.len(4)?,
            _ => return Err(DecodeError::Malformed("the body is not a map")),
        };
        for _ in 0..fields {
            self.str("a key is not a string")?;
            self.skip()?;
        }
        Ok(&start[..start.len() - self.rest.len()])
    }

    /// Passes over one value of the body. `open[d]` counts the values still due at depth `d`.
    fn skip(&mut self) -> Result<(), DecodeError> {
        // The frame's own array is the first level, its body the second.
        let mut open = [0_usize; DEPTH_MAX - 2];
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
            if let Some(values) = self.scalar_or_count()? {
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

    /// Passes over a scalar, or over the head of an array or map: then gives the number of values
    /// inside.
    fn scalar_or_count(&mut self) -> Result<Option<usize>, DecodeError> {
        let fixed = match self.marker()? {
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
            Marker::Ext8 => self.len(1)?.saturating_add(1),
            Marker::Ext16 => self.len(2)?.saturating_add(1),
            Marker::Ext32 => self.len(4)?.saturating_add(1),
            Marker::FixStr(n) => return self.text(usize::from(n)),
            Marker::Str8 => return self.len(1).and_then(|n| self.text(n)),
            Marker::Str16 => return self.len(2).and_then(|n| self.text(n)),
            Marker::Str32 => return self.len(4).and_then(|n| self.text(n)),
            Marker::FixArray(n) => return Ok(Some(usize::from(n))),
            Marker::Array16 => return self.len(2).map(Some),
            Marker::Array32 => return self.len(4).map(Some),
            Marker::FixMap(n) => return Ok(Some(usize::from(n) * 2)),
            Marker::Map16 => return self.len(2).map(|n| Some(n.saturating_mul(2))),
            Marker::Map32 => return self.len(4).map(|n| Some(n.saturating_mul(2))),
            Marker::Reserved => return Err(DecodeError::Malformed("the reserved byte 0xc1")),
        };
        self.take(fixed)?;
        Ok(None)
    }

    fn text(&mut self, n: usize) -> Result<Option<usize>, DecodeError> {
        utf8(self.take(n)?)?;
        Ok(None)
    }
}

/// A signed number of so many bits besides its sign, if it is not negative.
fn positive(n: u64, bits: u32) -> Option<u64> {
    (n >> bits == 0).then_some(n)
}

fn utf8(bytes: &[u8]) -> Result<&str, DecodeError> {
    std::str::from_utf8(bytes).map_err(|_| DecodeError::Malformed("a string is not UTF-8"))
}
