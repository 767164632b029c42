//! Protocol v1 in `MessagePack`. The three frames of the hot path (`send`, `ack`, `event`) are
//! written and read by hand, without taking memory; whatever does not look exactly like them goes
//! through the protocol crate, which is the judge.

use anyhow::Context as _;
use barterline_domain::event::Author;
use barterline_domain::ids::{ChatId, ClientId};
use barterline_protocol::{Encoding, Outgoing, Request};

use super::{Ack, Event, Incoming, Send};

/// Appends the payload of a request.
pub fn write_request(reference: Option<u32>, request: &Request, out: &mut Vec<u8>) {
    Encoding::MsgPack.encode(reference, request, out);
}

/// Appends the payload of a `send`, byte for byte as the protocol crate would.
pub fn write_send(send: &Send<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\x93\xa4send");
    write_uint(out, u64::from(send.reference));
    out.extend_from_slice(b"\x85\xa4chat\xc4\x10");
    out.extend_from_slice(send.chat.as_bytes());
    out.extend_from_slice(b"\xa2id\xc4\x10");
    out.extend_from_slice(send.id.as_bytes());
    out.extend_from_slice(b"\xa4base");
    write_uint(out, send.base);
    out.extend_from_slice(b"\xa4kind\xa4text\xa4text");
    let len = send.text.len();
    match len {
        0..32 => out.push(0xa0 | len as u8),
        32..256 => out.extend_from_slice(&[0xd9, len as u8]),
        _ => {
            out.push(0xda);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
    }
    out.extend_from_slice(send.text);
}

fn write_uint(out: &mut Vec<u8>, value: u64) {
    match value {
        0..0x80 => out.push(value as u8),
        0x80..0x100 => out.extend_from_slice(&[0xcc, value as u8]),
        0x100..0x1_0000 => {
            out.push(0xcd);
            out.extend_from_slice(&(value as u16).to_be_bytes());
        }
        0x1_0000..0x1_0000_0000 => {
            out.push(0xce);
            out.extend_from_slice(&(value as u32).to_be_bytes());
        }
        _ => {
            out.push(0xcf);
            out.extend_from_slice(&value.to_be_bytes());
        }
    }
}

/// Reads a payload.
pub fn read(payload: &[u8]) -> anyhow::Result<Incoming<'_>> {
    if let Some(incoming) = read_lean(payload) {
        return Ok(incoming);
    }
    let frame =
        Encoding::MsgPack.decode::<Outgoing>(payload).context("reading a frame of the server")?;
    Ok(Incoming::Other(Box::new(frame)))
}

/// An `ack` or an `event` with exactly the fields of version 1, in any order.
fn read_lean(payload: &[u8]) -> Option<Incoming<'_>> {
    let mut lean = Lean { rest: payload };
    lean.literal(0x93)?;
    let kind = lean.str()?;
    lean.reference()?;
    let incoming = match kind {
        b"ack" => Incoming::Ack(lean.ack()?),
        b"event" => Incoming::Event(lean.event()?),
        _ => return None,
    };
    lean.rest.is_empty().then_some(incoming)
}

struct Lean<'a> {
    rest: &'a [u8],
}

