//! Who waits without a connection for anything of theirs to change.
//!
//! Nothing is handed over: whoever is woken asks the inbox. Deliveries look here only while
//! somebody waits, which they see by one load.

use std::sync::Arc;

use barterline_domain::ids::UserId;
use dashmap::DashMap;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::Notify;

/// Polls of one user at a time: as many devices without sockets as a person may have.
const POLLS_OF_USER_MAX: usize = 8;
/// Polls of everybody: each has an HTTP connection of its own, which costs far more.
const POLLS_MAX: i64 = 65_536;

/// Everybody who waits, by user.
#[derive(Default)]
pub struct Polls {
    users: DashMap<UserId, Vec<Arc<Notify>>>,
    /// How many they are; one relaxed load, like any counter.
    count: Gauge,
}

/// One who waits, until it is dropped.
pub struct Poll<'a> {
    polls: &'a Polls,
    user: UserId,
    wake: Arc<Notify>,
}

/// Why somebody cannot wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooManyPolls {
    /// So many of the user's wait already.
    OfUser,
    /// So many of everybody's wait already.
    InAll,
}

impl Polls {
    /// Nobody waits; who will is counted by `count`.
    pub fn new(count: Gauge) -> Self {
        Self { users: DashMap::default(), count }
    }

    /// Begins to wait. What changes from here on wakes; so the inbox is to be read after this.
    pub fn begin(&self, user: UserId) -> Result<Poll<'_>, TooManyPolls> {
        let mut polls = self.users.entry(user).or_default();
        if polls.len() >= POLLS_OF_USER_MAX {
            return Err(TooManyPolls::OfUser);
        }
        let wake = Arc::new(Notify::new());
        polls.push(Arc::clone(&wake));
        drop(polls);
        // Counted before the inbox is read: the lock of the store stands between that and the group
        // that it does not see yet, whose delivery therefore sees the count.
        let others = self.count.inc();
        // From here on dropping it takes everything back.
        let poll = Poll { polls: self, user, wake };
        if others >= POLLS_MAX { Err(TooManyPolls::InAll) } else { Ok(poll) }
    }

    /// Wakes everybody who waits for something of `user`.
    pub fn wake(&self, user: UserId) {
        if self.count.get() == 0 {
            return;
        }
        if let Some(polls) = self.users.get(&user) {
            polls.iter().for_each(|wake| wake.notify_one());
        }
    }
}

impl Poll<'_> {
    /// Waits until something may have changed since it began or was last woken.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }
}

impl Drop for Poll<'_> {
    fn drop(&mut self) {
        self.polls.count.dec();
        self.polls.users.remove_if_mut(&self.user, |_, polls| {
            polls.retain(|wake| !Arc::ptr_eq(wake, &self.wake));
            polls.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: UserId = UserId::from_bytes([1; 16]);

    #[tokio::test]
    async fn every_poll_of_a_user_is_woken_and_nobody_elses() {
        let polls = Polls::default();
        let (one, two) = (polls.begin(USER).expect("a poll"), polls.begin(USER).expect("a poll"));
        let other = polls.begin(UserId::from_bytes([2; 16])).expect("a poll");
        polls.wake(USER);
        // Woken before they waited.
        one.woken().await;
        two.woken().await;
        let waits = tokio::select! {
            biased;
            () = other.woken() => false,
            () = std::future::ready(()) => true,
        };
        assert!(waits);
    }

    #[test]
    fn a_user_has_few_polls_and_what_ends_makes_room() {
        let polls = Polls::default();
        let mut begun: Vec<_> =
            (0..POLLS_OF_USER_MAX).map(|_| polls.begin(USER).expect("a poll")).collect();
        assert_eq!(polls.begin(USER).err(), Some(TooManyPolls::OfUser));
        begun.pop();
        begun.push(polls.begin(USER).expect("a poll"));
        drop(begun);
        assert!(polls.users.is_empty());
        assert_eq!(polls.count.get(), 0);
    }

    #[test]
    fn polls_are_bounded_in_all() {
        let polls = Polls::default();
        polls.count.set(POLLS_MAX);
        assert_eq!(polls.begin(USER).err(), Some(TooManyPolls::InAll));
        assert!(polls.users.is_empty());
        assert_eq!(polls.count.get(), POLLS_MAX);
    }
}
