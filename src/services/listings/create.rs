//! Putting something up for sale.

use barterline_domain::ids::ListingId;
use barterline_domain::listing::{InvalidListing, Listing, ListingStatus, ListingText};
use barterline_domain::money::Money;
use barterline_storage::error::StoreError;

use super::Listings;
use crate::auth::principal::Principal;

/// What a seller says about a new listing.
#[derive(Debug, Clone)]
pub struct NewListing {
    /// What it is, in a line.
    pub title: String,
    /// What else there is to say; may be empty.
    pub description: String,
    /// What it costs.
    pub price: Money,
}

/// Why a listing was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// What was said cannot stand.
    #[error(transparent)]
    Invalid(#[from] InvalidListing),
    /// The token is good, its account is gone.
    #[error("the seller has no account")]
    UnknownSeller,
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Listings {
    /// Puts something up for sale. The caller is the seller.
    pub async fn create(
        &self,
        principal: &Principal,
        new: NewListing,
    ) -> Result<Listing, CreateError> {
        let text = ListingText::parse(&new.title, new.description)?;
        let seller = self.users.find(principal.user).await?.ok_or(CreateError::UnknownSeller)?;
        let now = self.clock.now();
        let listing = Listing {
            id: ListingId::from_bytes(self.ids.ordered(now)),
            seller: seller.id,
            text,
            price: new.price,
            status: ListingStatus::Active,
            version: 1,
            created_at: now,
            changed_at: now,
        };
        self.store.insert(listing.clone()).await?;
        Ok(listing)
    }
}
