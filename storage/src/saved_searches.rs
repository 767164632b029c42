//! Searches that people keep.

use async_trait::async_trait;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{SavedSearchId, UserId};

use crate::error::StoreError;

/// Most searches that one person keeps: [`SavedSearches::list`] gives all of them. Whoever adds one looks first.
pub const SAVED_SEARCHES_MAX: usize = 100;

/// A search that somebody keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedSearch {
    /// Which. Ids are ordered by time.
    pub id: SavedSearchId,
    /// What its owner calls it.
    pub name: String,
    /// What is asked: the query of an address, as `GET /v1/listings` takes it.
    pub query: String,
    /// When it was first kept.
    pub created: Timestamp,
}

/// All searches that people keep.
#[async_trait]
pub trait SavedSearches: Send + Sync {
    /// Keeps a search, in the place of one of the same id.
    async fn put(&self, user: UserId, search: SavedSearch) -> Result<(), StoreError>;

    /// Forgets one; gives whether it was there.
    async fn remove(&self, user: UserId, search: SavedSearchId) -> Result<bool, StoreError>;

    /// Finds one of somebody's own.
    async fn find(
        &self,
        user: UserId,
        search: SavedSearchId,
    ) -> Result<Option<SavedSearch>, StoreError>;

    /// Lists all of somebody's, the newest first: by id.
    async fn list(&self, user: UserId) -> Result<Vec<SavedSearch>, StoreError>;
}
