//! Things for sale: create, read, edit. Resolves sellers through the accounts.

pub mod catalogue;
pub mod external;
mod offer;
pub mod photos;
pub mod standings;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use barterline_domain::account::Scope;
use barterline_domain::bearer::{Bearer, Unpermitted};
use barterline_domain::catalogue::Catalogue;
use barterline_domain::clock::{Clock, Timestamp};
use barterline_domain::ids::{ListingId, MediaId, UserId};
use barterline_domain::listing::details::Details;
use barterline_domain::listing::{EndReason, InvalidListing, Listing, ListingStatus, ListingText};
use barterline_storage::error::StoreError;
use barterline_storage::listings::{Listings as ListingStore, Replaced};
use futures_util::{StreamExt as _, stream};

pub use self::offer::{Edit, Offer, Said};
use self::photos::Photos;
use self::standings::Standings;
use super::accounts::UserDirectory;
use crate::ids::Ids;

/// Tries of an edit that names no version, against others at the same time.
const EDIT_TRIES_MAX: usize = 5;
/// Pages that are read for one of which each listing may be seen.
const LOOKS_MAX: usize = 3;
/// Listings that are put up for somebody at once.
const CREATED_AT_ONCE: usize = 64;
/// Listings of somebody who leaves that are in memory at a time.
const ERASED_AT_ONCE: usize = 50;

/// The rules of listings.
#[derive(Clone)]
pub struct Listings {
    store: Arc<dyn ListingStore>,
    users: Arc<dyn UserDirectory>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    standings: Arc<Standings>,
    photos: Arc<dyn Photos>,
    rules: Rules,
}

/// What listings are held to.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The kinds of things there are.
    pub catalogue: Arc<Catalogue>,
    /// For how long something is for sale; `None`: until its seller says otherwise.
    pub lifetime: Option<Duration>,
}

/// A part of a seller's listings.
#[derive(Debug)]
pub struct Page {
    /// The newest first.
    pub listings: Vec<Listing>,
    /// Where the next part begins.
    pub next: Option<ListingId>,
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
    /// There is no such file that the seller may show in listings.
    #[error("no such photo: {0}")]
    PhotoNotFound(MediaId),
    /// It is not whole yet, or is still being looked at.
    #[error("the photo {0} is not ready")]
    PhotoNotReady(MediaId),
    /// Something else shows it.
    #[error("another listing shows the photo {0}")]
    PhotoUsed(MediaId),
    /// The stored version is another one.
    #[error("the listing has changed: its version is {current}")]
    VersionChanged {
        /// The stored version.
        current: u64,
    },
    /// It is kept in another system, which alone says what becomes of it.
    #[error("the listing is kept in another system, and is changed there")]
    External,
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Listings, for other services.
#[async_trait]
pub trait ListingReader: Send + Sync {
    /// Finds a listing.
    async fn find(&self, listing: ListingId) -> Result<Option<Listing>, StoreError>;

    /// The same behind all that was on its way to it: a change of what is there that was begun before this call, and
    /// is not seen by it, never takes place. Of one that is not found nothing is said: it may yet come.
    async fn settled(&self, listing: ListingId) -> Result<Option<Listing>, StoreError> {
        self.find(listing).await
    }
}

#[async_trait]
impl ListingReader for Listings {
    async fn find(&self, listing: ListingId) -> Result<Option<Listing>, StoreError> {
        self.store.find(listing).await
    }

    async fn settled(&self, listing: ListingId) -> Result<Option<Listing>, StoreError> {
        let Some(found) = self.store.find(listing).await? else { return Ok(None) };
        // Too late for its version, so that it changes nothing. To be told so it stands in line behind what was on
        // its way, or, on a cluster, brings that to its end.
        self.store.replace(found.clone()).await?;
        let settled = self.store.find(listing).await?;
        if let Some(settled) = &settled {
            // Whoever changed it was not told, and may have looked after it for nothing.
            self.doubt_lost(&found, settled).await?;
        }
        Ok(settled)
    }
}

impl Listings {
    /// The rules over these parts. What changes is told to `standings`.
    pub fn new(
        store: Arc<dyn ListingStore>,
        users: Arc<dyn UserDirectory>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        standings: Arc<Standings>,
        photos: Arc<dyn Photos>,
        rules: Rules,
    ) -> Self {
        Self { store, users, clock, ids, standings, photos, rules }
    }

