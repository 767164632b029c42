//! Changing what is for sale.

use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{ListingId, UserId};
use barterline_domain::listing::{InvalidListing, Listing, ListingStatus, ListingText};
use barterline_domain::money::Money;
use barterline_storage::error::StoreError;
use barterline_storage::listings::Replaced;

use super::Listings;
use crate::auth::principal::Principal;

/// Tries of an edit that named no version, before it gives way to the others: only the seller
/// edits, so two at once are rare and eight do not happen by accident.
const TRIES_MAX: usize = 8;

/// What to change; `None` stays as it is.
#[derive(Debug, Clone, Default)]
pub struct Edit {
    /// What it is, in a line.
    pub title: Option<String>,
    /// What else there is to say.
    pub description: Option<String>,
    /// What it costs.
    pub price: Option<Money>,
    /// Where it stands.
    pub status: Option<ListingStatus>,
    /// The version the caller saw: with another one nothing is changed.
    pub if_version: Option<u64>,
}

/// Why an edit was refused. Nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// No such listing.
    #[error("no such listing")]
    NotFound,
    /// Somebody else sells it.
    #[error("the listing is somebody else's")]
    NotYours,
    /// What was said cannot stand, or the status does not lead there.
    #[error(transparent)]
    Invalid(#[from] InvalidListing),
    /// Somebody was faster. Look at it again.
    #[error("the listing has changed: its version is {current}")]
    VersionChanged {
        /// Its version now.
        current: u64,
    },
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Edit {
    /// The listing after this edit; `None` when it is as asked already.
    fn apply(&self, listing: &Listing, now: Timestamp) -> Result<Option<Listing>, InvalidListing> {
        let title = self.title.as_deref().unwrap_or(listing.text.title());
        let description = self.description.as_deref();
        let description = description.unwrap_or(listing.text.description());
        let mut next = Listing {
            text: ListingText::parse(title, description.to_owned())?,
            price: self.price.unwrap_or(listing.price),
            status: listing.status.to(self.status.unwrap_or(listing.status))?,
            ..listing.clone()
        };
        if next == *listing {
            return Ok(None);
        }
        next.version = listing.version + 1;
        next.changed_at = now;
        Ok(Some(next))
    }
}

impl Listings {
    /// Changes a listing of the caller's. An edit that changes nothing makes no new version.
    pub async fn edit(
        &self,
        principal: &Principal,
        listing: ListingId,
        edit: Edit,
    ) -> Result<Listing, EditError> {
        let mut current = self.own(principal.user, listing).await?;
        for _ in 0..TRIES_MAX {
            if edit.if_version.is_some_and(|seen| seen != current.version) {
                break;
            }
            let Some(next) = edit.apply(&current, self.clock.now())? else {
                return Ok(current);
            };
            match self.store.replace(next.clone()).await? {
                Replaced::Yes => return Ok(next),
                Replaced::Missing => return Err(EditError::NotFound),
                Replaced::VersionChanged => current = self.own(principal.user, listing).await?,
            }
        }
        Err(EditError::VersionChanged { current: current.version })
    }

    async fn own(&self, user: UserId, listing: ListingId) -> Result<Listing, EditError> {
        let found = self.store.find(listing).await?.ok_or(EditError::NotFound)?;
        if found.seller == user { Ok(found) } else { Err(EditError::NotYours) }
    }
}
