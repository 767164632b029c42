//! Listings by id, and by seller; and in the order in which they last changed.

use std::ops::Bound::{self, Excluded, Included};

use async_trait::async_trait;
use barterline_domain::ids::{ListingId, UserId};
use barterline_domain::listing::Listing;
use redb::{ReadableTable, TableDefinition};

use super::engine::{Engine, failed, table as open};
use super::table::{self, Rows, find, find_in, put, put_new};
use crate::bulk::{Item, PAGE_ITEMS, Page, Place};
use crate::error::StoreError;
use crate::listings::{Changes, FeedPlace, Listings, Replaced};

const LISTINGS: Rows = TableDefinition::new("listings");
const BY_SELLER: TableDefinition<'static, &[u8; 32], ()> =
    TableDefinition::new("listings_by_seller");

/// The feed: by a number that grows, which listing changed. Each is in it once, where it last did.
const CHANGES: TableDefinition<'static, u64, &[u8; 16]> = TableDefinition::new("listing_changes");
/// Where in the feed a listing is.
const CHANGED: TableDefinition<'static, &[u8; 16], u64> = TableDefinition::new("listings_changed");

/// Listings by id, and by seller.
pub struct EmbeddedListings(pub Engine);

fn by_seller(seller: UserId, listing: [u8; 16]) -> [u8; 32] {
    let mut key = [0; 32];
    key[..16].copy_from_slice(seller.as_bytes());
    key[16..].copy_from_slice(&listing);
    key
}

#[async_trait]
impl Listings for EmbeddedListings {
    async fn insert(&self, listing: Listing) -> Result<(), StoreError> {
        let insert = move |write: &redb::WriteTransaction| {
            let row = (&listing.id.as_bytes()[..], &listing);
            if let Err(taken) = put_new(write, LISTINGS, std::iter::once(row))? {
                return Ok(Err(taken));
            }
            note_seller(write, &listing)?;
            note_change(write, listing.id).map(Ok)
        };
        self.0.write(insert).await?
    }

    async fn find(&self, listing: ListingId) -> Result<Option<Listing>, StoreError> {
        self.0.read(|read| find(read, LISTINGS, listing.as_bytes()))
    }

    async fn replace(&self, listing: Listing) -> Result<Replaced, StoreError> {
        let replace = move |write: &redb::WriteTransaction| {
            let key = listing.id.as_bytes();
            match find_in::<Listing>(write, LISTINGS, key)? {
                None => Ok(Replaced::Missing),
                Some(stored) if stored.version + 1 != listing.version => {
                    Ok(Replaced::VersionChanged)
                }
                Some(_) => {
                    put(write, LISTINGS, key, &listing)?;
                    note_change(write, listing.id).map(|()| Replaced::Yes)
                }
            }
        };
        self.0.write(replace).await
    }

    async fn list_by_seller(
        &self,
        seller: UserId,
        before: Option<ListingId>,
        limit: usize,
    ) -> Result<Vec<Listing>, StoreError> {
        self.0.read(|read| {
            let Some(index) = open(read, BY_SELLER)? else {
                return Ok(Vec::new());
            };
            let from = by_seller(seller, [0; 16]);
            let last = by_seller(seller, [0xff; 16]);
            let before = before.map(|before| by_seller(seller, *before.as_bytes()));
            let to = before.as_ref().map_or(Included(&last), Excluded);
            let range = index.range::<&[u8; 32]>((Included(&from), to)).map_err(failed)?;
            let mut listings = Vec::new();
            for row in range.rev().take(limit) {
                let (key, _) = row.map_err(failed)?;
                listings.extend(find::<Listing>(read, LISTINGS, &key.value()[16..])?);
            }
            Ok(listings)
        })
    }

    async fn feed_end(&self) -> Result<FeedPlace, StoreError> {
        self.0.read(|read| {
            let Some(feed) = open(read, CHANGES)? else { return Ok(place(0)) };
            Ok(place(newest(&feed)?))
        })
    }

