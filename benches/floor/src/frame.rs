//! The few lines of RFC 6455 that a relay of small frames needs.

/// A client frame that is wholly in the buffer, its payload unmasked in place.
pub struct ClientFrame {
    /// RFC 6455, section 5.2.
    pub opcode: u8,
    /// Where the payload starts.
    pub start: usize,
    /// Where it ends, and the next frame starts.
    pub end: usize,
}

/// The peer does what no client of the floor does.
#[derive(Debug)]
pub struct Violation;

/// Binary message.
pub const BINARY: u8 = 2;
/// The peer leaves.
pub const CLOSE: u8 = 8;

/// Reads and unmasks the frame at `buffer[at..]`; `None` when it is not all there yet.
pub fn read(buffer: &mut [u8], at: usize) -> Result<Option<ClientFrame>, Violation> {
    let rest = &buffer[at..];
    let [first, second, ..] = *rest else {
        return Ok(None);
    };
    let (payload, header) = match second & 0x7f {
        126 => match *rest {
            [_, _, high, low, ..] => (usize::from(u16::from_be_bytes([high, low])), 4),
            _ => return Ok(None),
        },
        127 => return Err(Violation),
        short => (usize::from(short), 2),
    };
    if second & 0x80 == 0 {
        return Err(Violation);
    }
    let start = at + header + 4;
    let end = start + payload;
    if buffer.len() < end {
        return Ok(None);
    }
    let (head, body) = buffer.split_at_mut(start);
    let mask = [head[start - 4], head[start - 3], head[start - 2], head[start - 1]];
    for (index, byte) in body[..payload].iter_mut().enumerate() {
        *byte ^= mask[index & 3];
    }
    Ok(Some(ClientFrame { opcode: first & 0x0f, start, end }))
}

/// Appends the header of an unmasked binary message of `payload` bytes (at most 65,535).
pub fn write_header(out: &mut Vec<u8>, payload: usize) {
    out.push(0x80 | BINARY);
    if payload < 126 {
        out.push(payload as u8);
    } else {
        out.push(126);
        out.extend_from_slice(&(payload as u16).to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_frame_is_read_once_it_is_whole() {
        let mut bytes = vec![0x82, 0x83, 1, 2, 3, 4, b'a' ^ 1, b'b' ^ 2];
        assert!(read(&mut bytes, 0).expect("no violation").is_none());
        bytes.push(b'c' ^ 3);
        let frame = read(&mut bytes, 0).expect("no violation").expect("whole");
        assert_eq!(frame.opcode, BINARY);
        assert_eq!(&bytes[frame.start..frame.end], b"abc");
    }

    #[test]
    fn an_unmasked_or_huge_client_frame_is_refused() {
        assert!(read(&mut [0x82, 0x01, b'x'], 0).is_err());
        assert!(read(&mut [0x82, 0xff, 0, 0], 0).is_err());
    }

    #[test]
    fn headers_grow_with_the_payload() {
        let header = |payload| {
            let mut out = Vec::new();
            write_header(&mut out, payload);
            out
        };
        assert_eq!(header(20), [0x82, 20]);
        assert_eq!(header(200), [0x82, 126, 0, 200]);
    }
}
