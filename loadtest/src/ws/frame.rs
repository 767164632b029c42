//! Frames (RFC 6455, section 5).

use std::ops::Range;

/// Continuation of a fragmented message.
pub const CONTINUATION: u8 = 0;
/// Text message.
pub const TEXT: u8 = 1;
/// Binary message.
pub const BINARY: u8 = 2;
/// The peer closes; a code and a reason may follow.
pub const CLOSE: u8 = 8;
/// Asks for a pong.
pub const PING: u8 = 9;
/// Answers a ping.
pub const PONG: u8 = 10;

/// The payload of a close frame that says so: code 1000 (section 7.4.1).
pub const NORMAL_CLOSURE: [u8; 2] = 1_000_u16.to_be_bytes();

/// Largest payload that is read. The largest answer of the protocol, a page of 100 events of 16 KiB
/// each, stays far below.
pub const PAYLOAD_BYTES_MAX: usize = 16 << 20;

/// One whole frame in a buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The last fragment of its message.
    pub last: bool,
    /// What the payload is.
    pub opcode: u8,
    /// The key, when the payload is masked.
    pub mask: Option<[u8; 4]>,
    /// Where the payload lies in the buffer. The next frame starts at its end.
    pub payload: Range<usize>,
}

/// The bytes break RFC 6455.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Reserved bits without an extension.
    #[error("reserved bits are set")]
    Reserved,
    /// More than [`PAYLOAD_BYTES_MAX`].
    #[error("the payload is larger than any answer can be")]
    TooLarge,
}

/// Reads the frame at the start of `bytes`; `None` when it is not all there yet.
pub fn read(bytes: &[u8]) -> Result<Option<Frame>, Violation> {
    let [first, second, ..] = *bytes else {
        return Ok(None);
    };
    if first & 0x70 != 0 {
        return Err(Violation::Reserved);
    }
    let (len, mut start) = match second & 0x7f {
        126 => match bytes.get(2..4) {
            Some(len) => (usize::from(len[0]) << 8 | usize::from(len[1]), 4),
            None => return Ok(None),
        },
        127 => match bytes.get(2..10) {
            Some(len) => {
                let len = len.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
                let len = usize::try_from(len).map_err(|_| Violation::TooLarge)?;
                (len, 10)
            }
            None => return Ok(None),
        },
        short => (usize::from(short), 2),
    };
    if len > PAYLOAD_BYTES_MAX {
        return Err(Violation::TooLarge);
    }
    let mask = if second & 0x80 == 0 {
        None
    } else {
        let Some(key) = bytes.get(start..start + 4) else {
            return Ok(None);
        };
        start += 4;
        Some([key[0], key[1], key[2], key[3]])
    };
    let end = start + len;
    Ok((bytes.len() >= end).then_some(Frame {
        last: first & 0x80 != 0,
        opcode: first & 0x0f,
        mask,
        payload: start..end,
    }))
}

/// Appends an unfragmented frame; a client masks (section 5.3), a server does not.
pub fn write(out: &mut Vec<u8>, opcode: u8, payload: &[u8], mask: Option<[u8; 4]>) {
    out.push(0x80 | opcode);
    let masked = if mask.is_some() { 0x80 } else { 0 };
    let len = payload.len();
    if len < 126 {
        out.push(masked | len as u8);
    } else if let Ok(len) = u16::try_from(len) {
        out.push(masked | 0x7e);
        out.extend_from_slice(&len.to_be_bytes());
    } else {
        out.push(masked | 0x7f);
        out.extend_from_slice(&(len as u64).to_be_bytes());
    }
    if let Some(key) = mask {
        out.extend_from_slice(&key);
        let start = out.len();
        out.extend_from_slice(payload);
        apply_mask(&mut out[start..], key);
    } else {
        out.extend_from_slice(payload);
    }
}

/// Masks or unmasks `payload`, eight bytes at a time.
pub fn apply_mask(payload: &mut [u8], key: [u8; 4]) {
    let [a, b, c, d] = key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

    #[test]
    fn the_examples_of_the_rfc_are_read_and_written() {
        // Section 5.7: "Hello", unmasked and masked.
        let plain = [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
        let masked = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        let mut out = Vec::new();
        write(&mut out, TEXT, b"Hello", None);
        assert_eq!(out, plain);
        out.clear();
        write(&mut out, TEXT, b"Hello", Some(KEY));
        assert_eq!(out, masked);
        let frame = read(&masked).expect("sound").expect("whole");
        assert_eq!((frame.last, frame.opcode), (true, TEXT));
        assert_eq!(frame.mask, Some(KEY));
        assert_eq!(frame.payload, 6..11);
    }

    #[test]
    fn every_length_comes_back_and_no_prefix_is_mistaken_for_a_frame() {
        for len in [0, 1, 7, 8, 9, 125, 126, 127, 200, 65_535, 65_536] {
            let payload: Vec<u8> = (0..len).map(|n| n as u8).collect();
            for mask in [None, Some(KEY)] {
                let mut bytes = Vec::new();
                write(&mut bytes, BINARY, &payload, mask);
                for cut in [1, 2, 3, 9, bytes.len() - 1] {
                    if cut < bytes.len() {
                        assert_eq!(read(&bytes[..cut]), Ok(None), "{len} bytes, cut at {cut}");
                    }
                }
                let frame = read(&bytes).expect("sound").expect("whole");
                let read = &mut bytes[frame.payload];
                if let Some(key) = frame.mask {
                    apply_mask(read, key);
                }
                assert_eq!(read, payload);
            }
        }
    }

    #[test]
    fn what_breaks_the_rfc_is_refused() {
        assert_eq!(read(&[0xc2, 0]), Err(Violation::Reserved));
        let huge = [0x82, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(read(&huge), Err(Violation::TooLarge));
    }
}
