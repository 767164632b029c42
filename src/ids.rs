//! Where new ids and secrets come from: the only place that asks for randomness.

use barterline_domain::clock::Timestamp;
use rand::TryRngCore as _;
use rand::rngs::OsRng;

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

    /// An id that sorts by the time it was made (UUID version 7); of two from one millisecond
    /// either may come first.
    fn ordered(&self, now: Timestamp) -> [u8; 16] {
        let mut tail = [0; 10];
        tail.copy_from_slice(&self.secret()[..10]);
        uuid::Builder::from_unix_timestamp_millis(now.as_millis(), &tail).into_uuid().into_bytes()
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
        assert_ne!(SystemIds.random(), SystemIds.random());
    }
}
