//! Names of what is kept of a file, made of its id and of what is in it.
//!
//! What arrives may be written over at any time, by whoever may bring it. What is served never is: its name
//! says what is in it, so that two servers at work on one file cannot mix up what they made.

use barterline_domain::ids::MediaId;
use barterline_domain::media::Size;
use data_encoding::HEXLOWER;

/// All there is of a file.
pub fn all(media: MediaId) -> String {
    // The last byte is random, and the first ones are the time.
    let [.., last] = media.as_bytes();
    format!("{last:02x}/{media}")
}

/// What was brought of it.
pub fn arriving(media: MediaId) -> String {
    format!("{}/in", all(media))
}

/// The whole of it, brought at once.
pub fn raw(media: MediaId) -> String {
    format!("{}/raw", arriving(media))
}

/// A part of it, from this byte on.
pub fn part(media: MediaId, offset: u64) -> String {
    format!("{}/part-{offset:020}", arriving(media))
}

/// What is served of it: of a picture one of its sizes, of all else the whole.
pub fn served(media: MediaId, digest: &[u8; 32], size: Option<Size>) -> String {
    format!("{}/{}-{}", all(media), HEXLOWER.encode(digest), size.map_or("file", Size::name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_which_file_and_what_is_in_it() {
        let media = MediaId::from_bytes([0xab; 16]);
        assert_eq!(all(media), "ab/abababab-abab-abab-abab-abababababab");
        assert!(part(media, 5).ends_with("/in/part-00000000000000000005"));
        assert!(raw(media).starts_with(&arriving(media)));
        let full = served(media, &[1; 32], Some(Size::Full));
        assert_eq!(full, format!("{}/{}-full", all(media), "01".repeat(32)));
    }
}
