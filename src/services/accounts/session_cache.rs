//! What this process knows about sessions, so that a token check asks no store.
//!
//! The store knows better and is asked where this knows nothing, so anything here may be forgotten
//! at any time. Revoked stays revoked while it is known: a store read that began before a
//! revocation cannot undo it.

use std::sync::atomic::{AtomicUsize, Ordering};

use barterline_domain::clock::Timestamp;
use barterline_domain::ids::SessionId;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;

use crate::auth::token::ACCESS_LIFETIME_MAX;

/// Sessions remembered at most: 40 bytes each with the table's slack, so about 10 MB.
const SESSIONS_MAX: usize = 200_000;

/// Whether a session goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Good,
    /// It was ended.
    Revoked,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    standing: Standing,
    /// No token of the session that was issued before can outlive this.
    until: Timestamp,
}

/// The sessions this process has seen.
#[derive(Debug)]
pub struct SessionCache {
    sessions: DashMap<SessionId, Known>,
    /// Counts entries: asking the map for its length locks every shard.
    len: AtomicUsize,
    len_max: usize,
}

impl Default for SessionCache {
    fn default() -> Self {
        Self::with_capacity(SESSIONS_MAX)
    }
}

impl SessionCache {
    fn with_capacity(len_max: usize) -> Self {
        Self { sessions: DashMap::new(), len: AtomicUsize::new(0), len_max }
    }

    /// What is known of a session.
    pub fn find(&self, session: SessionId, now: Timestamp) -> Option<Standing> {
        let known = self.sessions.get(&session)?;
        (now < known.until).then_some(known.standing)
    }

    /// Takes what the store said of a session; gives what stands, which a revocation since may
    /// have changed.
    pub fn learnt(&self, session: SessionId, standing: Standing, now: Timestamp) -> Standing {
        self.put(session, standing, now)
    }

    /// Takes that a session was ended.
    pub fn revoked(&self, session: SessionId, now: Timestamp) {
        self.put(session, Standing::Revoked, now);
    }

    fn put(&self, session: SessionId, standing: Standing, now: Timestamp) -> Standing {
        if self.len.load(Ordering::Relaxed) >= self.len_max {
            self.forget(now);
        }
        let until = now.plus(ACCESS_LIFETIME_MAX);
        match self.sessions.entry(session) {
            Entry::Occupied(mut entry) => {
                let known = entry.get_mut();
                if known.standing == Standing::Good {
                    known.standing = standing;
                }
                known.until = until;
                known.standing
            }
            Entry::Vacant(entry) => {
                entry.insert(Known { standing, until });
                self.len.fetch_add(1, Ordering::Relaxed);
                standing
            }
        }
    }

    /// Makes room: what has ended goes, then the good ones, and if the revoked alone are too many,
    /// all of them. The store still knows.
    fn forget(&self, now: Timestamp) {
        let keeps: [fn(&Known, Timestamp) -> bool; 3] = [
            |known, now| now < known.until,
            |known, _| known.standing == Standing::Revoked,
            |_, _| false,
        ];
        for keep in keeps {
            self.sessions.retain(|_, known| keep(known, now));
            let len = self.sessions.len();
            self.len.store(len, Ordering::Relaxed);
            // A tenth of room, or every insertion would walk the map again.
            if len <= self.len_max - self.len_max / 10 {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn session(number: u8) -> SessionId {
        SessionId::from_bytes([number; 16])
    }

    #[test]
    fn a_late_answer_of_the_store_does_not_undo_a_revocation() {
        let cache = SessionCache::default();
        cache.revoked(session(1), NOW);
        assert_eq!(cache.learnt(session(1), Standing::Good, NOW), Standing::Revoked);
        assert_eq!(cache.find(session(1), NOW), Some(Standing::Revoked));
        assert_eq!(cache.find(session(2), NOW), None);
    }

    #[test]
    fn what_is_known_ends_with_the_longest_token() {
        let cache = SessionCache::default();
        cache.learnt(session(1), Standing::Good, NOW);
        assert_eq!(cache.find(session(1), NOW.plus(ACCESS_LIFETIME_MAX)), None);
    }

    #[test]
    fn memory_is_bounded_and_the_revoked_go_last() {
        let cache = SessionCache::with_capacity(20);
        cache.revoked(session(0), NOW);
        for number in 1..=200 {
            cache.learnt(session(number), Standing::Good, NOW);
            assert!(cache.sessions.len() <= 20);
        }
        assert_eq!(cache.find(session(0), NOW), Some(Standing::Revoked));
        for number in 1..=200 {
            cache.revoked(session(number), NOW);
            assert!(cache.sessions.len() <= 20);
        }
    }
}
