//! Where a page ends, so that the next one begins there: on any server, at any time.

use std::fmt;
use std::str::FromStr;

use barterline_domain::ids::ListingId;
use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest as _, Sha256};

use crate::query::QueryError;

/// The layout of the bytes.
const VERSION: u8 = 1;
/// Kinds of fields that words are in: titles, categories and attributes and places, descriptions.
pub(crate) const GROUPS: usize = 3;
/// Most terms that the words of a text become.
pub(crate) const TERMS_MAX: usize = 32;

/// Where a page ends. Its text is opaque; it is no secret and no proof of anything: whoever makes one
/// up gets a page of the same search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Of which search.
    pub(crate) digest: [u8; 8],
    /// The last hit.
    pub(crate) last: Rank,
    /// By what the first page was scored; of a search by relevance alone.
    pub(crate) statistics: Option<Statistics>,
}

/// Where a hit stands: the greater the earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    /// By the order that was asked for.
    pub key: u64,
    /// Among equals.
    pub listing: ListingId,
}

/// How frequent words were when the first page was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statistics {
    /// Listings, 1 at least.
    pub documents: u32,
    /// Words of a field on average, in thousandths, 1 at least.
    pub lengths: [u32; GROUPS],
    /// Listings with each word of the query, at most all.
    pub frequencies: Vec<u32>,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![VERSION];
        bytes.extend(self.digest);
        bytes.extend(self.last.key.to_be_bytes());
        bytes.extend(self.last.listing.as_bytes());
        if let Some(Statistics { documents, lengths, frequencies }) = &self.statistics {
            let numbers = [*documents].into_iter().chain(*lengths).chain(frequencies.clone());
            bytes.extend(numbers.flat_map(u32::to_be_bytes));
        }
        bytes.extend(checksum(&bytes));
        f.write_str(&BASE64URL_NOPAD.encode(&bytes))
    }
}

impl FromStr for Cursor {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        read(text).ok_or(QueryError::Cursor)
    }
}

fn read(text: &str) -> Option<Cursor> {
    const NUMBERS_MAX: usize = 1 + GROUPS + TERMS_MAX;
    const BYTES_MAX: usize = 1 + 8 + 8 + 16 + 4 * NUMBERS_MAX + 4;
    if text.len() > BYTES_MAX.div_ceil(3) * 4 {
        return None;
    }
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
    let (bytes, sum) = bytes.split_last_chunk::<4>()?;
    if *sum != checksum(bytes) {
        return None;
    }
    let (version, rest) = bytes.split_first()?;
    let (digest, rest) = rest.split_first_chunk::<8>()?;
    let (key, rest) = rest.split_first_chunk::<8>()?;
    let (listing, rest) = rest.split_first_chunk::<16>()?;
    let last = Rank { key: u64::from_be_bytes(*key), listing: ListingId::from_bytes(*listing) };
    let statistics = if rest.is_empty() { None } else { Some(Statistics::read(rest)?) };
    (*version == VERSION).then_some(Cursor { digest: *digest, last, statistics })
}

impl Statistics {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (numbers, beyond) = bytes.as_chunks::<4>();
        let mut numbers = numbers.iter().map(|number| u32::from_be_bytes(*number));
        let documents = numbers.next()?;
        let lengths = [numbers.next()?, numbers.next()?, numbers.next()?];
        let frequencies: Vec<_> = numbers.collect();
        let is_sound = beyond.is_empty()
            && documents > 0
            && !lengths.contains(&0)
            && frequencies.len() <= TERMS_MAX
            && frequencies.iter().all(|frequency| *frequency <= documents);
        is_sound.then_some(Self { documents, lengths, frequencies })
    }
}

/// Tells a slip of the hand from a cursor.
fn checksum(bytes: &[u8]) -> [u8; 4] {
    let mut digest = Digest::new();
    digest.bytes(bytes);
    let [a, b, c, d, ..] = digest.end();
    [a, b, c, d]
}

/// A sum over parts, each of which says how long it is.
pub(crate) struct Digest(Sha256);

impl Digest {
    pub fn new() -> Self {
        Self(Sha256::new_with_prefix(b"barterline search v1"))
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.part(bytes.len() as u64);
        self.0.update(bytes);
    }

    pub fn part(&mut self, part: u64) {
        self.0.update(part.to_be_bytes());
    }

    pub fn maybe(&mut self, part: Option<u64>) {
        self.part(u64::from(part.is_some()));
        self.part(part.unwrap_or_default());
    }

    pub fn end(self) -> [u8; 8] {
        let mut digest = [0; 8];
        digest.copy_from_slice(&self.0.finalize()[..8]);
        digest
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cursor(statistics: Option<Statistics>) -> Cursor {
        let last = Rank { key: 7, listing: ListingId::from_bytes([9; 16]) };
        Cursor { digest: [3; 8], last, statistics }
    }

    #[test]
    fn cursors_read_what_they_print() {
        let frequencies = vec![10; TERMS_MAX];
        let long = Statistics { documents: 10, lengths: [1, 2, 3], frequencies };
        for cursor in [cursor(None), cursor(Some(long))] {
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
    }

    #[test]
    fn what_cannot_be_is_refused_although_the_sum_is_right() {
        let more_than_all = Statistics { documents: 1, lengths: [1; 3], frequencies: vec![2] };
        let of_nothing = Statistics { documents: 0, lengths: [1; 3], frequencies: vec![] };
        let without_words = Statistics { documents: 1, lengths: [0; 3], frequencies: vec![] };
        for wrong in [more_than_all, of_nothing, without_words] {
            let text = cursor(Some(wrong)).to_string();
            assert_eq!(text.parse::<Cursor>(), Err(QueryError::Cursor));
        }
    }

    proptest! {
        #[test]
        fn other_texts_are_none(text in any::<String>(), at in 0_usize..49, bit in 0_u8..6) {
            prop_assert!(text.parse::<Cursor>().is_err());
            let mut bent = cursor(None).to_string().into_bytes();
            bent[at] = if bent[at] == b'A' + bit { b'z' } else { b'A' + bit };
            let bent = String::from_utf8(bent).expect("ASCII");
            prop_assert!(bent.parse::<Cursor>().is_err());
        }
    }
}