    async fn changes(
        &self,
        after: &FeedPlace,
        limit: usize,
    ) -> Result<Option<Changes>, StoreError> {
        let Ok(after) = after.0.as_slice().try_into().map(u64::from_be_bytes) else {
            return Ok(None);
        };
        self.0.read(|read| {
            let Some(feed) = open(read, CHANGES)? else {
                let nothing = Changes { listings: Vec::new(), next: place(0), more: false };
                return Ok(Some(nothing).filter(|_| after == 0));
            };
            let newest = newest(&feed)?;
            // It is of a store that went further than this one.
            if after > newest {
                return Ok(None);
            }
            let mut changes = Changes { listings: Vec::new(), next: place(after), more: false };
            for row in feed.range((Excluded(after), Included(newest))).map_err(failed)?.take(limit)
            {
                let (number, listing) = row.map_err(failed)?;
                changes.listings.push(ListingId::from_bytes(*listing.value()));
                changes.next = place(number.value());
            }
            changes.more = changes.next != place(newest);
            Ok(Some(changes))
        })
    }
}

fn place(number: u64) -> FeedPlace {
    FeedPlace(number.to_be_bytes().to_vec())
}

/// The number of the last change; 0: there is none.
fn newest(feed: &impl ReadableTable<u64, &'static [u8; 16]>) -> Result<u64, StoreError> {
    Ok(feed.last().map_err(failed)?.map_or(0, |(number, _)| number.value()))
}

/// Notes that a listing changed: it leaves its place in the feed for the end.
fn note_change(write: &redb::WriteTransaction, listing: ListingId) -> Result<(), StoreError> {
    let mut feed = write.open_table(CHANGES).map_err(failed)?;
    let mut changed = write.open_table(CHANGED).map_err(failed)?;
    let number = newest(&feed)? + 1;
    let before = changed.insert(listing.as_bytes(), number).map_err(failed)?;
    if let Some(before) = before.map(|before| before.value()) {
        feed.remove(before).map_err(failed)?;
    }
    feed.insert(number, listing.as_bytes()).map_err(failed)?;
    Ok(())
}

/// Notes whose a listing is.
fn note_seller(write: &redb::WriteTransaction, listing: &Listing) -> Result<(), StoreError> {
    let mut index = write.open_table(BY_SELLER).map_err(failed)?;
    let key = by_seller(listing.seller, *listing.id.as_bytes());
    index.insert(&key, ()).map_err(failed)?;
    Ok(())
}

/// A page of them, for an archive.
pub(super) fn page(engine: &Engine, after: Option<&Place>) -> Result<Page, StoreError> {
    table::page(engine, LISTINGS, after, |_, listing| Ok(Item::Listing(Box::new(listing))))
}

/// The ids of a page.
pub(super) fn ids(
    engine: &Engine,
    after: Option<&Place>,
) -> Result<(Vec<ListingId>, Option<Place>), StoreError> {
    engine.read(|read| {
        let Some(table) = open(read, LISTINGS)? else { return Ok((Vec::new(), None)) };
        let from = after.map_or(Bound::Unbounded, |place| Excluded(&place.0[..]));
        let range = table.range::<&[u8]>((from, Bound::Unbounded)).map_err(failed)?;
        let (mut ids, mut last) = (Vec::new(), None);
        for row in range.take(PAGE_ITEMS) {
            let (key, _) = row.map_err(failed)?;
            let damaged = |_| StoreError::corrupt("database", table::place(LISTINGS, key.value()));
            ids.push(ListingId::from_bytes(key.value().try_into().map_err(damaged)?));
            last = Some(Place(key.value().to_vec()));
        }
        let next = last.filter(|_| ids.len() >= PAGE_ITEMS);
        Ok((ids, next))
    })
}

/// One of them, for an archive.
pub(super) fn item(
    read: &redb::ReadTransaction,
    id: ListingId,
) -> Result<Option<Item>, StoreError> {
    Ok(find(read, LISTINGS, id.as_bytes())?.map(|listing| Item::Listing(Box::new(listing))))
}

/// Puts one from an archive.
pub(super) fn put_listing(
    write: &redb::WriteTransaction,
    listing: &Listing,
) -> Result<(), StoreError> {
    put(write, LISTINGS, listing.id.as_bytes(), listing)?;
    note_seller(write, listing)?;
    note_change(write, listing.id)
}
