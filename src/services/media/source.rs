//! What has arrived of a file: all of it at once, or parts that follow on each other.

use std::io;

use barterline_domain::ids::MediaId;
use barterline_domain::media as files;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{Media, MediaError, keys};
use crate::adapters::blobs::{BlobError, BlobStream};

/// Bytes of a file that have arrived.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// Under which names, in their order, and how many under each.
    pieces: Vec<(String, u64)>,
    /// How many there are.
    pub bytes: u64,
    /// They came at once, and are another number than was announced: parts do not go on there.
    pub is_odd: bool,
}

impl Source {
    /// How many pieces there are.
    pub fn count(&self) -> usize {
        self.pieces.len()
    }

    fn push(&mut self, key: String, bytes: u64) {
        self.pieces.push((key, bytes));
        self.bytes += bytes;
    }

    /// The first of these bytes, `max` at most.
    fn first(&self, max: u64) -> Self {
        let mut first = Self::default();
        for (key, bytes) in &self.pieces {
            let bytes = (*bytes).min(max - first.bytes);
            if bytes > 0 {
                first.push(key.clone(), bytes);
            }
        }
        first
    }
}

impl Media {
    /// What has arrived of a file. What came at once goes before parts, if it is whole.
    pub(super) async fn source(&self, media: &files::Media) -> Result<Source, BlobError> {
        let (mut at_once, mut parts) = (Source::default(), Source::default());
        if let Some(bytes) = self.0.blobs.head(&keys::raw(media.id)).await? {
            at_once.push(keys::raw(media.id), bytes);
            if bytes == media.declared {
                return Ok(at_once);
            }
        }
        for (offset, bytes) in self.0.blobs.list_parts(&keys::arriving(media.id)).await? {
            // Others are left of a try that ended elsewhere.
            if offset == parts.bytes && bytes > 0 {
                parts.push(keys::part(media.id, offset), bytes);
            }
        }
        if parts.bytes == 0 && at_once.count() > 0 {
            at_once.is_odd = true;
            return Ok(at_once);
        }
        Ok(parts)
    }

    /// The bytes of a source, one piece behind the other.
    pub(super) fn stream(&self, source: Source) -> BlobStream {
        let blobs = self.0.blobs.clone();
        let pieces = stream::iter(source.pieces).then(move |(key, bytes)| {
            let blobs = blobs.clone();
            async move { blobs.read(&key, 0..bytes).await.map_err(io::Error::other) }
        });
        pieces.try_flatten().boxed()
    }

    /// The first bytes of a source, `max` at most.
    pub(super) async fn gathered(&self, source: &Source, max: u64) -> Result<Bytes, MediaError> {
        let first = source.first(max);
        let wanted = first.bytes;
        let mut bytes = BytesMut::with_capacity(usize::try_from(wanted).unwrap_or_default());
        let mut stream = self.stream(first);
        while let Some(chunk) = stream.next().await {
            bytes.extend_from_slice(&chunk.map_err(MediaError::unavailable)?);
        }
        if bytes.len() as u64 != wanted {
            return Err(MediaError::unavailable("bytes of a file went while they were read"));
        }
        Ok(bytes.freeze())
    }

    /// Removes what has arrived of a file.
    pub(super) async fn forget_arrived(&self, media: MediaId) -> Result<(), BlobError> {
        self.0.blobs.remove_all(&keys::arriving(media)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_are_of_the_first_pieces() {
        let mut source = Source::default();
        for (key, bytes) in [("a", 3), ("b", 4), ("c", 5)] {
            source.push(key.to_owned(), bytes);
        }
        assert_eq!((source.bytes, source.count()), (12, 3));
        let first = source.first(5);
        assert_eq!(first.pieces, [("a".to_owned(), 3), ("b".to_owned(), 2)]);
        assert_eq!(source.first(100).bytes, 12);
    }
}
