//! Which things were asked for not long ago, and which are being asked for: one at a time asks for one thing, and
//! nobody asks again at once for what was not told. A bounded memory of this server alone.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use barterline_domain::clock::Timestamp;
use barterline_domain::ids::ListingId;
use parking_lot::Mutex;
use tokio::sync::{Mutex as Turn, MutexGuard};

/// Things that are remembered: some 60 B each. When there are more, those go that are old, or else all.
const KEPT_MAX: usize = 10_000;
/// When a thing is asked for again at the earliest that could not be told of, whatever became of it.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// The same for a thing that there was not: somebody may be about to put it up.
const LOOK_FOR_NEW: Duration = Duration::from_secs(10);

/// What came of asking for a thing the last time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// It was told of.
    Told,
    /// There is none.
    Missing,
    /// Nothing: it is being asked for, or could not be told of.
    Nothing,
}

/// What was looked at.
#[derive(Default)]
pub(super) struct Looks {
    last: Mutex<HashMap<ListingId, (Look, Timestamp)>>,
    turns: Mutex<HashMap<ListingId, Line>>,
}

/// Those who want to ask for a thing.
#[derive(Default)]
struct Line {
    places: usize,
    turn: Arc<Turn<()>>,
}

/// A place in the line of those who want to ask for a thing.
pub(super) struct Place<'a> {
    looks: &'a Looks,
    listing: ListingId,
    turn: Arc<Turn<()>>,
}

impl Looks {
    /// What came of the last look, if that still holds.
    pub(super) fn last(&self, listing: ListingId, now: Timestamp) -> Option<Look> {
        let last = self.last.lock();
        last.get(&listing).filter(|(_, until)| now < *until).map(|(look, _)| *look)
    }

    /// Remembers what came of a look; what was told does for this long.
    pub(super) fn note(&self, listing: ListingId, look: Look, fresh_for: Duration, now: Timestamp) {
        let holds_for = match look {
            Look::Told => fresh_for,
            Look::Missing => LOOK_FOR_NEW,
            Look::Nothing => LOOK_AGAIN,
        };
        let mut last = self.last.lock();
        if last.len() >= KEPT_MAX && !last.contains_key(&listing) {
            last.retain(|_, (_, until)| now < *until);
            if last.len() >= KEPT_MAX {
                last.clear();
            }
        }
        last.insert(listing, (look, now.plus(holds_for)));
    }

    /// Forgets that a thing was looked for: nobody was asked.
    pub(super) fn forget(&self, listing: ListingId) {
        self.last.lock().remove(&listing);
    }

    /// Stands in line to ask for a thing.
    pub(super) fn line_up(&self, listing: ListingId) -> Place<'_> {
        let mut turns = self.turns.lock();
        let line = turns.entry(listing).or_default();
        line.places += 1;
        Place { looks: self, listing, turn: Arc::clone(&line.turn) }
    }
}

impl Place<'_> {
    /// Waits until nobody else asks for the thing. Cancel safe.
    pub(super) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut turns = self.looks.turns.lock();
        if let Some(line) = turns.get_mut(&self.listing) {
            line.places -= 1;
            if line.places == 0 {
                turns.remove(&self.listing);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: Duration = Duration::from_mins(5);

    fn listing(n: u128) -> ListingId {
        ListingId::from_bytes(n.to_be_bytes())
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn a_look_holds_for_a_while() {
        let looks = Looks::default();
        for (look, seconds) in [(Look::Told, 300), (Look::Missing, 10), (Look::Nothing, 5)] {
            looks.note(listing(1), look, FRESH, at(100));
            assert_eq!(looks.last(listing(1), at(100 + seconds - 1)), Some(look));
            assert_eq!(looks.last(listing(1), at(100 + seconds)), None);
            assert_eq!(looks.last(listing(2), at(100)), None);
        }
        looks.note(listing(1), Look::Nothing, FRESH, at(100));
        looks.forget(listing(1));
        assert_eq!(looks.last(listing(1), at(100)), None);
        for n in 0..30_000 {
            looks.note(listing(n), Look::Missing, FRESH, at(200));
        }
        assert!(looks.last.lock().len() <= KEPT_MAX);
    }

    #[tokio::test]
    async fn one_at_a_time_asks_for_a_thing_and_the_line_is_forgotten() {
        let looks = Looks::default();
        let (first, second) = (looks.line_up(listing(1)), looks.line_up(listing(1)));
        let other = looks.line_up(listing(2));
        let turn = first.turn().await;
        let _other_turn = other.turn().await;
        let late = tokio::time::timeout(Duration::from_millis(20), second.turn()).await;
        assert!(late.is_err(), "two at once");
        drop(late);
        drop(turn);
        drop(first);
        assert_eq!(looks.turns.lock().len(), 2);
        drop(second.turn().await);
        drop(second);
        assert_eq!(looks.turns.lock().len(), 1);
    }
}
