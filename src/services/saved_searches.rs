//! Searches that people keep, to look again with one tap. What is asked for is held against the kinds of things
//! when it is kept, and never again: who changes the catalogue may leave some that make no sense any more.

use std::sync::Arc;

use barterline_domain::account::Scope;
use barterline_domain::bearer::{Bearer, Unpermitted};
use barterline_domain::catalogue::Catalogue;
use barterline_domain::clock::Clock;
use barterline_domain::ids::{SavedSearchId, UserId};
use barterline_domain::text::seen_line;
use barterline_storage::error::StoreError;
use barterline_storage::saved_searches::{SAVED_SEARCHES_MAX, SavedSearch, SavedSearches as Store};

use super::search::{Asked, SearchError};
use crate::ids::Ids;

/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 120;
/// Longest query.
const QUERY_BYTES_MAX: usize = 2_048;

/// The rules of searches that are kept.
#[derive(Clone)]
pub struct SavedSearches {
    store: Arc<dyn Store>,
    catalogue: Arc<Catalogue>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

/// A search as somebody wants it kept.
#[derive(Debug)]
pub struct Said {
    /// What they call it.
    pub name: String,
    /// What is asked for, as it is kept.
    pub query: String,
    /// The same, read.
    pub asked: Asked,
}

/// Why a search was not kept, or not found.
#[derive(Debug, thiserror::Error)]
pub enum SavedSearchError {
    /// The API key is not for that.
    #[error(transparent)]
    Unpermitted(#[from] Unpermitted),
    /// Empty, too long, or with characters that nobody sees.
    #[error("a name is of 1 to {NAME_CHARS_MAX} characters, each of which is seen")]
    Name,
    /// Too long.
    #[error("a query has at most {QUERY_BYTES_MAX} bytes, as it stands in an address")]
    TooLong,
    /// It makes no sense.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// None of the caller's.
    #[error("no such search")]
    NotFound,
    /// As many as anybody has.
    #[error("nobody keeps more than {SAVED_SEARCHES_MAX} searches")]
    Full,
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SavedSearches {
    /// The rules over these parts.
    pub fn new(
        store: Arc<dyn Store>,
        catalogue: Arc<Catalogue>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Self {
        Self { store, catalogue, clock, ids }
    }

    /// Keeps a search for the caller.
    pub async fn keep(&self, caller: Bearer, said: Said) -> Result<SavedSearch, SavedSearchError> {
        let user = caller.may(Scope::WriteListings)?;
        let (name, query) = self.checked(said)?;
        // Several at once may get past this by a few.
        if self.store.list(user).await?.len() >= SAVED_SEARCHES_MAX {
            return Err(SavedSearchError::Full);
        }
        let created = self.clock.now();
        let id = SavedSearchId::from_bytes(self.ids.ordered(created));
        let search = SavedSearch { id, name, query, created };
        self.store.put(user, search.clone()).await?;
        Ok(search)
    }

    /// Puts another in the place of one of the caller's. Of two at once the last stays.
    pub async fn change(
        &self,
        caller: Bearer,
        search: SavedSearchId,
        said: Said,
    ) -> Result<SavedSearch, SavedSearchError> {
        let user = caller.may(Scope::WriteListings)?;
        let (name, query) = self.checked(said)?;
        let kept = self.store.find(user, search).await?.ok_or(SavedSearchError::NotFound)?;
        let changed = SavedSearch { name, query, ..kept };
        self.store.put(user, changed.clone()).await?;
        Ok(changed)
    }

    /// Forgets one of the caller's.
    pub async fn remove(
        &self,
        caller: Bearer,
        search: SavedSearchId,
    ) -> Result<(), SavedSearchError> {
        let user = caller.may(Scope::WriteListings)?;
        let was_there = self.store.remove(user, search).await?;
        if was_there { Ok(()) } else { Err(SavedSearchError::NotFound) }
    }

    /// The caller's, the newest first.
    pub async fn list(&self, caller: Bearer) -> Result<Vec<SavedSearch>, SavedSearchError> {
        let user = caller.may(Scope::ReadListings)?;
        Ok(self.store.list(user).await?)
    }

    /// All that somebody keeps, for their archive.
    pub async fn all(&self, user: UserId) -> Result<Vec<SavedSearch>, StoreError> {
        self.store.list(user).await
    }

    /// Forgets all that somebody keeps.
    pub async fn erase_all(&self, user: UserId) -> Result<(), StoreError> {
        for search in self.store.list(user).await? {
            self.store.remove(user, search.id).await?;
        }
        Ok(())
    }

    /// Name and query, if they can be kept.
    fn checked(&self, said: Said) -> Result<(String, String), SavedSearchError> {
        let Said { name, query, asked } = said;
        let name = seen_line(&name, NAME_CHARS_MAX).ok_or(SavedSearchError::Name)?.to_owned();
        if query.len() > QUERY_BYTES_MAX {
            return Err(SavedSearchError::TooLong);
        }
        asked.check(&self.catalogue, self.clock.now())?;
        Ok((name, query))
    }
}
