//! Favourites that are not kept as they should be.

use std::sync::Arc;

use async_trait::async_trait;
use barterline_domain::ids::{ListingId, UserId};

use super::breaches;
use crate::error::StoreError;
use crate::favourites::{Favourite, Favourites};

breaches! {
    /// What is added is lost.
    NothingIsAdded,
    /// What is added again is newer.
    TimesAreRenewed,
    /// Every change passes for one.
    EveryChangeCounts,
    /// What is removed stays.
    FavouritesStay,
    /// Everybody likes what one likes.
    EverybodyLikes,
    /// The first come first.
    FirstComeFirst,
    /// What others like is listed.
    OthersAreListed,
    /// Who likes something no more is counted.
    RemovedAreCounted,
    /// All are counted.
    CountsGoOn,
}

/// Favourites over sound ones.
pub struct Mutant {
    sound: Arc<dyn Favourites>,
    breach: Option<Breach>,
}

impl Mutant {
    /// These with this breach, or sound as they are.
    pub fn over(sound: Arc<dyn Favourites>, breach: Option<Breach>) -> Self {
        Self { sound, breach }
    }
}

/// Who likes what one likes, where everybody does.
const EVERYBODY: UserId = UserId::from_bytes([0xee; 16]);

#[async_trait]
impl Favourites for Mutant {
    async fn add(&self, user: UserId, favourite: Favourite) -> Result<bool, StoreError> {
        let changed = match self.breach {
            Some(Breach::NothingIsAdded) => return Ok(true),
            Some(Breach::TimesAreRenewed) => {
                let before = self.sound.remove(user, favourite.listing).await?;
                self.sound.add(user, favourite).await?;
                !before
            }
            Some(Breach::EverybodyLikes | Breach::OthersAreListed) => {
                self.sound.add(EVERYBODY, favourite).await?;
                self.sound.add(user, favourite).await?
            }
            _ => self.sound.add(user, favourite).await?,
        };
        Ok(changed || self.breach == Some(Breach::EveryChangeCounts))
    }

    async fn remove(&self, user: UserId, listing: ListingId) -> Result<bool, StoreError> {
        match self.breach {
            Some(Breach::FavouritesStay) => Ok(self.sound.find(user, listing).await?.is_some()),
            Some(Breach::RemovedAreCounted) => {
                let found = self.sound.find(user, listing).await?;
                if let Some(found) = found {
                    self.sound.add(EVERYBODY, found).await?;
                }
                self.sound.remove(user, listing).await
            }
            _ => self.sound.remove(user, listing).await,
        }
    }

    async fn find(
        &self,
        user: UserId,
        listing: ListingId,
    ) -> Result<Option<Favourite>, StoreError> {
        let found = self.sound.find(user, listing).await?;
        if found.is_none() && self.breach == Some(Breach::EverybodyLikes) {
            return self.sound.find(EVERYBODY, listing).await;
        }
        Ok(found)
    }

    async fn list(&self, user: UserId) -> Result<Vec<Favourite>, StoreError> {
        let mut all = self.sound.list(user).await?;
        match self.breach {
            Some(Breach::FirstComeFirst) => all.reverse(),
            Some(Breach::OthersAreListed) => all.extend(self.sound.list(EVERYBODY).await?),
            _ => {}
        }
        Ok(all)
    }

    async fn count(&self, listing: ListingId) -> Result<u64, StoreError> {
        let count = self.sound.count(listing).await?;
        let is_full = count == crate::favourites::COUNTED_MAX;
        Ok(if is_full && self.breach == Some(Breach::CountsGoOn) { count + 1 } else { count })
    }
}
