//! What the fuzz targets share: good bytes to start from, and scripts that damage them.
//!
//! A target lives in `tests/` and runs for a moment with random input in `cargo test`. For longer,
//! guided by coverage:
//!
//! ```text
//! cargo install cargo-bolero
//! cargo bolero test --package barterline-fuzz msgpack_request --sanitizer NONE -T 10m
//! ```
//!
//! or without any tool, random input only:
//!
//! ```text
//! BOLERO_RANDOM_TEST_TIME_MS=600000 cargo test --package barterline-fuzz msgpack_request
//! ```
//!
//! A failure prints its input; once shrunken it becomes a vector in `protocol/vectors/invalid.json`.
//!
//! To add a decoder: one more function in `tests/`, its seeds here.

use std::fmt::Debug;

use barterline_protocol::frame::Message;
use barterline_protocol::{Encoding, Frame};
use serde_json::Value;

/// Good frames of one direction in one encoding.
pub struct Seeds {
    encoding: Encoding,
    frames: Vec<Vec<u8>>,
}

impl Seeds {
    /// The golden frames that clients send.
    pub fn of_clients(encoding: Encoding) -> Self {
        Self::of(encoding, include_str!("../../protocol/vectors/client.json"))
    }

    /// The golden frames that servers send.
    pub fn of_servers(encoding: Encoding) -> Self {
        Self::of(encoding, include_str!("../../protocol/vectors/server.json"))
    }

    fn of(encoding: Encoding, vectors: &str) -> Self {
        let vectors: Vec<Value> = serde_json::from_str(vectors).unwrap_or_default();
        let bytes_of = |vector: &Value| match encoding {
            Encoding::Json => vector["json"].to_string().into_bytes(),
            Encoding::MsgPack => unhex(vector["msgpack"].as_str().unwrap_or_default()),
        };
        let frames: Vec<_> = vectors.iter().map(bytes_of).collect();
        assert!(!frames.is_empty(), "the golden frames are seeds");
        Self { encoding, frames }
    }

    /// Feeds `input` to the decoder twice: as it is, and as a script that damages a seed. What
    /// decodes must come back from its own encoding.
    pub fn feed<M: Message + PartialEq + Debug>(&self, input: &[u8]) {
        self.check::<M>(input);
        self.check::<M>(&self.damaged(input));
    }

    fn check<M: Message + PartialEq + Debug>(&self, bytes: &[u8]) {
        let Ok(frame) = self.encoding.decode::<M>(bytes) else {
            return;
        };
        for encoding in Encoding::ALL {
            let mut out = Vec::new();
            encoding.encode(frame.reference, &frame.message, &mut out);
            let again: Result<Frame<M>, _> = encoding.decode(&out);
            assert_eq!(again.as_ref(), Ok(&frame), "{encoding:?} brings back what it was given");
        }
    }

    /// A seed after the steps of a script: its first byte chooses the seed, each three more are
    /// one step (what, where, with which byte).
    fn damaged(&self, script: &[u8]) -> Vec<u8> {
        let Some((which, steps)) = script.split_first() else {
            return Vec::new();
        };
        let mut bytes = self.frames[usize::from(*which) % self.frames.len()].clone();
        // Few steps: a frame that is damaged all over is refused at its first byte.
        for step in steps.chunks_exact(3).take(8) {
            let at = usize::from(step[1]) * bytes.len() / 256;
            match step[0] % 5 {
                0 if at < bytes.len() => bytes[at] = step[2],
                1 => bytes.insert(at, step[2]),
                2 => bytes.truncate(at),
                3 if at < bytes.len() => bytes[at] ^= 1 << (step[2] % 8),
                _ => {
                    let end = (at + usize::from(step[2])).min(bytes.len());
                    bytes.extend_from_within(at..end);
                }
            }
        }
        bytes
    }
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or_default() as u8;
    text.as_bytes().chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}
