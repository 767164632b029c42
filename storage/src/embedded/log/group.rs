//! Headers: of a segment, of a group, and the high-water mark.

use crate::record::bytes::{Get, Put};

/// Bytes of a segment's header; its first group follows.
pub const SEGMENT_HEADER_BYTES: u64 = 64;
/// Bytes of a group's header; its records follow.
pub const GROUP_HEADER_BYTES: usize = 32;
/// Largest group: what one sync covers at most, 64 of the largest records.
pub const GROUP_BYTES_MAX: usize = 4 << 20;
/// The layout written now. A newer one is refused.
pub const FORMAT_VERSION: u32 = 1;

const SEGMENT_MAGIC: &[u8; 16] = b"barterline log\r\n";
const GROUP_MAGIC: u32 = 0x4c42_4731;

/// What stands at the start of each segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Position of the segment's first byte.
    pub start: u64,
    /// Bytes of the segment.
    pub bytes: u64,
    /// Epoch of the store.
    pub epoch: u32,
}

/// Why a segment cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadSegment {
    /// Written by a newer version of the format.
    Newer(u32),
    /// Not a segment, or damaged.
    Damaged,
}

impl SegmentHeader {
    /// The header's bytes.
    pub fn to_bytes(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(SEGMENT_HEADER_BYTES as usize);
        out.extend_from_slice(SEGMENT_MAGIC);
        out.put_u32(FORMAT_VERSION);
        out.put_u32(self.epoch);
        out.put_u64(self.start);
        out.put_u64(self.bytes);
        out.resize(SEGMENT_HEADER_BYTES as usize - 4, 0);
        let crc = crc32c::crc32c(&out);
        out.put_u32(crc);
        out
    }

    /// Reads the header's bytes.
    pub fn read(bytes: &[u8]) -> Result<Self, BadSegment> {
        let header = bytes.get(..SEGMENT_HEADER_BYTES as usize).ok_or(BadSegment::Damaged)?;
        let (body, crc) = header.split_at(header.len() - 4);
        let magic_and_rest = body.strip_prefix(SEGMENT_MAGIC).ok_or(BadSegment::Damaged)?;
        let mut get = Get(magic_and_rest);
        let version = get.u32().map_err(|_| BadSegment::Damaged)?;
        if version > FORMAT_VERSION {
            return Err(BadSegment::Newer(version));
        }
        if Get(crc).u32() != Ok(crc32c::crc32c(body)) {
            return Err(BadSegment::Damaged);
        }
        let parts = (get.u32(), get.u64(), get.u64());
        let (Ok(epoch), Ok(start), Ok(bytes)) = parts else {
            return Err(BadSegment::Damaged);
        };
        Ok(Self { start, bytes, epoch })
    }
}

/// What ties a group to the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Link {
    /// Running number of the group, from 1.
    pub number: u64,
    /// The group's checksum.
    pub crc: u32,
}

/// Completes `bytes`, whose first [`GROUP_HEADER_BYTES`] are free, as the group after `previous`.
pub fn seal(bytes: &mut [u8], previous: Link) -> Link {
    let payload = (bytes.len() - GROUP_HEADER_BYTES) as u32;
    let number = previous.number + 1;
    let mut header = Vec::with_capacity(GROUP_HEADER_BYTES);
    header.put_u32(GROUP_MAGIC);
    header.put_u32(payload);
    header.put_u64(number);
    header.put_u32(previous.crc);
    header.put_u64(0);
    bytes[..GROUP_HEADER_BYTES - 4].copy_from_slice(&header);
    let crc = checksum(bytes);
    bytes[GROUP_HEADER_BYTES - 4..GROUP_HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
    Link { number, crc }
}

fn checksum(group: &[u8]) -> u32 {
    let crc = crc32c::crc32c(&group[..GROUP_HEADER_BYTES - 4]);
    crc32c::crc32c_append(crc, &group[GROUP_HEADER_BYTES..])
}

/// A group found in a segment.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// Its own number and checksum.
    pub link: Link,
    /// Its predecessor's checksum.
    pub previous_crc: u32,
    /// Its records.
    pub payload: &'a [u8],
}

