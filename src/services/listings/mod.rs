//! Things for sale: who may make and change them.

mod create;
mod edit;

use std::sync::Arc;

use async_trait::async_trait;
use barterline_domain::clock::Clock;
use barterline_domain::ids::{ListingId, UserId};
use barterline_domain::listing::Listing;
use barterline_storage::error::StoreError;
use barterline_storage::listings::Listings as Store;

pub use self::create::{CreateError, NewListing};
pub use self::edit::{Edit, EditError};
use crate::ids::Ids;
use crate::services::accounts::UserDirectory;

/// Most listings in one answer.
pub const PAGE_LISTINGS_MAX: usize = 100;

/// The rules of listings. Cheap to clone.
#[derive(Clone)]
pub struct Listings {
    store: Arc<dyn Store>,
    users: Arc<dyn UserDirectory>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

/// What other services may ask about listings.
#[async_trait]
pub trait ListingReader: Send + Sync {
    /// Finds a listing.
    async fn find(&self, listing: ListingId) -> Result<Option<Listing>, StoreError>;
}

impl Listings {
    /// The rules over this store.
    pub fn new(
        store: Arc<dyn Store>,
        users: Arc<dyn UserDirectory>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Self {
        Self { store, users, clock, ids }
    }

    /// Finds a listing. Anybody may look.
    pub async fn read(&self, listing: ListingId) -> Result<Option<Listing>, StoreError> {
        self.store.find(listing).await
    }

    /// Lists a seller's listings, the newest first, those below `before`; at most `limit`, and
    /// never above [`PAGE_LISTINGS_MAX`]. A seller nobody knows has none.
    pub async fn list_by_seller(
        &self,
        seller: UserId,
        before: Option<ListingId>,
        limit: usize,
    ) -> Result<Vec<Listing>, StoreError> {
        let limit = limit.clamp(1, PAGE_LISTINGS_MAX);
        self.store.list_by_seller(seller, before, limit).await
    }
}

#[async_trait]
impl ListingReader for Listings {
    async fn find(&self, listing: ListingId) -> Result<Option<Listing>, StoreError> {
        self.read(listing).await
    }
}

#[cfg(test)]
mod tests;
