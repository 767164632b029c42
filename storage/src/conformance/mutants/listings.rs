//! Listings that are not kept as they should be.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use barterline_domain::ids::{ListingId, UserId};
use barterline_domain::listing::details::Details;
use barterline_domain::listing::{HISTORY_MAX, Listing, ListingText};

use super::{AtOnce, breaches};
use crate::error::StoreError;
use crate::listings::{Changes, FeedPlace, Listings, Replaced};

breaches! {
    /// An insert with a taken id passes for done.
    TakenIdsAreAccepted,
    /// A listing of a taken id stands among those of its seller.
    TakenIdsAreListed,
    /// A description is lost.
    DescriptionsAreLost,
    /// Amounts end at 32 bits.
    AmountsAreCut,
    /// What else is said of a thing is lost.
    DetailsAreLost,
    /// All photos but the first are lost.
    PhotosAreLost,
    /// Where a thing is kept is lost.
    SourcesAreLost,
    /// Why a listing is over is lost.
    ReasonsAreLost,
    /// Listings never end.
    EndsAreLost,
    /// The first of a full history is lost.
    HistoryIsCut,
    /// A replacement does nothing.
    NothingIsReplaced,
    /// A replacement takes place whatever the version.
    EveryVersionIsReplaced,
    /// Of several at once each is told that it is in place.
    AllAtOnceWin,
    /// A missing listing passes for one of another version.
    MissingPassesForChanged,
    /// A page has one more than it may.
    PagesAreLarger,
    /// The oldest come first.
    OldestComeFirst,
    /// A page begins with the one it should begin behind.
    PagesOverlap,
    /// Those of the next seller are listed too.
    OthersAreListed,
    /// A feed stands one change further than it does.
    FeedsAreAhead,
    /// What is replaced is in no feed.
    ReplacedAreUntold,
    /// A page of the feed loses its last.
    LastOfAPageIsUntold,
    /// A page of the feed has one more than it may.
    FeedPagesAreLarger,
    /// There is no more behind a page of the feed.
    FeedsEndEarly,
    /// A place that no feed has is read from.
    EveryPlaceIsKnown,
}

/// Listings over sound ones.
pub struct Mutant {
    sound: Arc<dyn Listings>,
    breach: Option<Breach>,
    /// Who comes at once.
    at_once: AtOnce,
    /// Whether the feed stands where its end was asked for, and there is a change that nobody is told of.
    is_ahead: AtomicBool,
}

impl Mutant {
    /// These with this breach, or sound as they are.
    pub fn over(sound: Arc<dyn Listings>, breach: Option<Breach>) -> Self {
        Self { sound, breach, at_once: AtOnce::default(), is_ahead: AtomicBool::default() }
    }
}

impl Mutant {
    /// Replaces a listing whatever its version.
    async fn force(&self, listing: Listing) -> Result<Replaced, StoreError> {
        let Some(stored) = self.sound.find(listing.id).await? else {
            return Ok(Replaced::Missing);
        };
        let next = Listing { version: stored.version + 1, ..listing };
        self.sound.replace(next).await
    }

    fn broken(&self, mut listing: Listing) -> Listing {
        match self.breach {
            Some(Breach::DescriptionsAreLost) => {
                let title = listing.text.title().to_owned();
                listing.text = ListingText::parse(&title, String::new()).expect("a text");
            }
            Some(Breach::AmountsAreCut) => listing.price.minor &= u64::from(u32::MAX),
            Some(Breach::DetailsAreLost) => listing.details = Details::default(),
            Some(Breach::PhotosAreLost) => listing.details.photos.truncate(1),
            Some(Breach::SourcesAreLost) => listing.details.external = None,
            Some(Breach::ReasonsAreLost) => listing.reason = None,
            Some(Breach::EndsAreLost) => listing.expires_at = None,
            Some(Breach::HistoryIsCut) if listing.history.len() == HISTORY_MAX => {
                listing.history.remove(0);
            }
            _ => {}
        }
        listing
    }
}

