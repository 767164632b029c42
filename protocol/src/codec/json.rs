//! JSON frames (RFC 8259).

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::DecodeError;
use crate::frame::{Frame, Message, settle};
use crate::limits::DEPTH_MAX;

pub(crate) fn encode<M: Message>(reference: Option<u32>, message: &M, out: &mut Vec<u8>) {
    out.extend_from_slice(b"[\"");
    // Kinds are plain lower-case words: nothing to escape.
    out.extend_from_slice(message.kind().as_bytes());
    out.extend_from_slice(b"\",");
    match reference {
        Some(reference) => out.extend_from_slice(reference.to_string().as_bytes()),
        None => out.extend_from_slice(b"null"),
    }
    out.push(b',');
    message.write_json(out);
    out.push(b']');
}

pub(crate) fn write_body<T: Serialize>(body: &T, out: &mut Vec<u8>) {
    serde_json::to_writer(out, body).expect("wire types have no value that fails");
}

pub(crate) fn read_body<T: DeserializeOwned>(body: &str) -> Result<T, String> {
    serde_json::from_str(body).map_err(|error| error.to_string())
}

#[derive(Deserialize)]
struct Raw<'a>(
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] &'a RawValue,
    #[serde(borrow)] &'a RawValue,
);

pub(crate) fn decode<M: Message>(bytes: &[u8]) -> Result<Frame<M>, DecodeError> {
    let text =
        std::str::from_utf8(bytes).map_err(|_| DecodeError::Malformed("the text is not UTF-8"))?;
    if depth(text) > DEPTH_MAX {
        return Err(DecodeError::Malformed("nested too deeply"));
    }
    let Raw(kind, reference, body) = serde_json::from_str(text)
        .map_err(|_| DecodeError::Malformed("not the JSON array [kind, ref, body]"))?;
    let reference = serde_json::from_str(reference.get()).map_err(|_| {
        DecodeError::Malformed("the ref is neither null nor an unsigned 32-bit integer")
    })?;
    if !body.get().starts_with('{') {
        return Err(DecodeError::Malformed("the body is not an object"));
    }
    settle(M::read_json(&kind, body.get()), &kind, reference)
}

/// The deepest nesting of brackets outside strings.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut quoted, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}
