//! How often listings are looked at: counted in memory, and added to the store from time to time.
//!
//! A count is more or less right, and nobody waits for it: what was not added when a server died is lost, and
//! who looks at two servers counts at both. Who looked is remembered as a number that says nothing to anybody
//! else, for an hour at most while people look, and never written down.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher as _;
use std::mem;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use barterline_domain::bearer::Bearer;
use barterline_domain::clock::{Clock, Timestamp};
use barterline_domain::ids::{ListingId, UserId};
use barterline_domain::listing::Listing;
use barterline_storage::error::StoreError;
use barterline_storage::listing_views::ListingViews;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use super::listings::{ListingError, Listings};
use crate::ids::{Ids, around};
use crate::limits::network;

/// One viewer of a listing counts once in this time at least, and in twice this time at most.
const ONCE_IN: Duration = Duration::from_mins(30);
/// Looks that are remembered of each such time: at some 10 bytes each, 1 MB with those of the time before. When
/// there are more, the time is shorter.
const LOOKS_MAX: usize = 50_000;
/// Listings whose looks are not in the store yet: 400 kB. Those of others are not counted.
const PENDING_MAX: usize = 10_000;
/// Between two times that looks are added to the store, half to one and a half times.
const PAUSE: Duration = Duration::from_secs(5);
/// Listings whose looks are added at a time: when the store says nothing of these, the others are none the less.
const ADDED_AT_ONCE: usize = 200;
/// For all of one time to be added.
const ADD_TIMEOUT: Duration = Duration::from_secs(5);

/// Who looks at a listing, as far as they are told from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Viewer {
    /// Somebody with an account.
    Account(UserId),
    /// Whoever is at this address, without one.
    Address(IpAddr),
}

/// Counts looks. All clones of the handle are one.
#[derive(Clone)]
pub struct Views {
    tally: Arc<Tally>,
    listings: Listings,
}

struct Tally {
    store: Arc<dyn ListingViews>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    /// By a key that nobody knows.
    hashing: RandomState,
    counting: Mutex<Counting>,
}

#[derive(Default)]
struct Counting {
    /// Who looked at what since `begun`.
    looks: HashSet<u64>,
    /// The same, in the time before.
    before: HashSet<u64>,
    begun: Timestamp,
    /// What is not in the store yet.
    pending: HashMap<ListingId, u64>,
}

