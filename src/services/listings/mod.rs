//! Things for sale: create, read, edit. Resolves sellers through the accounts.

use std::sync::Arc;

use async_trait::async_trait;
use barterline_domain::account::Scope;
use barterline_domain::bearer::{Bearer, Unpermitted};
use barterline_domain::clock::Clock;
use barterline_domain::ids::{ListingId, UserId};
use barterline_domain::listing::{InvalidListing, Listing, ListingStatus, ListingText};
use barterline_domain::money::Money;
use barterline_storage::error::StoreError;
use barterline_storage::listings::{Listings as ListingStore, Replaced};

use super::accounts::UserDirectory;
use crate::ids::Ids;

/// Tries of an edit that names no version, against others at the same time.
const EDIT_TRIES_MAX: usize = 5;
/// Listings of somebody who leaves that are in memory at a time.
const ERASED_AT_ONCE: usize = 50;

/// The rules of listings.
#[derive(Clone)]
pub struct Listings {
    store: Arc<dyn ListingStore>,
    users: Arc<dyn UserDirectory>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

/// What a seller changes; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct Edit {
    /// The title.
    pub title: Option<String>,
    /// The description.
    pub description: Option<String>,
    /// The price.
    pub price: Option<Money>,
    /// Where it stands.
    pub status: Option<ListingStatus>,
    /// Only if this is the stored version.
    pub if_version: Option<u64>,
}

/// Why a listing was not created or changed.
#[derive(Debug, thiserror::Error)]
pub enum ListingError {
    /// The API key is not for that.
    #[error(transparent)]
    Unpermitted(#[from] Unpermitted),
    /// No such listing.
    #[error("no such listing")]
    NotFound,
    /// Somebody else's.
    #[error("the listing is somebody else's")]
    NotYours,
    /// A field is not sound, or the step is not allowed.
    #[error(transparent)]
    Invalid(#[from] InvalidListing),
    /// The stored version is another one.
    #[error("the listing has changed: its version is {current}")]
    VersionChanged {
        /// The stored version.
        current: u64,
    },
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Listings, for other services.
#[async_trait]
pub trait ListingReader: Send + Sync {
    /// Finds a listing.
    async fn find(&self, listing: ListingId) -> Result<Option<Listing>, StoreError>;
}

#[async_trait]
impl ListingReader for Listings {
    async fn find(&self, listing: ListingId) -> Result<Option<Listing>, StoreError> {
        self.store.find(listing).await
    }
}

impl Listings {
    /// The rules over these parts.
    pub fn new(
        store: Arc<dyn ListingStore>,
        users: Arc<dyn UserDirectory>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Self {
        Self { store, users, clock, ids }
    }

    /// Puts something up for sale.
    pub async fn create(
        &self,
        seller: Bearer,
        text: ListingText,
        price: Money,
    ) -> Result<Listing, ListingError> {
        let seller = seller.may(Scope::WriteListings)?;
        let now = self.clock.now();
        let listing = Listing {
            // Ordered by time, so that a seller's newest come first.
            id: ListingId::from_bytes(self.ids.ordered(now)),
            seller,
            text,
            price,
            status: ListingStatus::Active,
            version: 1,
            created_at: now,
            changed_at: now,
        };
        self.store.insert(listing.clone()).await?;
        Ok(listing)
    }

    /// Finds a listing.
    pub async fn read(&self, listing: ListingId) -> Result<Listing, ListingError> {
        self.store.find(listing).await?.ok_or(ListingError::NotFound)
    }

    /// Changes the caller's own listing.
    pub async fn edit(
        &self,
        caller: Bearer,
        listing: ListingId,
        edit: &Edit,
    ) -> Result<Listing, ListingError> {
        let caller = caller.may(Scope::WriteListings)?;
        self.change(listing, |stored| {
            if stored.seller != caller {
                return Err(ListingError::NotYours);
            }
            let current = stored.version;
            if edit.if_version.is_some_and(|version| version != current) {
                return Err(ListingError::VersionChanged { current });
            }
            Ok(Self::edited(stored, edit)?)
        })
        .await
    }

    /// Withdraws all that somebody offers, and empties its texts.
    pub async fn erase_all(&self, seller: UserId) -> Result<(), ListingError> {
        let mut before = None;
        loop {
            let page = self.store.list_by_seller(seller, before, ERASED_AT_ONCE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            before = Some(last.id);
            for listing in page {
                self.change(listing.id, |stored| {
                    let status = stored.status.to(ListingStatus::Withdrawn);
                    let status = status.unwrap_or(stored.status);
                    Ok(Listing { text: ListingText::erased(), status, ..stored.clone() })
                })
                .await?;
            }
        }
    }

    /// Puts what `change` makes of a listing in its place, against others at the same time.
    async fn change(
        &self,
        listing: ListingId,
        change: impl Fn(&Listing) -> Result<Listing, ListingError>,
    ) -> Result<Listing, ListingError> {
        let mut current = 0;
        for _ in 0..EDIT_TRIES_MAX {
            let stored = self.read(listing).await?;
            current = stored.version;
            let mut edited = change(&stored)?;
            // A repeat of an edit that took place makes no new version.
            if edited == stored {
                return Ok(stored);
            }
            edited.version = stored.version + 1;
            edited.changed_at = self.clock.now();
            match self.store.replace(edited.clone()).await? {
                Replaced::Yes => return Ok(edited),
                Replaced::Missing => return Err(ListingError::NotFound),
                Replaced::VersionChanged => {}
            }
        }
        Err(ListingError::VersionChanged { current })
    }

    /// What the edit makes of a listing, before it is counted.
    fn edited(stored: &Listing, edit: &Edit) -> Result<Listing, InvalidListing> {
        let title = edit.title.as_deref().unwrap_or(stored.text.title());
        let description = edit.description.as_deref().unwrap_or(stored.text.description());
        // A title that stands is not chosen now.
        let parse = if edit.title.is_some() { ListingText::choose } else { ListingText::parse };
        Ok(Listing {
            text: parse(title, description.to_owned())?,
            price: edit.price.unwrap_or(stored.price),
            status: edit.status.map_or(Ok(stored.status), |to| stored.status.to(to))?,
            ..stored.clone()
        })
    }

    /// A seller's listings, newest first; `None` when there is no such seller.
    pub async fn list_by_seller(
        &self,
        seller: UserId,
        before: Option<ListingId>,
        limit: usize,
    ) -> Result<Option<Vec<Listing>>, StoreError> {
        if self.users.find(seller).await?.is_none() {
            return Ok(None);
        }
        self.store.list_by_seller(seller, before, limit).await.map(Some)
    }
}

#[cfg(test)]
mod tests;
