//! Things that are kept in another system, and referred to by what they are called there.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::ids::ListingId;
use crate::text::is_unseen;

/// Longest name of a source.
pub const SOURCE_BYTES_MAX: usize = 32;
/// Longest name of a thing there, in bytes.
pub const EXTERNAL_ID_BYTES_MAX: usize = 200;
/// Longest address of a thing there.
pub const URL_BYTES_MAX: usize = 2_000;

/// Where a listing is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct External {
    /// In which system.
    pub source: SourceName,
    /// What it is called there.
    pub id: ExternalId,
    /// Which of its states there this is: what has a lower one is older.
    pub revision: u64,
    /// Its page there.
    pub url: Option<ExternalUrl>,
}

/// Why a name is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidExternal {
    /// Of a system.
    #[error(
        "a source is called by a small letter and small letters, digits and single `_`, 32 in all at most"
    )]
    Source,
    /// Of a thing there.
    #[error("an external id is 1 to 200 bytes of text without controls, or what is not seen")]
    Id,
    /// Of its page.
    #[error("a page is an address by http or https, without a user, of 2000 bytes at most")]
    Url,
}

/// What the operator calls another system.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SourceName(String);

impl SourceName {
    /// Takes a name.
    pub fn parse(text: &str) -> Result<Self, InvalidExternal> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let is_sound = (1..=SOURCE_BYTES_MAX).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(plain)
            && !text.contains("__")
            && !text.ends_with('_');
        if is_sound { Ok(Self(text.to_owned())) } else { Err(InvalidExternal::Source) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SourceName {
    type Error = InvalidExternal;

    fn try_from(text: String) -> Result<Self, InvalidExternal> {
        Self::parse(&text)
    }
}

impl From<SourceName> for String {
    fn from(name: SourceName) -> Self {
        name.0
    }
}

/// What a thing is called in the system that keeps it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ExternalId(String);

impl ExternalId {
    /// Takes a name.
    pub fn parse(text: &str) -> Result<Self, InvalidExternal> {
        let is_sound = (1..=EXTERNAL_ID_BYTES_MAX).contains(&text.len())
            && !text.chars().any(|c| c.is_control() || is_unseen(c));
        if is_sound { Ok(Self(text.to_owned())) } else { Err(InvalidExternal::Id) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ExternalId {
    type Error = InvalidExternal;

    fn try_from(text: String) -> Result<Self, InvalidExternal> {
        Self::parse(&text)
    }
}

impl From<ExternalId> for String {
    fn from(id: ExternalId) -> Self {
        id.0
    }
}

/// The address of a thing's page there: people are sent to it, and nothing in it could be taken for another host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ExternalUrl(String);

impl ExternalUrl {
    /// Takes an address as browsers write it: `https://host:port/path`, in ASCII.
    pub fn parse(text: &str) -> Result<Self, InvalidExternal> {
        let behind = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let host = behind.and_then(|behind| behind.split(['/', '?', '#']).next());
        // Neither a user nor what some take for the end of the host.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
        let has_host =
            |host: &str| !host.is_empty() && !host.starts_with(':') && host.chars().all(is_plain);
        let is_sound = text.len() <= URL_BYTES_MAX
            && text.chars().all(|c| c.is_ascii_graphic())
            && host.is_some_and(has_host);
        if is_sound { Ok(Self(text.to_owned())) } else { Err(InvalidExternal::Url) }
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ExternalUrl {
    type Error = InvalidExternal;

    fn try_from(text: String) -> Result<Self, InvalidExternal> {
        Self::parse(&text)
    }
}

impl From<ExternalUrl> for String {
    fn from(url: ExternalUrl) -> Self {
        url.0
    }
}

/// The listing that stands for a thing of another system: it follows from what that is called, so that nobody has
/// to remember it. 109 bits of a SHA-256 behind zeros: the ids of other listings begin with their time, in milliseconds
/// (RFC 9562, section 5.7), and these with one in the first week of 1970, so that a cluster keeps a seller's together: all of them in one partition of its
/// index, of 40 B each. That bounds what one seller can have: of five million it has 200 MB.
pub fn listing_of(source: &SourceName, id: &ExternalId) -> ListingId {
    let mut hash = Sha256::new();
    hash.update(b"barterline external listing\0");
    hash.update(source.as_str().as_bytes());
    hash.update([0]);
    hash.update(id.as_str().as_bytes());
    let mut bytes: [u8; 16] = std::array::from_fn({
        let digest = hash.finalize();
        move |at| digest[at]
    });
    (bytes[0], bytes[1]) = (0, 0);
    bytes[2] &= 0x1f;
    ListingId::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str) -> SourceName {
        SourceName::parse(name).expect("a source")
    }

    fn id(name: &str) -> ExternalId {
        ExternalId::parse(name).expect("an id")
    }

    #[test]
    fn a_thing_elsewhere_has_one_listing_here() {
        let listing = listing_of(&source("shop"), &id("17"));
        assert_eq!(listing, listing_of(&source("shop"), &id("17")));
        assert_ne!(listing, listing_of(&source("shop"), &id("18")));
        assert_ne!(listing, listing_of(&source("shop2"), &id("17")));
        assert_ne!(listing_of(&source("a"), &id("bc")), listing_of(&source("ab"), &id("c")));
        let week = 7 * 24 * 3_600_000;
        for n in 0..100 {
            let listing = listing_of(&source("shop"), &id(&n.to_string()));
            let time =
                listing.as_bytes()[..6].iter().fold(0, |time, byte| time << 8 | u64::from(*byte));
            assert!(time < week, "{listing}");
        }
    }

    #[test]
    fn names_of_things_elsewhere_are_bounded() {
        for wrong in ["", "Shop", "1shop", "shop__a", "shop_", &"x".repeat(33)] {
            assert_eq!(SourceName::parse(wrong), Err(InvalidExternal::Source), "{wrong}");
        }
        for wrong in ["", "a\nb", "a\u{202e}b", &"x".repeat(201)] {
            assert_eq!(ExternalId::parse(wrong), Err(InvalidExternal::Id), "{wrong}");
        }
        assert!(ExternalId::parse("gid://shop/Product/17").is_ok());
    }

    #[test]
    fn a_page_is_of_the_web_and_of_the_host_that_it_names() {
        for wrong in [
            "",
            "shop.example",
            "/things/17",
            "javascript:alert(1)",
            "ftp://shop.example/",
            "HTTPS://shop.example/",
            "https:shop.example",
            "https://",
            "https:///things",
            "https://:80/",
            "https://shop.example@evil.example/",
            "https://a:b@evil.example",
            "https://shop.example\\@evil.example/",
            "https://shop.example/\n",
            "https://shop.example/a b",
            "https://shop.example/ä",
            &format!("https://shop.example/{}", "x".repeat(2_000)),
        ] {
            assert_eq!(ExternalUrl::parse(wrong), Err(InvalidExternal::Url), "{wrong}");
        }
        for page in ["https://shop.example", "http://[::1]:80/@a?b=c@d#e", "https://shop.example?a"]
        {
            let stored = serde_json::to_string(&ExternalUrl::parse(page).expect("a page"));
            let stored = stored.expect("JSON");
            assert_eq!(stored, format!("{page:?}"), "it is a text");
            let read = serde_json::from_str::<ExternalUrl>(&stored).expect("a page");
            assert_eq!(read.as_str(), page);
        }
        assert!(serde_json::from_str::<ExternalUrl>("\"javascript:alert(1)\"").is_err());
    }
}
