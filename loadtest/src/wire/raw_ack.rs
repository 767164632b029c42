//! The floor's protocol: a binary message is 16 bytes of name, the text, and padding up to 200
//! bytes, which stands for the envelope that a real protocol has. It comes out at the other side
//! as it went in; the sender gets `ack!` and the name.

use anyhow::bail;
use barterline_domain::ids::ClientId;

use super::{Ack, Event, Incoming, Send};

/// A frame's payload, at least.
const FRAME_BYTES: usize = 200;
const ACK: &[u8; 4] = b"ack!";

/// Appends the payload.
pub fn write_send(send: &Send<'_>, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(send.id.as_bytes());
    out.extend_from_slice(send.text);
    if out.len() < start + FRAME_BYTES {
        out.resize(start + FRAME_BYTES, b'.');
    }
}

/// Reads a payload; `text_bytes` of it are the text.
pub fn read(payload: &[u8], text_bytes: usize) -> anyhow::Result<Incoming<'_>> {
    if let Some(name) = payload.strip_prefix(ACK)
        && let Ok(name) = <[u8; 16]>::try_from(name)
    {
        return Ok(Incoming::Ack(Ack {
            chat: None,
            id: ClientId::from_bytes(name),
            seq: 0,
            repeat: false,
        }));
    }
    let Some((name, rest)) = payload.split_first_chunk::<16>() else {
        bail!("a frame of {} bytes is neither message nor ack", payload.len());
    };
    let Some(text) = rest.get(..text_bytes) else {
        bail!("a frame of {} bytes is cut short", payload.len());
    };
    Ok(Incoming::Event(Event {
        chat: None,
        seq: 0,
        from: None,
        id: ClientId::from_bytes(*name),
        text: Some(text),
    }))
}

#[cfg(test)]
mod tests {
    use barterline_domain::ids::ChatId;

    use super::*;

    #[test]
    fn a_frame_is_two_hundred_bytes_and_comes_back_as_its_message() {
        let id = ClientId::from_bytes([7; 16]);
        let send = Send {
            reference: 1,
            chat: ChatId::from_bytes([0; 16]),
            id,
            base: 0,
            text: &[b'x'; 120],
        };
        let mut payload = Vec::new();
        write_send(&send, &mut payload);
        assert_eq!(payload.len(), FRAME_BYTES);
        let Ok(Incoming::Event(event)) = read(&payload, 120) else {
            panic!("not a message");
        };
        assert_eq!((event.id, event.text), (id, Some(&[b'x'; 120][..])));
        let ack = [&ACK[..], &[7; 16]].concat();
        assert!(matches!(read(&ack, 120), Ok(Incoming::Ack(ack)) if ack.id == id));
        assert!(read(b"short", 120).is_err());
    }
}