impl Views {
    /// Counts into this store.
    pub fn new(
        store: Arc<dyn ListingViews>,
        listings: Listings,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Self {
        Self { tally: Arc::new(Tally::new(store, clock, ids)), listings }
    }

    /// Counts that somebody looks at a listing, unless it is their own, or they did not long ago. Never waits.
    pub fn seen(&self, listing: &Listing, viewer: Viewer) {
        self.tally.seen(listing, viewer);
    }

    /// How often a listing was looked at that `viewer` sees.
    pub async fn count(
        &self,
        viewer: Option<Bearer>,
        listing: ListingId,
    ) -> Result<u64, ListingError> {
        self.listings.read(viewer, listing).await?;
        Ok(self.tally.count(listing).await?)
    }

    /// Adds what was counted to the store, until `stop`, and then once more.
    pub async fn run(self, stop: CancellationToken) {
        self.tally.run(stop).await;
    }
}

impl Tally {
    fn new(store: Arc<dyn ListingViews>, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Self {
        Self { store, clock, ids, hashing: RandomState::new(), counting: Mutex::default() }
    }

    fn seen(&self, listing: &Listing, viewer: Viewer) {
        let viewer = match viewer {
            Viewer::Account(user) if user == listing.seller => return,
            Viewer::Account(_) => viewer,
            Viewer::Address(from) => Viewer::Address(network(from)),
        };
        let look = self.hashing.hash_one((listing.id, viewer));
        self.counting.lock().look(listing.id, look, self.clock.now());
    }

    async fn count(&self, listing: ListingId) -> Result<u64, StoreError> {
        let stored = self.store.count(listing).await?;
        // Read behind the store: what is added just now is missing for a moment, and never counts twice.
        let pending = self.counting.lock().pending.get(&listing).copied();
        Ok(stored.saturating_add(pending.unwrap_or_default()))
    }

    async fn run(&self, stop: CancellationToken) {
        loop {
            tokio::select! {
                // First: whoever waits for the end does not wait for a pause.
                biased;
                () = stop.cancelled() => break,
                () = sleep(around(PAUSE, &*self.ids)) => self.flush().await,
            }
        }
        self.flush().await;
    }

    /// Adds what was counted to the store. What surely was not added is tried again with what comes next.
    async fn flush(&self) {
        let pending = mem::take(&mut self.counting.lock().pending);
        let pending: Vec<_> = pending.into_iter().collect();
        let until = Instant::now() + ADD_TIMEOUT;
        let mut rest = pending.as_slice();
        while !rest.is_empty() {
            let (some, behind) = rest.split_at(ADDED_AT_ONCE.min(rest.len()));
            match timeout_at(until, self.store.add(some)).await {
                Ok(Ok(())) => {}
                Ok(Err(error @ StoreError::Unavailable { .. })) => {
                    tracing::warn!(%error, "looks at listings are counted later");
                    break;
                }
                // Perhaps some are there: none counts twice.
                Ok(Err(error @ (StoreError::Unknown { .. } | StoreError::Corrupt { .. }))) => {
                    tracing::warn!(%error, listings = some.len(), "looks are not counted, perhaps");
                }
                Err(_) => {
                    let listings = some.len();
                    tracing::warn!(listings, "looks are not counted, perhaps: no answer in time");
                    rest = behind;
                    break;
                }
            }
            rest = behind;
        }
        self.counting.lock().put_back(rest);
    }
}

impl Counting {
    fn look(&mut self, listing: ListingId, look: u64, now: Timestamp) {
        let passed = now.apart(self.begun);
        if passed >= ONCE_IN || self.looks.len() >= LOOKS_MAX {
            let looks = mem::take(&mut self.looks);
            // Where nobody looked for so long, these are old as well.
            self.before = if passed < 2 * ONCE_IN { looks } else { HashSet::new() };
            self.begun = now;
        }
        // Without room the look is not remembered either: the next one counts.
        if self.has_room_for(listing) && !self.before.contains(&look) && self.looks.insert(look) {
            *self.pending.entry(listing).or_default() += 1;
        }
    }

    fn has_room_for(&self, listing: ListingId) -> bool {
        self.pending.len() < PENDING_MAX || self.pending.contains_key(&listing)
    }

    /// Takes back what was not added, as far as there is room beside what came meanwhile.
    fn put_back(&mut self, views: &[(ListingId, u64)]) {
        for &(listing, count) in views {
            if self.has_room_for(listing) {
                *self.pending.entry(listing).or_default() += count;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::net::Ipv6Addr;

    use async_trait::async_trait;
    use barterline_domain::clock::ManualClock;
    use barterline_domain::listing::ListingText;
    use barterline_domain::money::{Currency, Money};

    use super::*;
    use crate::ids::SystemIds;

    const SELLER: UserId = UserId::from_bytes([9; 16]);
    const MINUTE: Duration = Duration::from_mins(1);

    /// Counts, and refuses with these before.
    #[derive(Default)]
    struct Counts {
        counts: Mutex<HashMap<ListingId, u64>>,
        refusals: Mutex<VecDeque<StoreError>>,
    }

    #[async_trait]
    impl ListingViews for Counts {
        async fn add(&self, views: &[(ListingId, u64)]) -> Result<(), StoreError> {
            if let Some(error) = self.refusals.lock().pop_front() {
                return Err(error);
            }
            let mut counts = self.counts.lock();
            for (listing, count) in views {
                *counts.entry(*listing).or_default() += count;
            }
            Ok(())
        }

        async fn count(&self, listing: ListingId) -> Result<u64, StoreError> {
            Ok(self.counts.lock().get(&listing).copied().unwrap_or_default())
        }
    }

    fn tally() -> (Tally, Arc<Counts>, Arc<ManualClock>) {
        let counts = Arc::<Counts>::default();
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000_000)));
        let (store, now) = (counts.clone() as Arc<dyn ListingViews>, clock.clone());
        (Tally::new(store, now, Arc::new(SystemIds)), counts, clock)
    }

