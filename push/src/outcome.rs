//! What became of an attempt, by what the caller does next.

use std::time::Duration;

/// The outcome of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The provider took it.
    Accepted,
    /// Try again, not before this has passed.
    Retry {
        /// How long to wait.
        after: Duration,
    },
    /// The device is gone: forget its token.
    DeviceGone,
    /// The provider will never take this alert.
    Refused {
        /// The provider's reason.
        reason: String,
    },
}
