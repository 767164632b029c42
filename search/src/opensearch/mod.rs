//! What an OpenSearch is told, and what its answers mean: values in, JSON out, and back. Nothing here
//! speaks HTTP.
//!
//! Text becomes words here, as it does for the engine in the process, and the index takes them as they
//! are: both engines find the same, in any language, whatever is installed over there. What somebody
//! typed stands in `term`, `terms`, `prefix` and `fuzzy` alone, none of which has a language of its own.
//!
//! What is weaker than in the process: pages by relevance are told apart by the score of the last hit,
//! and scores shift when the index changes between two pages; each facet of texts is counted over its
//! [`SPELLINGS_MAX`] most frequent spellings; suggestions are taken from the [`TITLES_MAX`] newest
//! titles that fit.

mod answer;
mod document;
mod index;
mod question;
mod suggestion;
mod words;

use barterline_domain::ids::ListingId;
use barterline_domain::listing::Listing;
use serde_json::Value;

use crate::embedded::Language;
use crate::engine::Position;
use crate::query::{Query, QueryError};

pub use answer::{Unreadable, Versions, refused};
pub use index::POSITION_ID;
pub use question::Question;
pub use suggestion::{Completion, Suggestion};

/// Spellings of the values of a facet that are counted.
pub const SPELLINGS_MAX: usize = 500;
/// Titles that suggestions are taken from.
pub const TITLES_MAX: usize = 300;

/// Translates, for listings in some languages. Indexes of other languages are not for it.
#[derive(Debug, Clone)]
pub struct Translator {
    languages: Vec<Language>,
}

impl Translator {
    /// For these languages.
    pub fn new(languages: Vec<Language>) -> Self {
        Self { languages }
    }

    /// How an index is made. Only who writes under `gate`, a name that goes with the index, writes into
    /// it, and never into one of the same name that was made by writing.
    pub fn index(&self, gate: &str) -> Value {
        index::made(&self.languages, gate)
    }

    /// Whether an index whose mapping has this `_meta` is one as this would make it.
    pub fn is_ours(&self, meta: &Value) -> bool {
        *meta == index::meta(&self.languages)
    }

    /// How far the feed was read, as it stands in the index.
    pub fn position(position: &Position) -> Value {
        index::position(position)
    }

    /// Reads what [`Self::position`] wrote; `None`: it is nothing of the kind.
    pub fn read_position(source: &Value) -> Option<Position> {
        index::read_position(source)
    }

    /// Lines of a bulk request that put a listing. What the index has of a later version stays.
    pub fn put(&self, listing: &Listing) -> String {
        document::put(listing, &self.languages)
    }

    /// The line of a bulk request that takes a listing out, of which the index has this version. What is
    /// written of a later one meanwhile stays.
    pub fn remove(listing: ListingId, version: u64) -> String {
        document::remove(listing, version)
    }

    /// A search, if it makes sense.
    pub fn question(&self, query: Query) -> Result<Question, QueryError> {
        Question::new(query, &self.languages)
    }
}