/// Finds the sound group that starts `bytes`; `None` when there is none.
pub fn find(bytes: &[u8]) -> Option<Found<'_>> {
    let mut get = Get(bytes.get(..GROUP_HEADER_BYTES)?);
    if get.u32().ok()? != GROUP_MAGIC {
        return None;
    }
    let payload = get.u32().ok()? as usize;
    let number = get.u64().ok()?;
    let previous_crc = get.u32().ok()?;
    let _reserved = get.u64().ok()?;
    let crc = get.u32().ok()?;
    let group = bytes.get(..GROUP_HEADER_BYTES.checked_add(payload)?)?;
    (checksum(group) == crc).then_some(Found {
        link: Link { number, crc },
        previous_crc,
        payload: &group[GROUP_HEADER_BYTES..],
    })
}

/// Finds the first sound group at or behind `from` whose number is at least `number`.
pub fn find_later(bytes: &[u8], from: usize, number: u64) -> Option<usize> {
    let magic = GROUP_MAGIC.to_le_bytes();
    let mut at = from;
    while let Some(step) = bytes.get(at..)?.windows(4).position(|window| window == magic) {
        at += step;
        if find(&bytes[at..]).is_some_and(|group| group.link.number >= number) {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// The log is durable at least up to `position`, the end of group `number`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HighWater {
    /// End of the last group then.
    pub position: u64,
    /// Its number.
    pub number: u64,
}

impl HighWater {
    /// The mark's bytes.
    pub fn to_bytes(self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_u64(self.position);
        out.put_u64(self.number);
        let crc = crc32c::crc32c(&out);
        out.put_u32(crc);
        out
    }

    /// Reads a mark; a torn or missing one says nothing.
    pub fn read(bytes: &[u8]) -> Self {
        let mut get = Get(bytes);
        let parts = (get.u64(), get.u64(), get.u32());
        match parts {
            (Ok(position), Ok(number), Ok(crc)) if crc == crc32c::crc32c(&bytes[..16]) => {
                Self { position, number }
            }
            _ => Self::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(payload: &[u8], previous: Link) -> (Vec<u8>, Link) {
        let mut bytes = vec![0; GROUP_HEADER_BYTES];
        bytes.extend_from_slice(payload);
        let link = seal(&mut bytes, previous);
        (bytes, link)
    }

    #[test]
    fn a_group_is_found_whole_or_not_at_all() {
        let (bytes, link) = group(b"records", Link { number: 4, crc: 7 });
        let found = find(&bytes).expect("a sound group");
        assert_eq!((found.link, found.previous_crc), (link, 7));
        assert_eq!(found.payload, b"records");
        for i in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[i] ^= 1;
            assert!(find(&damaged).is_none(), "byte {i}");
            assert!(find(&bytes[..i]).is_none(), "cut at {i}");
        }
    }

    #[test]
    fn a_later_group_is_found_behind_damage() {
        let (first, link) = group(b"first", Link::default());
        let (second, _) = group(b"second", link);
        let mut bytes = first.clone();
        bytes[GROUP_HEADER_BYTES] ^= 1;
        bytes.extend_from_slice(&second);
        assert_eq!(find_later(&bytes, 1, 1), Some(first.len()));
        assert_eq!(find_later(&bytes, 1, 3), None);
    }

    #[test]
    fn headers_read_what_they_write() {
        let header = SegmentHeader { start: 1 << 33, bytes: 99, epoch: 3 };
        let bytes = header.to_bytes();
        assert_eq!(SegmentHeader::read(&bytes), Ok(header));
        let mut newer = bytes.clone();
        newer[16] = 9;
        assert_eq!(SegmentHeader::read(&newer), Err(BadSegment::Newer(9)));
        let mut damaged = bytes;
        damaged[30] ^= 1;
        assert_eq!(SegmentHeader::read(&damaged), Err(BadSegment::Damaged));
        let mark = HighWater { position: 5, number: 6 };
        assert_eq!(HighWater::read(&mark.to_bytes()), mark);
        assert_eq!(HighWater::read(b"torn"), HighWater::default());
    }
}
