//! What an event says: messages, what happens to them later, and what the server notes.

use sha2::{Digest as _, Sha256};

use crate::event::Seq;
use crate::ids::MediaId;
use crate::listing::change::{ListingChange, Moved};
use crate::money::Money;

/// Longest text of a message, in Unicode scalar values.
pub const BODY_CHARS_MAX: usize = 4_000;
/// Longest text of a message, in bytes of UTF-8: four thousand four-byte characters would be
/// 16,000, so the characters bind first for every text; this one bounds memory.
pub const BODY_BYTES_MAX: usize = 16 * 1024;

/// The text of a message: not blank, at most [`BODY_CHARS_MAX`] characters, kept exactly as it was
/// written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body(String);

/// Why a text cannot be a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBody {
    /// Nothing in it but white space.
    #[error("the text is empty")]
    Empty,
    /// More than [`BODY_CHARS_MAX`] characters or [`BODY_BYTES_MAX`] bytes.
    #[error("the text is longer than 4000 characters")]
    TooLong,
    /// A control character that no keyboard types (all but tab, line feed, carriage return).
    #[error("the text holds a control character")]
    Control,
}

impl Body {
    /// Takes a text as a message body.
    pub fn parse(text: String) -> Result<Self, InvalidBody> {
        if text.len() > BODY_BYTES_MAX || text.chars().count() > BODY_CHARS_MAX {
            return Err(InvalidBody::TooLong);
        }
        if text.trim().is_empty() {
            return Err(InvalidBody::Empty);
        }
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t' | '\r')) {
            return Err(InvalidBody::Control);
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Body> for String {
    fn from(body: Body) -> Self {
        body.0
    }
}

/// Longest name of a kind that is not ours, `x-` included, in bytes.
pub const EXTENSION_NAME_BYTES_MAX: usize = 64;
/// Most data that a message of such a kind carries, in bytes.
pub const EXTENSION_DATA_BYTES_MAX: usize = 8 * 1024;

/// The name of a kind that programs agree on among themselves: `x-` and up to 62 of `a`–`z`,
/// `0`–`9`, `.`, `_`, `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtensionName(String);

/// The name is no name of an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not `x-` and up to 62 of a–z, 0–9, `.`, `_`, `-`")]
pub struct InvalidExtensionName;

impl ExtensionName {
    /// Takes a text as a name.
    pub fn parse(name: &str) -> Result<Self, InvalidExtensionName> {
        let sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
        let rest = name.strip_prefix("x-").ok_or(InvalidExtensionName)?;
        if rest.is_empty() || name.len() > EXTENSION_NAME_BYTES_MAX || !rest.chars().all(sound) {
            return Err(InvalidExtensionName);
        }
        Ok(Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a message of an extension carries besides its fallback text; not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtensionData(String);

/// More than [`EXTENSION_DATA_BYTES_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than 8192 bytes of data")]
pub struct DataTooLong;

impl ExtensionData {
    /// Takes a text as data.
    pub fn parse(data: String) -> Result<Self, DataTooLong> {
        if data.len() > EXTENSION_DATA_BYTES_MAX { Err(DataTooLong) } else { Ok(Self(data)) }
    }

    /// The data.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Longest reaction, in bytes: an emoji with every modifier there is.
pub const REACTION_BYTES_MAX: usize = 64;

/// A reaction, most often one emoji. Which ones are offered is the operator's choice.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reaction(String);

/// The text is no reaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a reaction is 1 to 64 bytes without white space")]
pub struct InvalidReaction;

impl Reaction {
    /// Takes a text as a reaction.
    pub fn parse(text: &str) -> Result<Self, InvalidReaction> {
        let odd = |c: char| c.is_whitespace() || c.is_control();
        if text.is_empty() || text.len() > REACTION_BYTES_MAX || text.contains(odd) {
            return Err(InvalidReaction);
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a message holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A text.
    Text(Body),
    /// A picture, sound or film, perhaps with words.
    Media {
        /// Which.
        media: MediaId,
        /// The words.
        caption: Option<Body>,
    },
    /// Something that programs agree on among themselves.
    Extension {
        /// What they call it.
        name: ExtensionName,
        /// What a program shows that does not know it.
        fallback: Body,
        /// The rest.
        data: Option<ExtensionData>,
    },
    /// It was taken back or erased: the name of its kind is left.
    Gone(String),
}

/// Something somebody said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it holds.
    pub content: Content,
    /// The message it answers.
    pub reply: Option<Seq>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// Somebody said something.
    Message(Message),
    /// The author put another text in the place of that of their message.
    Edit {
        /// Which message.
        target: Seq,
        /// The text; `None` once the message is gone.
        body: Option<Body>,
    },
    /// The author took their message back, for both.
    Delete {
        /// Which message.
        target: Seq,
    },
    /// Somebody's only reaction to a message.
    Reaction {
        /// Which message.
        target: Seq,
        /// Which reaction; `None` takes it back.
        reaction: Option<Reaction>,
    },
    /// The server noted something. No client can make one.
    Note(Body),
    /// Price or status of the chat's listing changed. No client can make one.
    Listing(ListingChange),
}

impl EventKind {
    /// A plain text.
    ///
    /// # Panics
    /// If it cannot be a message: for texts that stand in the program.
    pub fn text(text: &str) -> Self {
        Body::parse(text.to_owned()).expect("a text that can be said").into()
    }

    /// The name clients know it by.
    pub fn name(&self) -> &str {
        match self {
            Self::Message(message) => message.content.name(),
            Self::Edit { .. } => "edit",
            Self::Delete { .. } => "delete",
            Self::Reaction { .. } => "reaction",
            Self::Note(_) => "system",
            Self::Listing(_) => "listing",
        }
    }

    /// What it says in words, if it says anything.
    pub fn body(&self) -> Option<&Body> {
        match self {
            Self::Message(message) => match &message.content {
                Content::Text(body) | Content::Extension { fallback: body, .. } => Some(body),
                Content::Media { caption, .. } => caption.as_ref(),
                Content::Gone(_) => None,
            },
            Self::Edit { body, .. } => body.as_ref(),
            Self::Delete { .. } | Self::Reaction { .. } | Self::Listing(_) => None,
            Self::Note(body) => Some(body),
        }
    }

    /// Bytes of the texts in it: what it takes to keep, but for a few fields.
    pub fn text_bytes(&self) -> usize {
        let of = |body: &Option<Body>| body.as_ref().map_or(0, |body| body.as_str().len());
        match self {
            Self::Message(message) => match &message.content {
                Content::Text(body) => body.as_str().len(),
                Content::Media { caption, .. } => of(caption),
                Content::Extension { name, fallback, data } => {
                    let data = data.as_ref().map_or(0, |data| data.as_str().len());
                    name.as_str().len() + fallback.as_str().len() + data
                }
                Content::Gone(name) => name.len(),
            },
            Self::Edit { body, .. } => of(body),
            Self::Delete { .. } | Self::Listing(_) => 0,
            Self::Reaction { reaction, .. } => reaction.as_ref().map_or(0, |r| r.as_str().len()),
            Self::Note(body) => body.as_str().len(),
        }
    }

    /// The message it changes, if it changes one.
    pub fn target(&self) -> Option<Seq> {
        match self {
            Self::Edit { target, .. } | Self::Delete { target } | Self::Reaction { target, .. } => {
                Some(*target)
            }
            Self::Message(_) | Self::Note(_) | Self::Listing(_) => None,
        }
    }

    /// The digest of the request that asks for this event: the same client id with another digest
    /// is another message under a stolen name, not a retry.
    pub fn digest(&self) -> RequestDigest {
        let mut hash = Sha256::new();
        let mut field = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        field(self.name().as_bytes());
        field(&self.target().map_or(0, |seq| seq.0).to_be_bytes());
        match self {
            Self::Message(Message { content, reply }) => {
                field(&reply.map_or(0, |seq| seq.0).to_be_bytes());
                match content {
                    Content::Text(body) => field(body.as_str().as_bytes()),
                    Content::Media { media, caption } => {
                        field(media.as_bytes());
                        field(caption.as_ref().map_or("", Body::as_str).as_bytes());
                    }
                    Content::Extension { fallback, data, .. } => {
                        field(fallback.as_str().as_bytes());
                        field(data.as_ref().map_or("", ExtensionData::as_str).as_bytes());
                    }
                    Content::Gone(_) => {}
                }
            }
            Self::Edit { body, .. } => field(body.as_ref().map_or("", Body::as_str).as_bytes()),
            Self::Delete { .. } => {}
            Self::Reaction { reaction, .. } => {
                field(reaction.as_ref().map_or("", Reaction::as_str).as_bytes());
            }
            Self::Note(body) => field(body.as_str().as_bytes()),
            Self::Listing(change) => {
                field(&change.since().to_be_bytes());
                field(&change.version().to_be_bytes());
                if let Some(Moved { old, new }) = change.price() {
                    for Money { minor, currency } in [old, new] {
                        field(&minor.to_be_bytes());
                        field(currency.code().as_bytes());
                    }
                }
                if let Some(Moved { old, new }) = change.status() {
                    for status in [old, new] {
                        field(status.name().as_bytes());
                    }
                }
            }
        }
        let mut short = [0; 16];
        short.copy_from_slice(&hash.finalize()[..16]);
        RequestDigest(short)
    }
}

impl From<Body> for EventKind {
    fn from(body: Body) -> Self {
        Self::Message(Message { content: Content::Text(body), reply: None })
    }
}

impl Content {
    /// The name clients know it by.
    pub fn name(&self) -> &str {
        match self {
            Self::Text(_) => "text",
            Self::Media { .. } => "media",
            Self::Extension { name, .. } => name.as_str(),
            Self::Gone(name) => name,
        }
    }

    /// Puts another text in the place of its own.
    pub fn replace_text(&mut self, text: Body) {
        match self {
            Self::Text(body) | Self::Extension { fallback: body, .. } => *body = text,
            Self::Media { caption, .. } => *caption = Some(text),
            Self::Gone(_) => {}
        }
    }

    /// Forgets everything but the name of its kind.
    pub fn empty(&mut self) {
        *self = Self::Gone(self.name().to_owned());
    }
}

/// The first 16 bytes of the SHA-256 of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestDigest(pub [u8; 16]);

impl RequestDigest {
    /// Of a request whose words were taken back: a digest of few words would tell which they were.
    pub const FORGOTTEN: Self = Self([0; 16]);

    /// Whether a request of this digest may be the one that was made before, by that one's digest.
    pub fn repeats(self, earlier: Self) -> bool {
        self == earlier || earlier == Self::FORGOTTEN
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::ListingStatus;

    #[test]
    fn bodies_are_what_people_write() {
        let check = |text: &str, expected: Result<(), InvalidBody>| {
            assert_eq!(Body::parse(text.to_owned()).map(|_| ()), expected, "{text:?}");
        };
        check("hi", Ok(()));
        check(" two\nlines\t", Ok(()));
        check("", Err(InvalidBody::Empty));
        check(" \n\t", Err(InvalidBody::Empty));
        check("\u{3000}", Err(InvalidBody::Empty));
        check("bell\u{7}", Err(InvalidBody::Control));
        check("nul\0", Err(InvalidBody::Control));
        check(&"x".repeat(BODY_CHARS_MAX), Ok(()));
        check(&"x".repeat(BODY_CHARS_MAX + 1), Err(InvalidBody::TooLong));
        check(&"\u{1f6b2}".repeat(BODY_CHARS_MAX), Ok(()));
        check(&"\u{1f6b2}".repeat(BODY_CHARS_MAX + 1), Err(InvalidBody::TooLong));
    }

    #[test]
    fn a_digest_tells_requests_apart() {
        let media = MediaId::from_bytes([1; 16]);
        let body = |text: &str| Body::parse(text.to_owned()).expect("a body");
        let name = |text: &str| ExtensionName::parse(text).expect("a name");
        let message = |content| EventKind::Message(Message { content, reply: None });
        let data = ExtensionData::parse("b".to_owned()).ok();
        let listing = |since, version, new| {
            let status = Some(Moved { old: ListingStatus::Active, new });
            let change = ListingChange::parse((since, version), None, status);
            EventKind::Listing(change.expect("a change"))
        };
        let kinds = [
            EventKind::text("a"),
            EventKind::text("b"),
            EventKind::Message(Message { content: Content::Text(body("a")), reply: Some(Seq(1)) }),
            message(Content::Media { media, caption: None }),
            message(Content::Media { media, caption: Some(body("a")) }),
            message(Content::Extension { name: name("x-a"), fallback: body("a"), data: None }),
            message(Content::Extension { name: name("x-b"), fallback: body("a"), data: None }),
            message(Content::Extension { name: name("x-a"), fallback: body("a"), data }),
            EventKind::Edit { target: Seq(1), body: Some(body("a")) },
            EventKind::Edit { target: Seq(2), body: Some(body("a")) },
            EventKind::Delete { target: Seq(1) },
            EventKind::Delete { target: Seq(2) },
            EventKind::Reaction { target: Seq(1), reaction: None },
            EventKind::Reaction { target: Seq(1), reaction: Reaction::parse("+1").ok() },
            EventKind::Note(body("a")),
            listing(0, 2, ListingStatus::Sold),
            listing(1, 2, ListingStatus::Sold),
            listing(0, 3, ListingStatus::Sold),
            listing(0, 2, ListingStatus::Withdrawn),
        ];
        let digests: std::collections::HashSet<_> = kinds.iter().map(EventKind::digest).collect();
        assert_eq!(digests.len(), kinds.len());
    }

    #[test]
    fn names_of_extensions_are_short_and_plain() {
        for (name, sound) in [
            ("x-a", true),
            ("x-acme.com_poll-2", true),
            ("x-", false),
            ("text", false),
            ("X-a", false),
            ("x-A", false),
            ("x-a b", false),
            ("x-\u{e4}", false),
        ] {
            assert_eq!(ExtensionName::parse(name).is_ok(), sound, "{name}");
        }
        assert!(ExtensionName::parse(&format!("x-{}", "a".repeat(62))).is_ok());
        assert!(ExtensionName::parse(&format!("x-{}", "a".repeat(63))).is_err());
    }
}
