//! The present: the only place that reads the wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

use barterline_domain::clock::{Clock, Timestamp};

/// The machine's wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // A clock set before 1970 reads as 1970: everything looks expired, nothing panics.
        #[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}
