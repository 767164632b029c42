//! Searches that are not kept as they should be.

use std::cmp::Reverse;
use std::sync::Arc;

use async_trait::async_trait;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{SavedSearchId, UserId};
use parking_lot::Mutex;

use super::breaches;
use crate::error::StoreError;
use crate::saved_searches::{SAVED_SEARCHES_MAX, SavedSearch, SavedSearches};

breaches! {
    /// What is kept is lost.
    NothingIsKept,
    /// What is there stays as it is.
    FirstStays,
    /// What is forgotten stays.
    SearchesStay,
    /// What was not there passes for forgotten.
    EveryRemovalCounts,
    /// Everybody forgets what one forgets.
    AnybodyForgets,
    /// Everybody finds what one keeps.
    EverybodysAreFound,
    /// Names end at 64 characters.
    NamesAreCut,
    /// Queries end at 255 bytes.
    QueriesAreCut,
    /// When a search was first kept is lost.
    TimesAreLost,
    /// The oldest come first.
    OldestComeFirst,
    /// What was kept last comes first, whatever its id.
    ListsGoByTime,
    /// What others keep is listed.
    OthersAreListed,
    /// What was forgotten is listed.
    ForgottenAreListed,
    /// A list has one fewer than it may.
    ListsEndEarly,
}

/// Searches over sound ones.
pub struct Mutant {
    sound: Arc<dyn SavedSearches>,
    breach: Option<Breach>,
    /// What was kept, by whom.
    kept: Mutex<Vec<(UserId, SavedSearch)>>,
}

impl Mutant {
    /// These with this breach, or sound as they are.
    pub fn over(sound: Arc<dyn SavedSearches>, breach: Option<Breach>) -> Self {
        Self { sound, breach, kept: Mutex::default() }
    }

    /// What was ever kept of those that fit.
    fn kept(&self, fits: impl Fn(UserId, SavedSearchId) -> bool) -> Vec<(UserId, SavedSearch)> {
        let kept = self.kept.lock();
        kept.iter().filter(|(user, search)| fits(*user, search.id)).cloned().collect()
    }

    fn broken(&self, mut search: SavedSearch) -> SavedSearch {
        match self.breach {
            Some(Breach::NamesAreCut) => search.name = search.name.chars().take(64).collect(),
            Some(Breach::QueriesAreCut) => search.query.truncate(255),
            Some(Breach::TimesAreLost) => search.created = Timestamp::from_millis(0),
            _ => {}
        }
        search
    }
}

#[async_trait]
impl SavedSearches for Mutant {
    async fn put(&self, user: UserId, search: SavedSearch) -> Result<(), StoreError> {
        match self.breach {
            Some(Breach::NothingIsKept) => return Ok(()),
            Some(Breach::FirstStays) if self.sound.find(user, search.id).await?.is_some() => {
                return Ok(());
            }
            _ => {}
        }
        self.kept.lock().push((user, search.clone()));
        self.sound.put(user, search).await
    }

    async fn remove(&self, user: UserId, search: SavedSearchId) -> Result<bool, StoreError> {
        match self.breach {
            Some(Breach::SearchesStay) => Ok(self.sound.find(user, search).await?.is_some()),
            Some(Breach::EveryRemovalCounts) => {
                self.sound.remove(user, search).await?;
                Ok(true)
            }
            Some(Breach::AnybodyForgets) => {
                let removed = self.sound.remove(user, search).await?;
                for (other, _) in self.kept(|_, id| id == search) {
                    self.sound.remove(other, search).await?;
                }
                Ok(removed)
            }
            _ => self.sound.remove(user, search).await,
        }
    }

    async fn find(
        &self,
        user: UserId,
        search: SavedSearchId,
    ) -> Result<Option<SavedSearch>, StoreError> {
        let found = self.sound.find(user, search).await?.map(|found| self.broken(found));
        if found.is_some() || self.breach != Some(Breach::EverybodysAreFound) {
            return Ok(found);
        }
        Ok(self.kept(|_, id| id == search).pop().map(|(_, search)| search))
    }

    async fn list(&self, user: UserId) -> Result<Vec<SavedSearch>, StoreError> {
        let mut all = self.sound.list(user).await?;
        match self.breach {
            Some(Breach::OldestComeFirst) => all.reverse(),
            Some(Breach::ListsGoByTime) => all.sort_by_key(|search| Reverse(search.created)),
            Some(Breach::OthersAreListed) => {
                let others = self.kept(|other, _| other != user);
                all.extend(others.into_iter().map(|(_, search)| search));
            }
            Some(Breach::ForgottenAreListed) => {
                let ever = self.kept(|other, _| other == user);
                all.extend(ever.into_iter().map(|(_, search)| search));
                all.sort_by_key(|search| Reverse(search.id));
                all.dedup_by_key(|search| search.id);
            }
            Some(Breach::ListsEndEarly) => all.truncate(SAVED_SEARCHES_MAX - 1),
            _ => {}
        }
        Ok(all)
    }
}
