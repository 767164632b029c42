//! Where new ids and secrets come from: the only place that asks for randomness.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use barterline_domain::clock::Timestamp;
use rand::TryRngCore as _;
use rand::rngs::OsRng;

/// Ids of one millisecond: 4,096; more borrow from the next.
const COUNTER_BITS: u32 = 12;

/// Half to one and a half times a pause, so that what failed together does not come again together.
pub fn around(pause: Duration, ids: &dyn Ids) -> Duration {
    pause / 2 + pause * u32::from(ids.secret()[0]) / 255
}

/// A source of ids and secrets.
pub trait Ids: Send + Sync {
    /// Thirty-two bytes that nobody can guess.
    fn secret(&self) -> [u8; 32];

    /// A random id (UUID version 4).
    fn random(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.secret()[..16]);
        uuid::Builder::from_random_bytes(bytes).into_uuid().into_bytes()
    }

    /// An id that sorts by the time it was made, and within this process behind every earlier one
    /// (UUID version 7 with a counter: RFC 9562, section 6.2, method 1).
    fn ordered(&self, now: Timestamp) -> [u8; 16] {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let least = now.as_millis() << COUNTER_BITS;
        let next = |last: u64| Some(least.max(last + 1));
        let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        let tick = least.max(last.unwrap_or_else(|last| last) + 1);
        let mut tail = [0; 10];
        tail.copy_from_slice(&self.secret()[..10]);
        let counter = (tick & ((1 << COUNTER_BITS) - 1)) as u16;
        tail[..2].copy_from_slice(&counter.to_be_bytes());
        let millis = tick >> COUNTER_BITS;
        uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid().into_bytes()
    }
}

/// The operating system's randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemIds;

impl Ids for SystemIds {
    fn secret(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        OsRng
            .try_fill_bytes(&mut bytes)
            .expect("a system without randomness can keep no secret: there is no way on");
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordered_ids_sort_by_time() {
        let early = SystemIds.ordered(Timestamp::from_millis(1_000));
        let late = SystemIds.ordered(Timestamp::from_millis(1_001));
        assert!(early < late);
        let same: Vec<_> =
            (0..10_000).map(|_| SystemIds.ordered(Timestamp::from_millis(1_002))).collect();
        assert!(same.is_sorted_by(|a, b| a < b), "one millisecond, one order");
        assert_ne!(SystemIds.random(), SystemIds.random());
    }
}
