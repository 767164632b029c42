//! Views by listing.

use std::ops::Bound::{Excluded, Unbounded};

use async_trait::async_trait;
use barterline_domain::ids::ListingId;
use redb::{ReadableTable as _, TableDefinition};

use super::engine::{Engine, failed, table};
use crate::bulk::{Item, PAGE_ITEMS, Page, Place};
use crate::error::StoreError;
use crate::listing_views::ListingViews;

const VIEWS: TableDefinition<'static, &[u8; 16], u64> = TableDefinition::new("listing_views");

/// Views by listing.
pub struct EmbeddedListingViews(pub Engine);

#[async_trait]
impl ListingViews for EmbeddedListingViews {
    async fn add(&self, views: &[(ListingId, u64)]) -> Result<(), StoreError> {
        // A row of nothing would be one more to move.
        let views: Vec<_> = views.iter().copied().filter(|(_, more)| *more > 0).collect();
        let add = move |write: &redb::WriteTransaction| {
            let mut counts = write.open_table(VIEWS).map_err(failed)?;
            for (listing, more) in views {
                let before = counts.get(listing.as_bytes()).map_err(failed)?;
                let count = before.map_or(0, |count| count.value()).saturating_add(more);
                counts.insert(listing.as_bytes(), count).map_err(failed)?;
            }
            Ok(())
        };
        self.0.write(add).await
    }

    async fn count(&self, listing: ListingId) -> Result<u64, StoreError> {
        self.0.read(|read| Ok(stored(read, listing)?.unwrap_or(0)))
    }
}

fn stored(read: &redb::ReadTransaction, listing: ListingId) -> Result<Option<u64>, StoreError> {
    let Some(counts) = table(read, VIEWS)? else { return Ok(None) };
    let count = counts.get(listing.as_bytes()).map_err(failed)?;
    Ok(count.map(|count| count.value()))
}

/// A page of them, for an archive.
pub(super) fn page(engine: &Engine, after: Option<&Place>) -> Result<Page, StoreError> {
    engine.read(|read| {
        let Some(counts) = table(read, VIEWS)? else { return Ok(Page::default()) };
        let after: Option<[u8; 16]> = after.and_then(|place| place.0[..].try_into().ok());
        let from = after.as_ref().map_or(Unbounded, Excluded);
        let range = counts.range::<&[u8; 16]>((from, Unbounded)).map_err(failed)?;
        let mut page = Page::default();
        for row in range.take(PAGE_ITEMS) {
            let (key, count) = row.map_err(failed)?;
            let listing = ListingId::from_bytes(*key.value());
            let item = Item::ListingViews(listing, count.value());
            page.items.push((Place(listing.as_bytes().to_vec()), item));
        }
        page.end();
        Ok(page)
    })
}

/// One of them, for an archive.
pub(super) fn item(
    read: &redb::ReadTransaction,
    listing: ListingId,
) -> Result<Option<Item>, StoreError> {
    Ok(stored(read, listing)?.map(|count| Item::ListingViews(listing, count)))
}

/// Puts a count from an archive in the place of what there is.
pub(super) fn put_views(
    write: &redb::WriteTransaction,
    listing: ListingId,
    count: u64,
) -> Result<(), StoreError> {
    let mut counts = write.open_table(VIEWS).map_err(failed)?;
    counts.insert(listing.as_bytes(), count).map_err(failed)?;
    Ok(())
}
