//! Words that are sealed before they are stored: whoever reads the disk, a database or an archive without
//! the keys learns who talks with whom, and when, and not what is said.

use std::fmt;
use std::sync::Arc;

use barterline_domain::ids::{ChatId, ReportId};

use super::bytes::{Malformed, Put};
use crate::error::StoreError;

/// Seals and opens words.
pub trait Cipher: Send + Sync {
    /// Seals words for a place.
    fn seal(&self, about: &[u8], words: &[u8]) -> Vec<u8>;

    /// Opens words that were sealed for this place.
    fn open(&self, about: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Unread>;
}

/// Why something is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// It is not what was written.
    Malformed,
    /// The key of its words is not here: with it, they are read.
    Sealed,
}

impl From<Malformed> for Unread {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl Unread {
    /// As an error of a store, in which `damaged` is malformed. A missing key is no damage: whoever finds
    /// one must not give up what is there.
    pub fn or(self, damaged: impl FnOnce() -> StoreError) -> StoreError {
        match self {
            Self::Malformed => damaged(),
            Self::Sealed => StoreError::unavailable("open words", NO_KEY),
        }
    }
}

/// What to say where a key is missing.
pub const NO_KEY: &str = "they are sealed by a key that is not in data-keys.json";

/// How the words of events are kept.
#[derive(Clone, Default)]
pub struct Sealing {
    /// Opens what is sealed.
    cipher: Option<Arc<dyn Cipher>>,
    /// And seals what is new.
    seals: bool,
    /// What does not open is left out rather than damage.
    leaves_out: bool,
}

impl Sealing {
    /// By a cipher, which opens what is sealed, and seals what is new if it is told to.
    pub fn by(cipher: Arc<dyn Cipher>, seals: bool) -> Self {
        Self { cipher: Some(cipher), seals, leaves_out: false }
    }

    /// For whoever reads all but words.
    pub fn without_words() -> Self {
        Self { leaves_out: true, ..Self::default() }
    }

    /// Whether what is new is sealed.
    pub(crate) fn seals(&self) -> bool {
        self.seals
    }

    pub(super) fn leaves_out(&self) -> bool {
        self.leaves_out
    }

    /// Seals what is to be sealed.
    pub(crate) fn seal(&self, about: &[u8], words: &[u8]) -> Option<Vec<u8>> {
        let cipher = self.cipher.as_ref().filter(|_| self.seals)?;
        Some(cipher.seal(about, words))
    }

    /// Opens what was sealed.
    pub(crate) fn open(&self, about: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Unread> {
        self.cipher.as_ref().ok_or(Unread::Sealed)?.open(about, sealed)
    }

    /// In this chat.
    pub fn in_chat(&self, chat: ChatId) -> InChat<'_> {
        InChat { chat, sealing: self }
    }
}

impl fmt::Debug for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealing").field("seals", &self.seals).finish_non_exhaustive()
    }
}

/// How the words of a chat's events are kept: they are bound to it.
#[derive(Debug, Clone, Copy)]
pub struct InChat<'a> {
    /// The chat.
    pub chat: ChatId,
    /// How.
    pub sealing: &'a Sealing,
}

/// To what the text of a message in a report is bound: the report, and its place there.
pub(crate) fn about_reported(report: ReportId, index: usize) -> Vec<u8> {
    let mut about = Vec::with_capacity(24);
    about.put_id(report.as_bytes());
    about.put_u64(index as u64);
    about
}
