//! What people like.

use async_trait::async_trait;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{ListingId, UserId};

use crate::error::StoreError;

/// Most favourites that one person has: [`Favourites::list`] gives all of them. Whoever adds one looks first.
pub const FAVOURITES_MAX: usize = 1_000;
/// Most people who like a listing that are counted.
pub const COUNTED_MAX: u64 = 1_000;

/// A listing that somebody likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Favourite {
    /// Which.
    pub listing: ListingId,
    /// Since when.
    pub since: Timestamp,
}

/// All favourites.
#[async_trait]
pub trait Favourites: Send + Sync {
    /// Adds a listing to what somebody likes. One that is there stays as it is. Gives whether that changed
    /// anything.
    async fn add(&self, user: UserId, favourite: Favourite) -> Result<bool, StoreError>;

    /// Takes a listing from what somebody likes; gives whether it was there.
    async fn remove(&self, user: UserId, listing: ListingId) -> Result<bool, StoreError>;

    /// Finds one.
    async fn find(&self, user: UserId, listing: ListingId)
    -> Result<Option<Favourite>, StoreError>;

    /// Lists all that somebody likes, the last first; of one time by id.
    async fn list(&self, user: UserId) -> Result<Vec<Favourite>, StoreError>;

    /// Counts who likes a listing, up to [`COUNTED_MAX`].
    async fn count(&self, listing: ListingId) -> Result<u64, StoreError>;
}

/// Puts the last first; of one time by id.
pub(crate) fn order(favourites: &mut [Favourite]) {
    favourites.sort_unstable_by(|one, other| {
        other.since.cmp(&one.since).then_with(|| one.listing.cmp(&other.listing))
    });
}
