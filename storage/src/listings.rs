//! Things for sale.

use async_trait::async_trait;
use barterline_domain::ids::{ListingId, UserId};
use barterline_domain::listing::Listing;

use crate::error::StoreError;

/// What became of a replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replaced {
    /// In place.
    Yes,
    /// The stored version is another one; nothing changed.
    VersionChanged,
    /// No such listing.
    Missing,
}

/// How far a reader of the feed of changes has come: bytes that only the backend understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedPlace(pub Vec<u8>);

/// A page of the feed of changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Which listings changed. What became of them is read afterwards.
    pub listings: Vec<ListingId>,
    /// From where to go on.
    pub next: FeedPlace,
    /// Whether there is more by now.
    pub more: bool,
}

/// All listings.
#[async_trait]
pub trait Listings: Send + Sync {
    /// Inserts a listing whose id is new.
    async fn insert(&self, listing: Listing) -> Result<(), StoreError>;

    /// Finds a listing.
    async fn find(&self, listing: ListingId) -> Result<Option<Listing>, StoreError>;

    /// Replaces a listing if the stored version is `listing.version - 1`.
    async fn replace(&self, listing: Listing) -> Result<Replaced, StoreError>;

    /// Lists at most `limit` listings of a seller, newest first (ids are ordered by time), those
    /// below `before`.
    async fn list_by_seller(
        &self,
        seller: UserId,
        before: Option<ListingId>,
        limit: usize,
    ) -> Result<Vec<Listing>, StoreError>;

    /// Where the feed of changes stands now: every later change is behind it.
    async fn feed_end(&self) -> Result<FeedPlace, StoreError>;

    /// Reads which listings were inserted and replaced behind a place of the feed, at most `limit`
    /// at once; whoever goes on from page to page is told of each, maybe more than once. `None`: the
    /// feed does not reach back to that place, so all listings are to be read instead.
    async fn changes(&self, after: &FeedPlace, limit: usize)
    -> Result<Option<Changes>, StoreError>;
}
