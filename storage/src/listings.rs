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
}