#[async_trait]
impl Listings for Mutant {
    async fn insert(&self, listing: Listing) -> Result<(), StoreError> {
        let inserted = self.sound.insert(listing.clone()).await;
        match self.breach {
            Some(Breach::TakenIdsAreAccepted) => Ok(()),
            Some(Breach::TakenIdsAreListed) if inserted.is_err() => {
                self.force(listing).await?;
                inserted
            }
            _ => inserted,
        }
    }

    async fn find(&self, listing: ListingId) -> Result<Option<Listing>, StoreError> {
        Ok(self.sound.find(listing).await?.map(|found| self.broken(found)))
    }

    async fn replace(&self, listing: Listing) -> Result<Replaced, StoreError> {
        match self.breach {
            Some(Breach::NothingIsReplaced) => Ok(Replaced::Yes),
            Some(Breach::EveryVersionIsReplaced) => self.force(listing).await,
            Some(Breach::AllAtOnceWin) if self.at_once.another_comes().await => Ok(Replaced::Yes),
            Some(Breach::MissingPassesForChanged) => {
                let replaced = self.sound.replace(listing).await?;
                let missing = replaced == Replaced::Missing;
                Ok(if missing { Replaced::VersionChanged } else { replaced })
            }
            _ => self.sound.replace(listing).await,
        }
    }

    async fn list_by_seller(
        &self,
        seller: UserId,
        before: Option<ListingId>,
        limit: usize,
    ) -> Result<Vec<Listing>, StoreError> {
        let list = async |limit| self.sound.list_by_seller(seller, before, limit).await;
        let mut page = match self.breach {
            Some(Breach::PagesAreLarger) => list(limit + 1).await?,
            _ => list(limit).await?,
        };
        match self.breach {
            Some(Breach::OldestComeFirst) => page.reverse(),
            Some(Breach::PagesOverlap) => {
                if let Some(before) = before {
                    page.splice(..0, self.sound.find(before).await?);
                    page.truncate(limit);
                }
            }
            Some(Breach::OthersAreListed) => {
                let next = UserId::from_bytes(seller.as_bytes().map(|byte| byte + 1));
                page.extend(self.sound.list_by_seller(next, before, limit).await?);
                page.truncate(limit);
            }
            _ => {}
        }
        Ok(page)
    }

    async fn feed_end(&self) -> Result<FeedPlace, StoreError> {
        if self.breach == Some(Breach::FeedsAreAhead) {
            self.is_ahead.store(true, Ordering::Relaxed);
        }
        self.sound.feed_end().await
    }

    async fn changes(
        &self,
        after: &FeedPlace,
        limit: usize,
    ) -> Result<Option<Changes>, StoreError> {
        let wanted = match self.breach {
            Some(Breach::FeedPagesAreLarger) => limit + 1,
            _ => limit,
        };
        let Some(mut changes) = self.sound.changes(after, wanted).await? else {
            let sound = self.sound.feed_end().await?;
            let known = Changes { listings: Vec::new(), next: sound, more: false };
            return Ok((self.breach == Some(Breach::EveryPlaceIsKnown)).then_some(known));
        };
        match self.breach {
            Some(Breach::LastOfAPageIsUntold) if changes.more => {
                changes.listings.pop();
            }
            Some(Breach::FeedsEndEarly) => changes.more = false,
            Some(Breach::ReplacedAreUntold) => {
                let mut kept = Vec::new();
                for listing in changes.listings {
                    let found = self.sound.find(listing).await?;
                    kept.extend(found.filter(|found| found.version == 1).map(|found| found.id));
                }
                changes.listings = kept;
            }
            Some(Breach::FeedsAreAhead) if self.is_ahead.swap(false, Ordering::Relaxed) => {
                changes.listings.drain(..changes.listings.len().min(1));
            }
            _ => {}
        }
        Ok(Some(changes))
    }
}
