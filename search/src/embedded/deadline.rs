//! Until when a search may go on.

use std::time::{Duration, Instant};

use tantivy::TantivyError;

use crate::error::SearchError;

/// Until when a search may go on.
pub struct Deadline(Instant);

/// Why a search ended before its end.
#[derive(Debug)]
pub enum Stopped {
    TooSlow,
    Failed(TantivyError),
}

impl Deadline {
    /// So far from now.
    pub fn within(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    /// To be asked between pieces of work.
    pub fn check(&self) -> Result<(), Stopped> {
        if Instant::now() < self.0 { Ok(()) } else { Err(Stopped::TooSlow) }
    }
}

impl Stopped {
    /// What the caller is told.
    pub fn during(self, what: &'static str) -> SearchError {
        match self {
            Self::TooSlow => SearchError::TooSlow,
            Self::Failed(error) => SearchError::Failed { what, source: error.into() },
        }
    }
}

impl From<TantivyError> for Stopped {
    fn from(error: TantivyError) -> Self {
        Self::Failed(error)
    }
}

impl From<std::io::Error> for Stopped {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.into())
    }
}
