//! Favourites by person, and by listing.

use std::ops::Bound::{Excluded, Included, Unbounded};

use async_trait::async_trait;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{ListingId, UserId};
use redb::{ReadableTable as _, TableDefinition};

use super::engine::{Engine, failed, table};
use crate::bulk::{Item, PAGE_ITEMS, Page, Place};
use crate::error::StoreError;
use crate::favourites::{COUNTED_MAX, Favourite, Favourites, order};

/// By person and listing: since when, in milliseconds.
const FAVOURITES: TableDefinition<'static, &[u8; 32], u64> = TableDefinition::new("favourites");
const BY_LISTING: TableDefinition<'static, &[u8; 32], ()> =
    TableDefinition::new("favourites_by_listing");

/// Favourites by person, and by listing.
pub struct EmbeddedFavourites(pub Engine);

fn key(first: &[u8; 16], second: &[u8; 16]) -> [u8; 32] {
    let mut key = [0; 32];
    key[..16].copy_from_slice(first);
    key[16..].copy_from_slice(second);
    key
}

fn second_of(key: &[u8; 32]) -> [u8; 16] {
    let mut id = [0; 16];
    id.copy_from_slice(&key[16..]);
    id
}

#[async_trait]
impl Favourites for EmbeddedFavourites {
    async fn add(&self, user: UserId, favourite: Favourite) -> Result<bool, StoreError> {
        self.0.write(move |write| put_favourite(write, user, favourite)).await
    }

    async fn remove(&self, user: UserId, listing: ListingId) -> Result<bool, StoreError> {
        let remove = move |write: &redb::WriteTransaction| {
            let (user, listing) = (user.as_bytes(), listing.as_bytes());
            let mut favourites = write.open_table(FAVOURITES).map_err(failed)?;
            let before = favourites.remove(&key(user, listing)).map_err(failed)?.is_some();
            let mut by_listing = write.open_table(BY_LISTING).map_err(failed)?;
            by_listing.remove(&key(listing, user)).map_err(failed)?;
            Ok(before)
        };
        self.0.write(remove).await
    }

    async fn find(
        &self,
        user: UserId,
        listing: ListingId,
    ) -> Result<Option<Favourite>, StoreError> {
        self.0.read(|read| {
            let Some(favourites) = table(read, FAVOURITES)? else { return Ok(None) };
            let since =
                favourites.get(&key(user.as_bytes(), listing.as_bytes())).map_err(failed)?;
            let since = since.map(|since| Timestamp::from_millis(since.value()));
            Ok(since.map(|since| Favourite { listing, since }))
        })
    }

    async fn list(&self, user: UserId) -> Result<Vec<Favourite>, StoreError> {
        self.0.read(|read| {
            let Some(favourites) = table(read, FAVOURITES)? else { return Ok(Vec::new()) };
            let (from, to) = (key(user.as_bytes(), &[0; 16]), key(user.as_bytes(), &[0xff; 16]));
            let range = favourites.range::<&[u8; 32]>((Included(&from), Included(&to)));
            let mut all = Vec::new();
            for row in range.map_err(failed)? {
                let (key, since) = row.map_err(failed)?;
                let listing = ListingId::from_bytes(second_of(key.value()));
                all.push(Favourite { listing, since: Timestamp::from_millis(since.value()) });
            }
            order(&mut all);
            Ok(all)
        })
    }

    async fn count(&self, listing: ListingId) -> Result<u64, StoreError> {
        self.0.read(|read| {
            let Some(by_listing) = table(read, BY_LISTING)? else { return Ok(0) };
            let id = listing.as_bytes();
            let (from, to) = (key(id, &[0; 16]), key(id, &[0xff; 16]));
            let range = by_listing.range::<&[u8; 32]>((Included(&from), Included(&to)));
            let mut count = 0;
            for row in range.map_err(failed)?.take(COUNTED_MAX as usize) {
                row.map_err(failed)?;
                count += 1;
            }
            Ok(count)
        })
    }
}

/// A page of them, for an archive.
pub(super) fn page(engine: &Engine, after: Option<&Place>) -> Result<Page, StoreError> {
    engine.read(|read| {
        let Some(favourites) = table(read, FAVOURITES)? else { return Ok(Page::default()) };
        let after: Option<[u8; 32]> = after.and_then(|place| place.0[..].try_into().ok());
        let from = after.as_ref().map_or(Unbounded, Excluded);
        let range = favourites.range::<&[u8; 32]>((from, Unbounded)).map_err(failed)?;
        let mut page = Page::default();
        for row in range.take(PAGE_ITEMS) {
            let (key, since) = row.map_err(failed)?;
            let (key, since) = (*key.value(), Timestamp::from_millis(since.value()));
            let mut user = [0; 16];
            user.copy_from_slice(&key[..16]);
            let listing = ListingId::from_bytes(second_of(&key));
            let item = Item::Favourite(UserId::from_bytes(user), Favourite { listing, since });
            page.items.push((Place(key.to_vec()), item));
        }
        page.end();
        Ok(page)
    })
}

/// Adds one, if it is not there; gives whether that changed anything.
pub(super) fn put_favourite(
    write: &redb::WriteTransaction,
    user: UserId,
    Favourite { listing, since }: Favourite,
) -> Result<bool, StoreError> {
    let (user, listing) = (user.as_bytes(), listing.as_bytes());
    let mut favourites = write.open_table(FAVOURITES).map_err(failed)?;
    let key_of_user = key(user, listing);
    if favourites.get(&key_of_user).map_err(failed)?.is_some() {
        return Ok(false);
    }
    favourites.insert(&key_of_user, since.as_millis()).map_err(failed)?;
    let mut by_listing = write.open_table(BY_LISTING).map_err(failed)?;
    by_listing.insert(&key(listing, user), ()).map_err(failed)?;
    Ok(true)
}
