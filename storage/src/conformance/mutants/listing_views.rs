//! Views that are not counted as they should be.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use barterline_domain::ids::ListingId;
use parking_lot::Mutex;

use super::{AtOnce, breaches};
use crate::error::StoreError;
use crate::listing_views::ListingViews;

breaches! {
    /// What is added is lost.
    NothingIsAdded,
    /// What is added last is all there is.
    LastIsKept,
    /// Of several listings the first is counted alone.
    OnlyTheFirstIsAdded,
    /// Counts end at 32 bits.
    CountsAreCut,
    /// Of several additions at once one is made.
    AtOnceAreLost,
    /// Every listing has the views of all.
    ViewsAreShared,
    /// What nobody looked at was looked at once.
    NobodyCounts,
}

/// What every listing is counted as, where views are shared.
const EVERYTHING: ListingId = ListingId::from_bytes([0xee; 16]);

/// Views over sound ones.
pub struct Mutant {
    sound: Arc<dyn ListingViews>,
    breach: Option<Breach>,
    /// What was added last.
    last: Mutex<HashMap<ListingId, u64>>,
    /// Who comes at once.
    at_once: AtOnce,
}

impl Mutant {
    /// These with this breach, or sound as they are.
    pub fn over(sound: Arc<dyn ListingViews>, breach: Option<Breach>) -> Self {
        Self { sound, breach, last: Mutex::default(), at_once: AtOnce::default() }
    }
}

#[async_trait]
impl ListingViews for Mutant {
    async fn add(&self, views: &[(ListingId, u64)]) -> Result<(), StoreError> {
        match self.breach {
            Some(Breach::NothingIsAdded) => Ok(()),
            Some(Breach::LastIsKept) => {
                self.last.lock().extend(views.iter().copied());
                Ok(())
            }
            Some(Breach::OnlyTheFirstIsAdded) => {
                self.sound.add(views.get(..1).unwrap_or_default()).await
            }
            Some(Breach::AtOnceAreLost) if self.at_once.another_comes().await => Ok(()),
            Some(Breach::ViewsAreShared) => {
                let all: u64 = views.iter().map(|(_, more)| more).sum();
                self.sound.add(&[(EVERYTHING, all)]).await
            }
            _ => self.sound.add(views).await,
        }
    }

    async fn count(&self, listing: ListingId) -> Result<u64, StoreError> {
        match self.breach {
            Some(Breach::LastIsKept) => Ok(self.last.lock().get(&listing).copied().unwrap_or(0)),
            Some(Breach::CountsAreCut) => {
                Ok(self.sound.count(listing).await? & u64::from(u32::MAX))
            }
            Some(Breach::ViewsAreShared) => self.sound.count(EVERYTHING).await,
            Some(Breach::NobodyCounts) => Ok(self.sound.count(listing).await?.max(1)),
            _ => self.sound.count(listing).await,
        }
    }
}
