//! Kept searches by person.

use std::ops::Bound::Included;

use async_trait::async_trait;
use barterline_domain::ids::{SavedSearchId, UserId};
use redb::TableDefinition;

use super::engine::{Engine, failed, table as open};
use super::table::{self, Rows, find, put};
use crate::bulk::{Item, Page, Place};
use crate::error::StoreError;
use crate::saved_searches::{SavedSearch, SavedSearches};

/// By person and search.
const SAVED_SEARCHES: Rows = TableDefinition::new("saved_searches");

/// Kept searches by person.
pub struct EmbeddedSavedSearches(pub Engine);

fn key(user: UserId, search: [u8; 16]) -> [u8; 32] {
    let mut key = [0; 32];
    key[..16].copy_from_slice(user.as_bytes());
    key[16..].copy_from_slice(&search);
    key
}

#[async_trait]
impl SavedSearches for EmbeddedSavedSearches {
    async fn put(&self, user: UserId, search: SavedSearch) -> Result<(), StoreError> {
        self.0.write(move |write| put_search(write, user, &search)).await
    }

    async fn remove(&self, user: UserId, search: SavedSearchId) -> Result<bool, StoreError> {
        let remove = move |write: &redb::WriteTransaction| {
            let mut searches = write.open_table(SAVED_SEARCHES).map_err(failed)?;
            let key = key(user, *search.as_bytes());
            let before = searches.remove(&key[..]).map_err(failed)?.is_some();
            Ok(before)
        };
        self.0.write(remove).await
    }

    async fn find(
        &self,
        user: UserId,
        search: SavedSearchId,
    ) -> Result<Option<SavedSearch>, StoreError> {
        self.0.read(|read| find(read, SAVED_SEARCHES, &key(user, *search.as_bytes())))
    }

    async fn list(&self, user: UserId) -> Result<Vec<SavedSearch>, StoreError> {
        self.0.read(|read| {
            let Some(searches) = open(read, SAVED_SEARCHES)? else { return Ok(Vec::new()) };
            let (from, to) = (key(user, [0; 16]), key(user, [0xff; 16]));
            let range = searches.range::<&[u8]>((Included(&from[..]), Included(&to[..])));
            let mut all = Vec::new();
            for row in range.map_err(failed)?.rev() {
                let (key, search) = row.map_err(failed)?;
                let search = table::decode(SAVED_SEARCHES, key.value(), search.value())?;
                all.push(search);
            }
            Ok(all)
        })
    }
}

/// A page of them, for an archive.
pub(super) fn page(engine: &Engine, after: Option<&Place>) -> Result<Page, StoreError> {
    table::page(engine, SAVED_SEARCHES, after, |key, search| {
        let damaged = || StoreError::corrupt("database", table::place(SAVED_SEARCHES, key));
        let user = UserId::from_bytes(*key.first_chunk().ok_or_else(damaged)?);
        Ok(Item::SavedSearch(user, search))
    })
}

/// One of them, for an archive.
pub(super) fn item(
    read: &redb::ReadTransaction,
    user: UserId,
    search: SavedSearchId,
) -> Result<Option<Item>, StoreError> {
    let found = find(read, SAVED_SEARCHES, &key(user, *search.as_bytes()))?;
    Ok(found.map(|search| Item::SavedSearch(user, search)))
}

/// Puts one, in the place of one of the same id.
pub(super) fn put_search(
    write: &redb::WriteTransaction,
    user: UserId,
    search: &SavedSearch,
) -> Result<(), StoreError> {
    put(write, SAVED_SEARCHES, &key(user, *search.id.as_bytes()), search)
}