    /// The kinds of things there are.
    pub fn catalogue(&self) -> &Arc<Catalogue> {
        &self.rules.catalogue
    }

    /// Puts something up for sale, or keeps a draft of it.
    pub async fn create(&self, seller: Bearer, offer: Offer) -> Result<Listing, ListingError> {
        let seller = seller.may(Scope::WriteListings)?;
        let now = self.clock.now();
        let Offer { text, price, said, is_draft, expires_at } = offer;
        let end = expires_at.map(|end| self.rules.end(end, now)).transpose()?;
        let details = self.rules.details(said, is_draft)?;
        // Ordered by time, so that a seller's newest come first.
        let id = ListingId::from_bytes(self.ids.ordered(now));
        let offered = Listing::offered(id, seller, text, price, now);
        let listing = if is_draft {
            let (status, history) = (ListingStatus::Draft, Vec::new());
            Listing { details, expires_at: end, status, history, ..offered }
        } else {
            let expires_at = end.or_else(|| self.rules.end_from(now));
            Listing { details, expires_at, ..offered }
        };
        let (listing, fresh) = self.with_photos(listing, &[]).await?;
        if let Err(error) = self.store.insert(listing.clone()).await {
            // Offered again it has another id, which could not show them.
            if changed_nothing(&error) {
                self.give_back(id, fresh).await;
            }
            return Err(error.into());
        }
        Ok(listing)
    }

    /// Puts things up for sale for a seller, in their order as far as several at once have one; `None`: there is no
    /// such seller.
    pub async fn create_for(
        &self,
        seller: UserId,
        offers: Vec<Offer>,
    ) -> Result<Option<Vec<Result<Listing, ListingError>>>, StoreError> {
        if self.users.find(seller).await?.is_none() {
            return Ok(None);
        }
        let seller = Bearer::served(seller);
        let made = offers.into_iter().map(|offer| self.create(seller, offer));
        Ok(Some(stream::iter(made).buffered(CREATED_AT_ONCE).collect().await))
    }

    /// Finds a listing, as far as `viewer` may see it.
    pub async fn read(
        &self,
        viewer: Option<Bearer>,
        listing: ListingId,
    ) -> Result<Listing, ListingError> {
        let found = self.stored(listing).await?;
        if is_seen_by(&found, viewer) { Ok(found) } else { Err(ListingError::NotFound) }
    }

    /// The time, by which it follows whether a listing is over.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn stored(&self, listing: ListingId) -> Result<Listing, ListingError> {
        self.store.find(listing).await?.ok_or(ListingError::NotFound)
    }

    /// Changes the caller's own listing.
    pub async fn edit(
        &self,
        caller: Bearer,
        listing: ListingId,
        edit: &Edit,
    ) -> Result<Listing, ListingError> {
        self.change_own(caller, listing, |stored| {
            let current = stored.version;
            if edit.if_version.is_some_and(|version| version != current) {
                return Err(ListingError::VersionChanged { current });
            }
            Ok(self.rules.edited(stored, edit, self.clock.now())?)
        })
        .await
    }

    /// Lets the caller's own listing be for sale from now for as long as is usual, also when it has expired.
    pub async fn renew(&self, caller: Bearer, listing: ListingId) -> Result<Listing, ListingError> {
        let now = self.clock.now();
        let edit =
            Edit { status: Some(ListingStatus::Active), expires_at: Some(None), ..Edit::default() };
        self.change_own(caller, listing, |stored| match stored.status_at(now) {
            ListingStatus::Active | ListingStatus::Expired => {
                Ok(self.rules.edited(stored, &edit, now)?)
            }
            _ => Err(InvalidListing::Renewal.into()),
        })
        .await
    }

