//! One at a time in each chat: changes that keep an order, and reads that several ask for at once.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use barterline_domain::ids::ChatId;
use parking_lot::Mutex;
use tokio::sync::{Mutex as TurnMutex, OwnedMutexGuard};

/// A lock for each chat that somebody is busy with, and nothing for all others.
#[derive(Default)]
pub struct Turns<T = ()>(Mutex<HashMap<ChatId, Arc<TurnMutex<T>>>>);

/// The turn of a chat, until it is dropped.
pub struct Turn<'a, T = ()> {
    // Given back before the place.
    guard: OwnedMutexGuard<T>,
    _place: Place<'a, T>,
}

/// Somebody who has, or waits for, the turn of a chat.
struct Place<'a, T> {
    turns: &'a Turns<T>,
    chat: ChatId,
}

impl<T: Default> Turns<T> {
    /// Waits for the turn of a chat. Whoever waits no more leaves nothing behind.
    pub async fn take(&self, chat: ChatId) -> Turn<'_, T> {
        let lock = Arc::clone(self.0.lock().entry(chat).or_default());
        let place = Place { turns: self, chat };
        let guard = lock.lock_owned().await;
        Turn { guard, _place: place }
    }
}

impl<T> Drop for Place<'_, T> {
    fn drop(&mut self) {
        let mut all = self.turns.0.lock();
        // Who else is here has a handle of their own, and is the last in their turn.
        if all.get(&self.chat).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            all.remove(&self.chat);
        }
    }
}

impl<T> Deref for Turn<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for Turn<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

/// Reads of chats that several ask for at once. Nobody is given what was read before they asked: of
/// those who come while a read is under way one reads again, for all of them.
pub struct Loads<T> {
    /// Counts who asks and what is begun, in one order.
    moments: AtomicU64,
    /// When the last read of a chat began, and what it gave.
    turns: Turns<Option<(u64, T)>>,
}

impl<T> Default for Loads<T> {
    fn default() -> Self {
        Self { moments: AtomicU64::new(0), turns: Turns(Mutex::default()) }
    }
}

impl<T: Clone> Loads<T> {
    /// Gives what `read` gives, or another's read of the same chat that began after this was asked.
    pub async fn load(&self, chat: ChatId, read: impl Future<Output = T>) -> T {
        let asked = self.moment();
        let mut turn = self.turns.take(chat).await;
        if let Some((began, found)) = &*turn
            && *began > asked
        {
            return found.clone();
        }
        let began = self.moment();
        let found = read.await;
        *turn = Some((began, found.clone()));
        found
    }

    fn moment(&self) -> u64 {
        self.moments.fetch_add(1, Ordering::AcqRel)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use futures_util::poll;
    use tokio::sync::Semaphore;
    use tokio::task::yield_now;

    use super::*;

    /// A row that is read slowly, and counts how often.
    struct Row {
        reads: AtomicU64,
        value: AtomicU64,
        go: Semaphore,
    }

    impl Row {
        fn new() -> Self {
            let [reads, value] = [0, 1].map(AtomicU64::new);
            Self { reads, value, go: Semaphore::new(0) }
        }

        async fn read(&self) -> u64 {
            self.reads.fetch_add(1, Ordering::Relaxed);
            let value = self.value.load(Ordering::Relaxed);
            self.go.acquire().await.expect("an open semaphore").forget();
            value
        }
    }

    fn chat(n: u8) -> ChatId {
        ChatId::from_bytes([n; 16])
    }

    #[tokio::test]
    async fn a_hundred_loads_at_once_are_two_reads() {
        let (loads, row) = (Loads::default(), Row::new());
        let mut all = join_all((0..100).map(|_| loads.load(chat(1), row.read())));
        assert!(poll!(&mut all).is_pending(), "everybody has asked");
        row.go.add_permits(2);
        assert_eq!(all.await, [1; 100]);
        // The one that was first, and one for those who came while it was under way.
        assert_eq!(row.reads.load(Ordering::Relaxed), 2);
        assert!(loads.turns.0.lock().is_empty(), "nothing is left behind");
    }

    #[tokio::test]
    async fn nobody_is_given_what_was_read_before_they_asked() {
        let (loads, row) = (Loads::default(), Row::new());
        let mut first = Box::pin(loads.load(chat(1), row.read()));
        assert!(poll!(&mut first).is_pending());
        row.value.store(2, Ordering::Relaxed);
        let second = loads.load(chat(1), row.read());
        row.go.add_permits(2);
        assert_eq!(tokio::join!(first, second), (1, 2));
    }

    #[tokio::test]
    async fn whoever_gives_up_holds_up_nobody() {
        let (loads, row) = (Loads::default(), Row::new());
        let load = |n| Box::pin(loads.load(chat(n), row.read()));
        let (mut reading, mut waiting, mut last) = (load(1), load(1), load(1));
        for each in [&mut reading, &mut waiting, &mut last] {
            assert!(poll!(each).is_pending());
        }
        // One that waits, the one that reads, and then the next that reads.
        drop(waiting);
        drop(reading);
        assert!(poll!(&mut last).is_pending());
        drop(last);
        assert!(loads.turns.0.lock().is_empty(), "nothing is left behind");
        let (one, other) = (load(1), load(2));
        row.go.add_permits(2);
        assert_eq!(tokio::join!(one, other), (1, 1));
        yield_now().await;
        assert_eq!(row.reads.load(Ordering::Relaxed), 4);
    }
}
