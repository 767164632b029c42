//! The client's side of the wire: WebSocket messages (RFC 6455, section 5.2) and frames in them.

use barterline_protocol::{Encoding, Frame, Outgoing, Request};

/// One request as a WebSocket message. The mask is zero, which section 5.3 allows: it leaves the
/// bytes as they are.
pub fn encode(encoding: Encoding, reference: u32, request: &Request) -> Vec<u8> {
    let mut payload = Vec::new();
    encoding.encode(Some(reference), request, &mut payload);
    let opcode = match encoding {
        Encoding::MsgPack => 0x82,
        Encoding::Json => 0x81,
    };
    let mut message = vec![opcode];
    match payload.len() {
        len @ 0..126 => message.push(0x80 | len as u8),
        len => {
            message.push(0xfe);
            let len = u16::try_from(len).expect("a request below the frame limit");
            message.extend_from_slice(&len.to_be_bytes());
        }
    }
    message.extend_from_slice(&[0; 4]);
    message.extend_from_slice(&payload);
    message
}

/// What a client makes of the bytes that came.
pub enum Heard {
    Frame(Box<Frame<Outgoing>>),
    Close,
    /// Not what a server sends.
    Torn(String),
}

/// Takes the first whole message out of `bytes`.
pub fn decode(encoding: Encoding, bytes: &mut Vec<u8>) -> Option<Heard> {
    let (len, header) = match *bytes.get(1)? {
        127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize, 10),
        126 => (usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
        len @ 0..126 => (usize::from(len), 2),
        len => return Some(Heard::Torn(format!("a length of {len:#x}"))),
    };
    let expected = match encoding {
        Encoding::MsgPack => 0x82,
        Encoding::Json => 0x81,
    };
    let opcode = bytes[0];
    if opcode != expected && !matches!(opcode, 0x88..=0x8a) {
        return Some(Heard::Torn(format!("an opcode of {opcode:#x}")));
    }
    if bytes.len() < header + len {
        return None;
    }
    let heard = match opcode {
        0x88 => Heard::Close,
        // The model sends no pings of RFC 6455.
        0x89 | 0x8a => Heard::Torn("a WebSocket ping or pong".to_owned()),
        _ => match encoding.decode(&bytes[header..header + len]) {
            Ok(frame) => Heard::Frame(Box::new(frame)),
            Err(error) => Heard::Torn(error.to_string()),
        },
    };
    bytes.drain(..header + len);
    Some(heard)
}