    fn listing(n: u128) -> Listing {
        let price = Money { minor: 1, currency: Currency::parse("EUR").expect("a currency") };
        let text = ListingText::parse("A bicycle", String::new()).expect("a title");
        let id = ListingId::from_bytes(n.to_be_bytes());
        Listing::offered(id, SELLER, text, price, Timestamp::from_millis(1))
    }

    fn person(n: u128) -> Viewer {
        Viewer::Account(UserId::from_bytes(n.to_be_bytes()))
    }

    async fn count(tally: &Tally, listing: &Listing) -> u64 {
        tally.count(listing.id).await.expect("a count")
    }

    #[tokio::test]
    async fn one_viewer_counts_once_in_a_while_and_the_seller_never() {
        let (tally, _, clock) = tally();
        let (bike, boat) = (listing(1), listing(2));
        let site = |host: u16| {
            let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host);
            Viewer::Address(address.into())
        };
        for _ in 0..2 {
            for viewer in [person(1), person(2), site(1), site(2), Viewer::Account(SELLER)] {
                tally.seen(&bike, viewer);
            }
        }
        tally.seen(&boat, person(1));
        assert_eq!((count(&tally, &bike).await, count(&tally, &boat).await), (3, 1));
        tally.flush().await;
        clock.advance(20 * MINUTE);
        tally.seen(&bike, person(1));
        assert_eq!(count(&tally, &bike).await, 3);
        clock.advance(15 * MINUTE);
        tally.seen(&bike, person(3));
        tally.seen(&bike, person(1));
        assert_eq!(count(&tally, &bike).await, 4, "what is remembered outlasts the turn");
        clock.advance(30 * MINUTE);
        tally.seen(&bike, person(1));
        assert_eq!(count(&tally, &bike).await, 5);
        clock.advance(300 * MINUTE);
        tally.seen(&bike, person(1));
        assert_eq!(count(&tally, &bike).await, 6, "also after hours in which nobody looked");
    }

    #[test]
    fn there_is_room_for_so_many_and_no_more() {
        let (tally, ..) = tally();
        let bike = listing(1);
        for n in 0..150_000 {
            tally.seen(&bike, person(n));
        }
        for n in 2..20_000 {
            tally.seen(&listing(n), person(1));
        }
        let counting = tally.counting.lock();
        assert!(counting.looks.len() <= LOOKS_MAX && counting.before.len() <= LOOKS_MAX);
        assert_eq!(counting.pending.len(), PENDING_MAX);
        assert_eq!(counting.pending[&bike.id], 150_000);
    }

    #[tokio::test]
    async fn what_surely_was_not_added_is_tried_again() {
        let (tally, counts, _) = tally();
        let bike = listing(1);
        let away = || StoreError::unavailable("count", "a test");
        tally.seen(&bike, person(1));
        counts.refusals.lock().extend([away(), away()]);
        tally.flush().await;
        tally.seen(&bike, person(2));
        tally.flush().await;
        assert_eq!(count(&tally, &bike).await, 2);
        tally.flush().await;
        assert_eq!(counts.counts.lock()[&bike.id], 2);
        tally.seen(&bike, person(3));
        counts.refusals.lock().push_back(StoreError::Unknown { operation: "count" });
        tally.flush().await;
        assert_eq!(count(&tally, &bike).await, 2, "it may be there");
    }

    #[tokio::test]
    async fn what_is_unsure_of_some_takes_nothing_from_others() {
        let (tally, counts, _) = tally();
        let many = 3 * ADDED_AT_ONCE;
        for n in 0..many {
            tally.seen(&listing(n as u128), person(1));
        }
        let away = StoreError::unavailable("count", "a test");
        counts.refusals.lock().extend([StoreError::Unknown { operation: "count" }, away]);
        tally.flush().await;
        tally.flush().await;
        assert_eq!(counts.counts.lock().len(), many - ADDED_AT_ONCE);
    }

    #[tokio::test]
    async fn what_was_counted_last_is_added_at_the_end() {
        let (tally, counts, _) = tally();
        let (bike, stop) = (listing(1), CancellationToken::new());
        tally.seen(&bike, person(1));
        stop.cancel();
        tally.run(stop).await;
        assert_eq!(counts.counts.lock()[&bike.id], 1);
        assert!(tally.counting.lock().pending.is_empty());
    }
}
