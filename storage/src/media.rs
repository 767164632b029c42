//! What is known of uploaded files, and which of them are to be looked at again.

use async_trait::async_trait;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{MediaId, UserId};
use barterline_domain::media::Media;

use crate::error::StoreError;

/// A file to be looked at again: whether something still shows it, or whether its bytes can go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Look {
    /// Not before.
    pub at: Timestamp,
    /// At which.
    pub media: MediaId,
}

/// What is known of all uploaded files.
#[async_trait]
pub trait MediaStore: Send + Sync {
    /// Inserts a file whose id is new, to be looked at again at `look`: both or neither, or, on a
    /// cluster, the look alone.
    async fn insert(&self, media: Media, look: Timestamp) -> Result<(), StoreError>;

    /// Finds one.
    async fn find(&self, media: MediaId) -> Result<Option<Media>, StoreError>;

    /// Replaces one if the stored version is `media.version - 1`; gives whether it was.
    async fn replace(&self, media: Media) -> Result<bool, StoreError>;

    /// Removes one if the stored version is `version`; gives whether none is there now.
    async fn remove(&self, media: MediaId, version: u64) -> Result<bool, StoreError>;

    /// Lists at most `limit` of somebody's, newest first (ids are ordered by time), those below `before`.
    async fn list_by_owner(
        &self,
        owner: UserId,
        before: Option<MediaId>,
        limit: usize,
    ) -> Result<Vec<Media>, StoreError>;

    /// Has one looked at again. It may be on the list at several times; it need not exist.
    async fn look_again(&self, look: Look) -> Result<(), StoreError>;

    /// Lists at most `limit` that are to be looked at by `now`, the longest due first.
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Look>, StoreError>;

    /// Takes one from that list. One that is not on it changes nothing.
    async fn looked(&self, look: Look) -> Result<(), StoreError>;
}
