//! Files that people upload: what is known of one, and what may become of it.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::event::Seq;
use crate::ids::{ChatId, ClientId, ListingId, MediaId, UserId};
use crate::text::is_unseen;

/// How long a file is kept that nothing shows: uploads that were never finished, or never sent.
pub const ORPHAN_LIFETIME: Duration = Duration::from_hours(24);

/// What is known of a file. Its bytes are elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// Which. Ids are ordered by time.
    pub id: MediaId,
    /// Who uploads it.
    pub owner: UserId,
    /// What it is for.
    pub purpose: Purpose,
    /// What they call it.
    pub name: FileName,
    /// How many bytes were announced.
    pub declared: u64,
    /// When it was asked for.
    pub created: Timestamp,
    /// Grows with each change, from 1.
    pub version: u64,
    /// How far it has come.
    pub state: State,
    /// What shows it, if anything does.
    pub shown: Option<Shown>,
}

/// What a file is for, once and for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A message in a chat.
    Chat(ChatId),
    /// A photo of something that its owner sells.
    Listing,
    /// The picture of its owner.
    Avatar,
}

/// How far a file has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Bytes are to come.
    Waiting,
    /// All bytes are there; they are being looked at.
    Received,
    /// It can be sent and fetched.
    Ready(Content),
    /// It cannot be used; its bytes are gone.
    Refused(Refusal),
    /// It is gone for everybody; what is left of its bytes is being removed.
    Ending,
}

/// What a file turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Its type, by what is in it: `image/jpeg`.
    pub media_type: String,
    /// Bytes of what is served whole.
    pub bytes: u64,
    /// SHA-256 of what is served whole.
    pub digest: [u8; 32],
    /// What there is of a picture, the largest first; empty for everything else. The first is served whole.
    pub pictures: Vec<Picture>,
}

/// A picture as it is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picture {
    /// Which of its sizes.
    pub size: Size,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Bytes.
    pub bytes: u64,
}

/// Sizes of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Size {
    /// As large as it is kept.
    Full,
    /// To fill a screen: 1,280 pixels at the longer side.
    Medium,
    /// For lists: 320 pixels at the longer side.
    Thumb,
}

/// Why a file cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing that is taken, by what is in it.
    Unsupported,
    /// It begins as what it says and is not whole, or not sound.
    Damaged,
    /// More bytes than one of its kind may have.
    TooLarge,
    /// More pixels than are decoded.
    TooManyPixels,
    /// The scanner found something.
    Infected,
}

/// What shows a file: one thing, once and for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// What.
    pub by: Holder,
    /// When it was last about to.
    pub at: Timestamp,
}

/// What shows a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// A message.
    Message {
        /// The sender's name for it.
        id: ClientId,
        /// The newest event when it was about to be sent: the message stands above.
        above: Seq,
    },
    /// A listing.
    Listing(ListingId),
    /// What others see of its owner.
    Profile,
}

/// Longest name of a file, in bytes.
pub const FILE_NAME_BYTES_MAX: usize = 128;

/// What somebody calls a file: one line, no path, nothing that controls or hides text. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName(String);

