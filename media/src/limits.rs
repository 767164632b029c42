//! How large files may be.

use crate::kind::Family;

/// How large a file of each family may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a picture, as it is uploaded.
    pub picture_bytes: u64,
    /// Bytes of a video.
    pub video_bytes: u64,
    /// Bytes of a recording.
    pub audio_bytes: u64,
    /// Bytes of a document.
    pub document_bytes: u64,
    /// Pixels of a picture: whatever has more is refused before it is decoded.
    pub pixels: u64,
}

impl Limits {
    /// Bytes that a file of a family may have.
    pub const fn of(&self, family: Family) -> u64 {
        match family {
            Family::Picture => self.picture_bytes,
            Family::Video => self.video_bytes,
            Family::Audio => self.audio_bytes,
            Family::Document => self.document_bytes,
        }
    }

    /// Bytes that a file may have of which nobody knows yet what it is.
    pub fn largest(&self) -> u64 {
        Family::ALL.into_iter().map(|family| self.of(family)).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_family_has_its_own_limit() {
        let limits = Limits {
            picture_bytes: 20,
            video_bytes: 100,
            audio_bytes: 25,
            document_bytes: 30,
            pixels: 1_000,
        };
        assert_eq!(Family::ALL.map(|family| limits.of(family)), [20, 100, 25, 30]);
        assert_eq!(limits.largest(), 100);
    }
}
