//! What can go wrong.

use std::path::PathBuf;

use crate::query::QueryError;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The query makes no sense; it never will.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Too many search at once; try again.
    #[error("too many searches at once")]
    Busy,
    /// The search took longer than it may; a narrower one may not.
    #[error("the search took too long")]
    TooSlow,
    /// An index is being made anew already, or the one that was could not be.
    #[error("an index is being made anew already, or that failed before")]
    Rebuilding,
    /// Another process works on the same directory.
    #[error("another process uses the index in {}", .0.display())]
    Locked(PathBuf),
    /// The disk refused, or the index is damaged. Nothing changed; the next attempt may succeed.
    #[error("could not {what}")]
    Failed {
        /// The operation.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