    /// The same as `change`, of the caller's own listing.
    async fn change_own(
        &self,
        caller: Bearer,
        listing: ListingId,
        change: impl Fn(&Listing) -> Result<Listing, ListingError>,
    ) -> Result<Listing, ListingError> {
        let caller = caller.may(Scope::WriteListings)?;
        self.change(listing, |stored| {
            is_own(stored, caller)?;
            external::is_kept_here(stored)?;
            change(stored)
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
                    let erased = (status != stored.status).then_some(EndReason::Erased);
                    Ok(Listing {
                        text: ListingText::erased(),
                        details: Details::default(),
                        status,
                        reason: stored.reason.or(erased),
                        expires_at: None,
                        ..stored.clone()
                    })
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
        let (mut current, mut before) = (0, None);
        for _ in 0..EDIT_TRIES_MAX {
            let stored = self.stored(listing).await?;
            // Whoever changed it meanwhile may not have been told, and may have looked after it for nothing.
            if let Some(found) = before.replace(stored.clone()) {
                self.doubt_lost(&found, &stored).await?;
            }
            current = stored.version;
            let edited = change(&stored)?;
            // A repeat of an edit that took place makes no new version.
            if edited == stored {
                return Ok(stored);
            }
            let now = self.clock.now();
            let edited = edited.after(&stored, now);
            let (edited, fresh) = self.with_photos(edited, &stored.details.photos).await?;
            match self.store.replace(edited.clone()).await {
                Ok(Replaced::Yes) => {
                    self.standings.changed(&edited, now);
                    return Ok(edited);
                }
                Ok(Replaced::Missing) => {
                    self.give_back(listing, fresh).await;
                    return Err(ListingError::NotFound);
                }
                // The next try claims what it is to name.
                Ok(Replaced::VersionChanged) => self.give_back(listing, fresh).await,
                Err(error) => {
                    self.standings.forget(listing, self.clock.now());
                    if changed_nothing(&error) {
                        self.give_back(listing, fresh).await;
                    }
                    return Err(error.into());
                }
            }
        }
        Err(ListingError::VersionChanged { current })
    }

    /// A seller's listings as far as `viewer` may see them, newest first; `None` when there is no such seller.
    /// Behind very many drafts there may be fewer than `limit`.
    pub async fn list_by_seller(
        &self,
        viewer: Option<Bearer>,
        seller: UserId,
        before: Option<ListingId>,
        limit: usize,
    ) -> Result<Option<Page>, StoreError> {
        if self.users.find(seller).await?.is_none() {
            return Ok(None);
        }
        let (mut seen, mut from) = (Vec::new(), before);
        for _ in 0..LOOKS_MAX {
            let page = self.store.list_by_seller(seller, from, limit).await?;
            from = page.last().filter(|_| page.len() == limit).map(|listing| listing.id);
            seen.extend(page.into_iter().filter(|listing| is_seen_by(listing, viewer)));
            if from.is_none() || seen.len() >= limit {
                break;
            }
        }
        // Behind what is shown, and not behind a draft in between, of which nobody else learns.
        let next = if seen.len() >= limit {
            let is_more = from.is_some() || seen.len() > limit;
            seen.truncate(limit);
            seen.last().filter(|_| is_more).map(|listing| listing.id)
        } else {
            from.map(before_its_time)
        };
        Ok(Some(Page { listings: seen, next }))
    }
}

/// Whether what was refused surely did not take place.
fn changed_nothing(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable { .. })
}

/// A place in the order of listings just before the time of this one, which tells nothing else of it.
fn before_its_time(listing: ListingId) -> ListingId {
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&listing.as_bytes()[..6]);
    ListingId::from_bytes(bytes)
}

/// Whether somebody sees a listing: what was never for sale is for who writes it.
fn is_seen_by(listing: &Listing, viewer: Option<Bearer>) -> bool {
    let is_sellers = |viewer: Bearer| viewer.may(Scope::ReadListings) == Ok(listing.seller);
    listing.was_for_sale() || viewer.is_some_and(is_sellers)
}

/// Whether somebody may change a listing. Of others' drafts nobody learns that they are there.
fn is_own(listing: &Listing, caller: UserId) -> Result<(), ListingError> {
    match listing.seller == caller {
        true => Ok(()),
        false if listing.was_for_sale() => Err(ListingError::NotYours),
        false => Err(ListingError::NotFound),
    }
}

#[cfg(test)]
mod tests;
