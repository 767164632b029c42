//! Listings by id, and by seller.

use std::ops::Bound::{Excluded, Included};

use async_trait::async_trait;
use barterline_domain::ids::{ListingId, UserId};
use barterline_domain::listing::Listing;
use redb::TableDefinition;

use super::engine::{Engine, failed, table as open};
use super::table::{self, Rows, find, find_in, put, put_new};
use crate::bulk::{Item, Page, Place};
use crate::error::StoreError;
use crate::listings::{Listings, Replaced};

const LISTINGS: Rows = TableDefinition::new("listings");
const BY_SELLER: TableDefinition<'static, &[u8; 32], ()> =
    TableDefinition::new("listings_by_seller");

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
            note_seller(write, &listing).map(Ok)
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
                Some(_) => put(write, LISTINGS, key, &listing).map(|()| Replaced::Yes),
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
    note_seller(write, listing)
}
