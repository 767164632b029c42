//! Frames as they leave: encoded, with the WebSocket header in front (RFC 6455, section 5.2), ready
//! for the socket. Server frames are not masked, so one encoding serves every receiver.

use barterline_protocol::close_code::CloseCode;
use barterline_protocol::push::Bye;
use barterline_protocol::{Encoding, Frame, Outgoing};

const FINAL_TEXT: u8 = 0x81;
const FINAL_BINARY: u8 = 0x82;
const FINAL_CLOSE: u8 = 0x88;
/// Header of payloads below 64 KiB.
const HEADER_BYTES: usize = 4;

/// Appends one message to `out`.
pub fn put(out: &mut Vec<u8>, encoding: Encoding, reference: Option<u32>, message: &Outgoing) {
    let opcode = match encoding {
        Encoding::MsgPack => FINAL_BINARY,
        Encoding::Json => FINAL_TEXT,
    };
    put_framed(out, opcode, |out| encoding.encode(reference, message, out));
}

/// Appends `bye` and the close frame to `out`.
pub fn put_close(
    out: &mut Vec<u8>,
    encoding: Encoding,
    code: CloseCode,
    retry_after_ms: Option<u64>,
) {
    let reason = code.name().to_owned();
    let bye = Bye { code: code.code(), reason, retry_after_ms };
    put(out, encoding, None, &Outgoing::Bye(bye));
    put_framed(out, FINAL_CLOSE, |out| {
        out.extend_from_slice(&code.code().to_be_bytes());
        out.extend_from_slice(code.name().as_bytes());
    });
}

/// Appends to `out`, for a receiver of `encoding`, the message whose `MessagePack` form, header
/// included, is `message`.
pub fn put_encoded(out: &mut Vec<u8>, encoding: Encoding, message: &[u8]) {
    match encoding {
        Encoding::MsgPack => out.extend_from_slice(message),
        Encoding::Json => {
            let frame = Encoding::MsgPack.decode(payload(message));
            if let Ok(Frame { reference, message }) = frame {
                put(out, encoding, reference, &message);
            }
        }
    }
}

fn put_framed(out: &mut Vec<u8>, opcode: u8, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[opcode, 0, 0, 0]);
    write(out);
    let body = start + HEADER_BYTES;
    let len = out.len() - body;
    if len < 126 {
        out[start + 1] = len as u8;
        out.copy_within(body.., start + 2);
        out.truncate(start + 2 + len);
    } else if let Ok(len) = u16::try_from(len) {
        out[start + 1] = 126;
        out[start + 2..body].copy_from_slice(&len.to_be_bytes());
    } else {
        out[start + 1] = 127;
        out[start + 2..body].fill(0);
        let low = (len as u64).to_be_bytes();
        // Six more bytes of length: the first two of the eight stand already.
        out.splice(body..body, low[2..].iter().copied());
    }
}

/// The payload of a server frame.
fn payload(message: &[u8]) -> &[u8] {
    let header = match message.get(1) {
        Some(127) => 10,
        Some(126) => 4,
        _ => 2,
    };
    message.get(header..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(len: usize) -> Vec<u8> {
        let mut out = b"before".to_vec();
        put_framed(&mut out, FINAL_BINARY, |out| out.extend(std::iter::repeat_n(7, len)));
        assert_eq!(&out[..6], b"before");
        out.split_off(6)
    }

    #[test]
    fn headers_follow_the_rfc_for_every_length() {
        for (len, header) in [
            (0, vec![0x82, 0]),
            (125, vec![0x82, 125]),
            (126, vec![0x82, 126, 0, 126]),
            (65_535, vec![0x82, 126, 0xff, 0xff]),
            (65_536, vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let message = framed(len);
            assert_eq!(&message[..header.len()], header.as_slice(), "{len}");
            assert_eq!(payload(&message).len(), len);
            assert!(payload(&message).iter().all(|byte| *byte == 7));
        }
    }

    #[test]
    fn a_json_receiver_gets_the_same_message() {
        let message = Outgoing::Bye(Bye { code: 4000, reason: "x".into(), retry_after_ms: None });
        let (mut binary, mut text, mut direct) = (Vec::new(), Vec::new(), Vec::new());
        put(&mut binary, Encoding::MsgPack, None, &message);
        put_encoded(&mut text, Encoding::Json, &binary);
        put(&mut direct, Encoding::Json, None, &message);
        assert_eq!(text, direct);
    }
}