impl<'a> Lean<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(n)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*taken)
    }

    fn literal(&mut self, byte: u8) -> Option<()> {
        (self.byte()? == byte).then_some(())
    }

    fn str(&mut self) -> Option<&'a [u8]> {
        let len = match self.byte()? {
            short @ 0xa0..=0xbf => usize::from(short & 0x1f),
            0xd9 => usize::from(self.byte()?),
            0xda => usize::from(u16::from_be_bytes(self.array()?)),
            _ => return None,
        };
        self.take(len)
    }

    fn uint(&mut self) -> Option<u64> {
        Some(match self.byte()? {
            small @ 0..0x80 => u64::from(small),
            0xcc => u64::from(self.byte()?),
            0xcd => u64::from(u16::from_be_bytes(self.array()?)),
            0xce => u64::from(u32::from_be_bytes(self.array()?)),
            0xcf => u64::from_be_bytes(self.array()?),
            _ => return None,
        })
    }

    fn id(&mut self) -> Option<[u8; 16]> {
        self.literal(0xc4)?;
        self.literal(16)?;
        self.array()
    }

    fn reference(&mut self) -> Option<()> {
        if self.rest.first() == Some(&0xc0) {
            self.rest = &self.rest[1..];
            return Some(());
        }
        self.uint().map(|_| ())
    }

    fn fields(&mut self) -> Option<u8> {
        match self.byte()? {
            map @ 0x80..=0x8f => Some(map & 0x0f),
            _ => None,
        }
    }

    fn ack(&mut self) -> Option<Ack> {
        let (mut chat, mut id, mut seq, mut repeat) = (None, None, None, false);
        for _ in 0..self.fields()? {
            match self.str()? {
                b"chat" => chat = Some(ChatId::from_bytes(self.id()?)),
                b"id" => id = Some(ClientId::from_bytes(self.id()?)),
                b"seq" => seq = Some(self.uint()?),
                b"at" => {
                    self.uint()?;
                }
                b"repeat" => repeat = self.bool()?,
                _ => return None,
            }
        }
        Some(Ack { chat: Some(chat?), id: id?, seq: seq?, repeat })
    }

    fn event(&mut self) -> Option<Event<'a>> {
        let (mut chat, mut seq, mut from, mut id, mut text) = (None, None, None, None, None);
        for _ in 0..self.fields()? {
            match self.str()? {
                b"chat" => chat = Some(ChatId::from_bytes(self.id()?)),
                b"seq" => seq = Some(self.uint()?),
                b"at" => {
                    self.uint()?;
                }
                b"from" => {
                    from = Some(match self.str()? {
                        b"buyer" => Author::Buyer,
                        b"seller" => Author::Seller,
                        _ => return None,
                    });
                }
                b"id" => id = Some(ClientId::from_bytes(self.id()?)),
                b"kind" => {
                    if self.str()? != b"text" {
                        return None;
                    }
                }
                b"text" => text = Some(self.str()?),
                _ => return None,
            }
        }
        Some(Event { chat: Some(chat?), seq: seq?, from: Some(from?), id: id?, text: Some(text?) })
    }

    fn bool(&mut self) -> Option<bool> {
        match self.byte()? {
            0xc2 => Some(false),
            0xc3 => Some(true),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use barterline_domain::clock::Timestamp;
    use barterline_domain::event::Seq;
    use barterline_protocol::{push, request, response};

    use super::*;

    const CHAT: ChatId = ChatId::from_bytes([1; 16]);
    const ID: ClientId = ClientId::from_bytes([2; 16]);

    fn encoded(reference: Option<u32>, message: &Outgoing) -> Vec<u8> {
        let mut bytes = Vec::new();
        Encoding::MsgPack.encode(reference, message, &mut bytes);
        bytes
    }

    #[test]
    fn a_send_is_written_as_the_protocol_crate_writes_it() {
        for (reference, base, len) in [
            (0, 0, 1),
            (127, 127, 31),
            (128, 255, 32),
            (300, 300, 255),
            (70_000, 70_000, 256),
            (u32::MAX, 1 << 40, 4_000),
        ] {
            let text = "x".repeat(len);
            let mut by_hand = Vec::new();
            write_send(
                &Send { reference, chat: CHAT, id: ID, base, text: text.as_bytes() },
                &mut by_hand,
            );
            let mut by_crate = Vec::new();
            let send = request::Send::text(CHAT, ID, Seq(base), text);
            write_request(Some(reference), &Request::Send(send), &mut by_crate);
            assert_eq!(by_hand, by_crate, "reference {reference}, {len} bytes");
        }
    }

    #[test]
    fn acks_are_read_lean() {
        for (reference, seq, repeat) in
            [(None, 1, false), (Some(9), 200, true), (Some(0), 1 << 33, false)]
        {
            let ack = response::Ack {
                chat: CHAT,
                id: ID,
                seq: Seq(seq),
                at: Timestamp::from_millis(1_763_700_000_000),
                repeat,
            };
            let bytes = encoded(reference, &Outgoing::Ack(ack));
            let expected = Ack { chat: Some(CHAT), id: ID, seq, repeat };
            assert!(matches!(read_lean(&bytes), Some(Incoming::Ack(ack)) if ack == expected));
            for cut in 0..bytes.len() {
                assert!(read_lean(&bytes[..cut]).is_none());
            }
        }
    }

    fn event(kind: &str, text: Option<String>) -> Outgoing {
        let at = Timestamp::from_millis(1_763_700_000_000);
        let kind = kind.to_owned().into();
        let event = push::Event::new(CHAT, Seq(77), at, Author::Seller, ID, kind);
        Outgoing::Event(push::Event { text, ..event })
    }

    #[test]
    fn events_are_read_lean_and_unknown_kinds_by_the_crate() {
        for len in [1, 31, 32, 300] {
            let text = "y".repeat(len);
            let bytes = encoded(None, &event("text", Some(text.clone())));
            let Some(Incoming::Event(read)) = read_lean(&bytes) else {
                panic!("not read lean");
            };
            assert_eq!(read.text, Some(text.as_bytes()));
            assert_eq!((read.seq, read.from), (77, Some(Author::Seller)));
        }
        let bytes = encoded(None, &event("wave", None));
        assert!(read_lean(&bytes).is_none());
        assert!(matches!(
            read(&bytes),
            Ok(Incoming::Other(other)) if matches!(other.message, Outgoing::Event(_))
        ));
        assert!(read(b"\x93\xa3ack").is_err());
    }
}
