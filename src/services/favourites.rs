//! What people like: for themselves to find again, and counted for everybody.

use std::sync::Arc;

use barterline_domain::account::Scope;
use barterline_domain::bearer::{Bearer, Unpermitted};
use barterline_domain::clock::Clock;
use barterline_domain::ids::{ListingId, UserId};
use barterline_domain::listing::Listing;
use barterline_storage::error::StoreError;
use barterline_storage::favourites::{FAVOURITES_MAX, Favourite, Favourites as Store};

use super::listings::{ListingError, Listings};

/// The rules of favourites.
#[derive(Clone)]
pub struct Favourites {
    store: Arc<dyn Store>,
    listings: Listings,
    clock: Arc<dyn Clock>,
}

/// A part of what somebody likes.
#[derive(Debug)]
pub struct Page {
    /// The last that was liked first.
    pub favourites: Vec<(Favourite, Listing)>,
    /// Where the next part begins.
    pub next: Option<ListingId>,
}

/// Why a favourite was not added, or not shown.
#[derive(Debug, thiserror::Error)]
pub enum FavouriteError {
    /// The API key is not for that.
    #[error(transparent)]
    Unpermitted(#[from] Unpermitted),
    /// The listing cannot be seen.
    #[error(transparent)]
    Listing(#[from] ListingError),
    /// As many as anybody has.
    #[error("nobody has more than {FAVOURITES_MAX} favourites")]
    Full,
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Favourites {
    /// The rules over these parts.
    pub fn new(store: Arc<dyn Store>, listings: Listings, clock: Arc<dyn Clock>) -> Self {
        Self { store, listings, clock }
    }

    /// Adds a listing to what the caller likes. One that is there stays as it is.
    pub async fn add(&self, caller: Bearer, listing: ListingId) -> Result<(), FavouriteError> {
        let user = caller.may(Scope::WriteListings)?;
        self.listings.read(Some(caller), listing).await?;
        if self.store.find(user, listing).await?.is_some() {
            return Ok(());
        }
        // Several at once may get past this by a few.
        if self.store.list(user).await?.len() >= FAVOURITES_MAX {
            return Err(FavouriteError::Full);
        }
        let since = self.clock.now();
        self.store.add(user, Favourite { listing, since }).await?;
        Ok(())
    }

    /// Takes a listing from what the caller likes, if it is there.
    pub async fn remove(&self, caller: Bearer, listing: ListingId) -> Result<(), FavouriteError> {
        let user = caller.may(Scope::WriteListings)?;
        self.store.remove(user, listing).await?;
        Ok(())
    }

    /// What the caller likes, the last first: `limit` of them behind `after`. Behind one that is there no more
    /// it begins anew.
    pub async fn list(
        &self,
        caller: Bearer,
        after: Option<ListingId>,
        limit: usize,
    ) -> Result<Page, FavouriteError> {
        let user = caller.may(Scope::ReadListings)?;
        let all = self.store.list(user).await?;
        let behind = after.and_then(|after| all.iter().position(|it| it.listing == after));
        let all = &all[behind.map_or(0, |at| at + 1)..];
        let (shown, rest) = all.split_at(limit.min(all.len()));
        let next = shown.last().filter(|_| !rest.is_empty()).map(|last| last.listing);
        let mut favourites = Vec::with_capacity(shown.len());
        for favourite in shown {
            match self.listings.read(Some(caller), favourite.listing).await {
                Ok(listing) => favourites.push((*favourite, listing)),
                Err(ListingError::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Page { favourites, next })
    }

    /// All that somebody likes, for their archive.
    pub async fn all(&self, user: UserId) -> Result<Vec<Favourite>, StoreError> {
        self.store.list(user).await
    }

    /// How many people like a listing that `viewer` sees, as far as they are counted.
    pub async fn count(
        &self,
        viewer: Option<Bearer>,
        listing: ListingId,
    ) -> Result<u64, FavouriteError> {
        self.listings.read(viewer, listing).await?;
        Ok(self.store.count(listing).await?)
    }

    /// Forgets all that somebody likes.
    pub async fn erase_all(&self, user: UserId) -> Result<(), StoreError> {
        for favourite in self.store.list(user).await? {
            self.store.remove(user, favourite.listing).await?;
        }
        Ok(())
    }
}
