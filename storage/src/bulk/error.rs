//! Why a store cannot be moved, each with what to do.

use std::io;
use std::path::Path;

use crate::error::StoreError;

/// Why an export or an import ended.
#[derive(Debug, thiserror::Error)]
pub enum BulkError {
    /// A file cannot be read or written.
    #[error("{place}: {source}")]
    File {
        /// Which.
        place: String,
        /// Why.
        source: io::Error,
    },
    /// The archive is not what it should be.
    #[error("{place}: {what}")]
    Archive {
        /// Which directory or file.
        place: String,
        /// What is wrong with it, and what to do.
        what: String,
    },
    /// The store cannot take this import.
    #[error("this import cannot be made here: {0}")]
    Refused(String),
    /// After the import, this is not as the archive has it.
    #[error("{what} is not as in the archive: {how}; the store is not opened for use")]
    Differs {
        /// What.
        what: String,
        /// How.
        how: String,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BulkError {
    /// A file system's error at `path`.
    pub fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { place: path.display().to_string(), source }
    }

    /// Something is wrong with an archive.
    pub fn archive(path: &Path, what: impl Into<String>) -> Self {
        Self::Archive { place: path.display().to_string(), what: what.into() }
    }
}
