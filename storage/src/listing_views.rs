//! How often listings were looked at.

use async_trait::async_trait;
use barterline_domain::ids::ListingId;

use crate::error::StoreError;

/// How often listings were looked at, more or less: what is added while a database fails counts once, or not at all.
#[async_trait]
pub trait ListingViews: Send + Sync {
    /// Adds to the counts of listings, each named once.
    async fn add(&self, views: &[(ListingId, u64)]) -> Result<(), StoreError>;

    /// How often one was looked at; 0 of one that nobody did.
    async fn count(&self, listing: ListingId) -> Result<u64, StoreError>;
}
