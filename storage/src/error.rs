//! What can go wrong in a store, by what the caller can do about it.

/// A store's refusal.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The store does not take this at the moment; nothing changed. Try again later.
    #[error("{operation}: the store is not available: {reason}")]
    Unavailable {
        /// What was tried.
        operation: &'static str,
        /// Why not.
        reason: String,
    },
    /// Nobody knows whether it happened. Read before trying again.
    #[error("{operation}: the outcome is unknown")]
    Unknown {
        /// What was tried.
        operation: &'static str,
    },
    /// Stored data is damaged at this place. Trying again does not help.
    #[error("{operation}: damaged data at {place}")]
    Corrupt {
        /// What was tried.
        operation: &'static str,
        /// File and offset, or table and key.
        place: String,
    },
}

impl StoreError {
    /// The operation cannot be carried out now.
    pub fn unavailable(operation: &'static str, reason: impl std::fmt::Display) -> Self {
        Self::Unavailable { operation, reason: reason.to_string() }
    }

    /// The data at `place` is damaged.
    pub fn corrupt(operation: &'static str, place: impl std::fmt::Display) -> Self {
        Self::Corrupt { operation, place: place.to_string() }
    }
}