impl FileName {
    /// Makes a name of any text: what stands behind the last separator, less what cannot be in one, cut
    /// to [`FILE_NAME_BYTES_MAX`] with its ending kept. `file`: nothing was left.
    pub fn of(text: &str) -> Self {
        let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
        let kept = |c: &char| !c.is_control() && !is_unseen(*c) && !r#"<>:"|?*;"#.contains(*c);
        let clean: String = last.chars().filter(kept).collect();
        let clean = clean.trim_matches(is_trimmed);
        if clean.is_empty() {
            return Self("file".to_owned());
        }
        Self(cut(clean))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a name neither begins nor ends with: a name that is made of a name is the same.
fn is_trimmed(c: char) -> bool {
    c == '.' || c.is_whitespace()
}

fn cut(name: &str) -> String {
    if name.len() <= FILE_NAME_BYTES_MAX {
        return name.to_owned();
    }
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let ending = if ending.len() <= 10 { ending } else { "" };
    let room = FILE_NAME_BYTES_MAX - if ending.is_empty() { 0 } else { ending.len() + 1 };
    let mut end = room;
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let stem = name[..end].trim_end_matches(is_trimmed);
    if ending.is_empty() { stem.to_owned() } else { format!("{stem}.{ending}") }
}

impl Media {
    /// The chat it is for, if it is for one.
    pub fn chat(&self) -> Option<ChatId> {
        match self.purpose {
            Purpose::Chat(chat) => Some(chat),
            Purpose::Listing | Purpose::Avatar => None,
        }
    }

    /// Whether nothing of it may be shown any more, to anybody.
    pub fn is_ending(&self) -> bool {
        matches!(self.state, State::Ending)
    }

    /// What it is, once it can be sent and fetched.
    pub fn content(&self) -> Option<&Content> {
        match &self.state {
            State::Ready(content) => Some(content),
            State::Waiting | State::Received | State::Refused(_) | State::Ending => None,
        }
    }

    /// The same, one version on.
    #[must_use]
    pub fn with(mut self, state: State) -> Self {
        self.state = state;
        self.version += 1;
        self
    }
}

impl Content {
    /// The picture of a size, or the next larger one that there is: small pictures have fewer.
    pub fn picture(&self, size: Size) -> Option<&Picture> {
        let wanted = size.rank();
        self.pictures.iter().rev().find(|picture| picture.size.rank() <= wanted)
    }
}

impl Size {
    /// The longest side, in pixels; of the largest, what any picture is made smaller to.
    pub const fn side_max(self) -> u32 {
        match self {
            Self::Full => 4_096,
            Self::Medium => 1_280,
            Self::Thumb => 320,
        }
    }

    /// The name clients know it by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Medium => "medium",
            Self::Thumb => "thumb",
        }
    }

    const fn rank(self) -> u8 {
        match self {
            Self::Full => 0,
            Self::Medium => 1,
            Self::Thumb => 2,
        }
    }
}

impl Refusal {
    /// The name clients know it by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unsupported => "unsupported",
            Self::Damaged => "damaged",
            Self::TooLarge => "too_large",
            Self::TooManyPixels => "too_many_pixels",
            Self::Infected => "infected",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_no_path_and_hides_nothing() {
        for (given, kept) in [
            ("photo.jpg", "photo.jpg"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\ana\\bike.png", "bike.png"),
            ("a\r\nSet-Cookie: x.png", "aSet-Cookie x.png"),
            ("invoice\u{202e}gpj.exe", "invoicegpj.exe"),
            ("..", "file"),
            ("", "file"),
            (" .hidden ", "hidden"),
            (". .. twice. .", "twice"),
            ("Grüße aus Köln.pdf", "Grüße aus Köln.pdf"),
        ] {
            assert_eq!(FileName::of(given).as_str(), kept, "{given:?}");
            assert_eq!(FileName::of(kept).as_str(), kept, "stored and read again");
        }
    }

    #[test]
    fn a_long_file_name_keeps_its_ending() {
        let name = FileName::of(&format!("{}.jpeg", "ä".repeat(200)));
        assert!(name.as_str().ends_with("ä.jpeg"));
        assert!(name.as_str().len() <= FILE_NAME_BYTES_MAX);
        let name = FileName::of(&"x".repeat(500));
        assert_eq!(name.as_str().len(), FILE_NAME_BYTES_MAX);
    }

    #[test]
    fn a_small_picture_is_shown_where_there_is_no_smaller_one() {
        let picture = |size| Picture { size, width: 1, height: 1, bytes: 1 };
        let content = Content {
            media_type: "image/jpeg".to_owned(),
            bytes: 1,
            digest: [0; 32],
            pictures: vec![picture(Size::Full), picture(Size::Thumb)],
        };
        assert_eq!(content.picture(Size::Medium).map(|it| it.size), Some(Size::Full));
        assert_eq!(content.picture(Size::Thumb).map(|it| it.size), Some(Size::Thumb));
    }
}
