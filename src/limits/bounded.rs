//! A value for each of many, of whom a stranger can invent any number.

use std::hash::{BuildHasher as _, Hash};
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use parking_lot::Mutex;

/// Most keys with a value of their own: at some 50 bytes each, 13 MB.
const KEYS_MAX: usize = 1 << 18;
/// Values that all further keys share: 64 kB.
const SHARED: usize = 1 << 12;

/// A value for each key, and bounded: beyond [`KEYS_MAX`] keys, new ones share values, by a hash that
/// nobody outside can compute. Nobody is kept out by those who fill it.
pub struct Bounded<K, V> {
    own: DashMap<K, V>,
    keys: AtomicUsize,
    keys_max: usize,
    shared: Box<[Mutex<V>]>,
}

impl<K: Eq + Hash, V: Default> Bounded<K, V> {
    pub fn new() -> Self {
        Self::of(KEYS_MAX)
    }

    fn of(keys_max: usize) -> Self {
        let shared = (0..SHARED).map(|_| Mutex::default()).collect();
        Self { own: DashMap::new(), keys: AtomicUsize::new(0), keys_max, shared }
    }

    /// Does something with the value of a key.
    pub fn with<R>(&self, key: K, act: impl FnOnce(&mut V) -> R) -> R {
        match self.own.entry(key) {
            Entry::Occupied(mut own) => act(own.get_mut()),
            Entry::Vacant(vacant) if self.keys.load(Ordering::Relaxed) < self.keys_max => {
                self.keys.fetch_add(1, Ordering::Relaxed);
                act(vacant.insert(V::default()).value_mut())
            }
            Entry::Vacant(vacant) => {
                let hash = self.own.hasher().hash_one(vacant.into_key());
                act(&mut self.shared[hash as usize % SHARED].lock())
            }
        }
    }

    /// Whether a key has a value of its own.
    pub fn has(&self, key: &K) -> bool {
        self.own.contains_key(key)
    }

    /// Forgets a key's own value.
    pub fn forget(&self, key: &K) {
        if self.own.remove(key).is_some() {
            self.keys.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Forgets all values that are not worth keeping.
    pub fn retain(&self, mut is_worth: impl FnMut(&V) -> bool) {
        let mut forgotten = 0;
        self.own.retain(|_, value| {
            let kept = is_worth(value);
            forgotten += usize::from(!kept);
            kept
        });
        self.keys.fetch_sub(forgotten, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_keys_take_no_more_than_the_room_there_is() {
        let counts = Bounded::<u64, u64>::of(100);
        let count = |key| {
            counts.with(key, |count| {
                *count += 1;
                *count
            })
        };
        for key in 0..10_000 {
            count(key);
        }
        assert_eq!(counts.own.len(), 100);
        assert_eq!((count(7), count(7)), (2, 3), "who was there keeps a value");
        let late = (20_000..20_100).any(|key| count(key) > 1);
        assert!(late, "who comes late has one with others");
        counts.retain(|count| *count > 1);
        assert_eq!(counts.own.len(), 1);
        count(30_000);
        assert_eq!(counts.own.len(), 2, "and there is room again");
    }
}
