//! What listings are found by.
//!
//! [`SearchEngine`] is the door; [`embedded`] is the engine in the process, on tantivy; [`opensearch`] is
//! what an engine that several servers share is told, by whoever speaks to one. An index is derived: the
//! store has the truth, and whatever happens to an index, it is made anew from there.
//!
//! - **Fed by changes.** Each [`Change`] says all of a listing, so that any of them may come twice. A
//!   batch becomes durable and visible in one commit, together with the [`Position`] up to which the
//!   feed was read: after a crash one goes on from there.
//! - **No language of queries.** Text is split into words and looked up; no character has a meaning.
//! - **Pages hold still.** A page goes on behind the last hit (sort key, then id). Relevance depends on
//!   how rare words are, which changes with every listing; so a [`Cursor`](cursor::Cursor) carries the
//!   counts of the first page, and a listing that did not change keeps its score on every page, across
//!   commits, merges and servers. All sums are of integers, as those of floats depend on their order.
//! - **Bounded.** Words, filters, facets, hits, searches at once, and the time of each.
//!
//! | file | |
//! |---|---|
//! | `engine` | the traits, and what goes in |
//! | `query` `near` `page` `cursor` | what is asked, and what is answered |
//! | `embedded/generation` `writer` `rebuild` | directories on disk; commits; making an index anew |
//! | `embedded/text` `schema` | how a listing becomes words and columns |
//! | `embedded/relevance` `filter` `facets` `search` `suggest` | how a query is answered |
//! | `opensearch` | the same as JSON, for an engine that several servers share |

pub mod cursor;
pub mod embedded;
pub mod engine;
pub mod error;
pub mod near;
pub mod opensearch;
pub mod page;
pub mod query;

pub use embedded::{Language, UnknownLanguage};
pub use engine::{Change, Position, Rebuild, SearchEngine, Stats};
pub use error::SearchError;
pub use query::{AttributeFilter, Facet, Filter, PriceRange, Query, QueryError, Sort, Words};
