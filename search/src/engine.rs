//! The door to an engine, and what goes in.

use async_trait::async_trait;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::ListingId;
use barterline_domain::listing::Listing;

use crate::error::SearchError;
use crate::page::Page;
use crate::query::Query;

/// What became of a listing. Applied twice it is as if applied once.
#[derive(Debug, Clone)]
pub enum Change {
    /// It is like this now.
    Put(Box<Listing>),
    /// It is gone.
    Remove(ListingId),
}

/// How far the feed of changes was read. What the bytes mean is known to who reads the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position(pub Vec<u8>);

/// How large an index is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Listings that can be found.
    pub documents: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Parts that a search looks into one after another.
    pub segments: usize,
}

/// What finds listings.
#[async_trait]
pub trait SearchEngine: Send + Sync {
    /// Up to where the feed is applied; `None`: nothing is, so that a [`Self::rebuild`] is wanted.
    fn position(&self) -> Option<Position>;

    /// The same, where others may have made the index meanwhile: asks whoever keeps it.
    async fn look(&self) -> Result<Option<Position>, SearchError> {
        Ok(self.position())
    }

    /// Applies changes in their order. When it returns they are durable and found, together with their
    /// position; after an error the index stands where [`Self::position`] says, and what follows that may
    /// be applied again. In the process none of them is found then.
    ///
    /// Goes on to its end when the caller stops waiting, or may be applied again.
    async fn apply(&self, changes: Vec<Change>, position: Position) -> Result<(), SearchError>;

    /// Finds listings.
    async fn search(&self, query: Query) -> Result<Page, SearchError>;

    /// What somebody may be about to type, the most frequent first: phrases from the titles of what is
    /// for sale at `now`, at most `limit` and [`SUGGESTIONS_MAX`]. Of what was typed the first 200
    /// characters count.
    async fn suggest(
        &self,
        typed: &str,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<String>, SearchError>;

    /// Begins an empty index beside the present one, which goes on serving. One at a time:
    /// [`SearchError::Rebuilding`].
    async fn rebuild(&self) -> Result<Box<dyn Rebuild>, SearchError>;

    /// How large the index is.
    fn stats(&self) -> Stats;
}

/// Most suggestions.
pub const SUGGESTIONS_MAX: usize = 20;

/// An index that is being made anew. Nothing of it stays if it is dropped, or after an error.
#[async_trait]
pub trait Rebuild: Send {
    /// Applies changes in their order. They are durable and found once it is finished.
    async fn apply(&mut self, changes: Vec<Change>) -> Result<(), SearchError>;

    /// Takes the place of the present index. From then on `position` counts: all before it
    /// has to be in this index, as what was applied to the old one meanwhile is not.
    async fn finish(self: Box<Self>, position: Position) -> Result<(), SearchError>;
}
