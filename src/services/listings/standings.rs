//! How listings stand, at hand for whoever talks about them: a bounded memory of what was read not long
//! ago, and the news of what changed. All clones of the handle are one.
//!
//! Nothing here has to be right: what is missing is read again, what is old is told later.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use barterline_domain::clock::Timestamp;
use barterline_domain::ids::ListingId;
use barterline_domain::listing::Listing;
use barterline_domain::listing::change::Standing;
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

/// Listings that are remembered: 300 B each as a rule, 1.6 kB with 32 changes, so 16 MB at most.
const KEPT_MAX: usize = 10_000;
/// When it is tried again at the earliest to read a listing that could not be read.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// News that wait: beyond that a chat hears when somebody looks at it.
const NEWS_MAX: usize = 1_000;

/// What changed, by listing: how each stands now.
pub type News = BTreeMap<ListingId, Arc<Standing>>;

/// How listings stand.
pub struct Standings {
    kept: RwLock<HashMap<ListingId, Kept>>,
    fresh_for: Duration,
    news: Mutex<News>,
    woken: Notify,
}

#[derive(Default)]
struct Kept {
    /// `None`: it could not be read yet.
    standing: Option<Arc<Standing>>,
    /// The version of which chats were told.
    announced: u64,
    /// Until when nobody looks again.
    fresh_until: Timestamp,
    /// When it was last forgotten: a look that began before may have seen what was.
    forgotten_at: Option<Timestamp>,
}

impl Standings {
    /// Of what was read no longer ago than this.
    pub fn new(fresh_for: Duration) -> Self {
        Self { kept: RwLock::default(), fresh_for, news: Mutex::default(), woken: Notify::new() }
    }

    /// Whether somebody looked at a listing not long ago, or does now.
    pub fn is_fresh(&self, listing: ListingId, now: Timestamp) -> bool {
        self.kept.read().get(&listing).is_some_and(|kept| now < kept.fresh_until)
    }

    /// Whether the caller is to look at a listing. Nobody else does for two seconds, whatever becomes of it.
    pub fn begin_look(&self, listing: ListingId, now: Timestamp) -> bool {
        if self.is_fresh(listing, now) {
            return false;
        }
        self.with(listing, now, |kept| {
            if now < kept.fresh_until {
                return false;
            }
            kept.fresh_until = now.plus(LOOK_AGAIN.min(self.fresh_for));
            true
        })
    }

    /// How a listing stood when it was last seen, if that is remembered.
    pub fn last(&self, listing: ListingId) -> Option<Arc<Standing>> {
        self.kept.read().get(&listing)?.standing.clone()
    }

    /// Remembers what a look at a listing found that began at `began`.
    pub fn looked(&self, listing: &Listing, began: Timestamp) {
        self.with(listing.id, began, |kept| {
            if kept.forgotten_at.is_none_or(|at| at < began) {
                kept.keep(listing);
                kept.fresh_until = began.plus(self.fresh_for);
            }
        });
    }

    /// Remembers a listing that changed, and has its chats told. Whoever looked was faster, perhaps: his chat
    /// is told, and not the others.
    pub fn changed(&self, listing: &Listing, now: Timestamp) {
        if !listing.was_for_sale() || listing.history.len() < 2 {
            return;
        }
        let standing = self.with(listing.id, now, |kept| {
            kept.keep(listing);
            kept.fresh_until = now.plus(self.fresh_for);
            if kept.announced >= listing.version {
                return None;
            }
            kept.announced = listing.version;
            kept.standing.clone()
        });
        let Some(standing) = standing else { return };
        let mut news = self.news.lock();
        if news.len() < NEWS_MAX || news.contains_key(&listing.id) {
            news.insert(listing.id, standing);
            self.woken.notify_one();
        }
    }

    /// Forgets a listing of which nobody knows how it stands.
    pub fn forget(&self, listing: ListingId, now: Timestamp) {
        self.with(listing, now, |kept| *kept = Kept { forgotten_at: Some(now), ..Kept::default() });
    }

    /// Waits for news, and takes all there are. For one reader. Cancel safe.
    pub async fn news(&self) -> News {
        loop {
            let news = std::mem::take(&mut *self.news.lock());
            if !news.is_empty() {
                return news;
            }
            self.woken.notified().await;
        }
    }

    /// Does something with what is kept of a listing.
    fn with<T>(&self, listing: ListingId, now: Timestamp, then: impl FnOnce(&mut Kept) -> T) -> T {
        let mut all = self.kept.write();
        if all.len() >= KEPT_MAX && !all.contains_key(&listing) {
            all.retain(|_, kept| now < kept.fresh_until);
            if all.len() >= KEPT_MAX {
                all.clear();
            }
        }
        then(all.entry(listing).or_default())
    }
}

impl Kept {
    /// Puts a listing in the place of an older one: what was read before an edit may come after it.
    fn keep(&mut self, found: &Listing) {
        if self.standing.as_ref().is_none_or(|known| known.version < found.version) {
            self.standing = Some(Arc::new(Standing::of(found)));
        }
    }
}

#[cfg(test)]
mod tests {
    use barterline_domain::ids::UserId;
    use barterline_domain::listing::ListingText;
    use barterline_domain::money::{Currency, Money};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_000 * seconds)
    }

    fn listing(n: u8, version: u64) -> Listing {
        let price = Money { minor: 1, currency: Currency::parse("EUR").expect("a currency") };
        let text = ListingText::parse("A bicycle", String::new()).expect("a title");
        let (id, seller) = (ListingId::from_bytes([n; 16]), UserId::from_bytes([9; 16]));
        let mut listing = Listing::offered(id, seller, text, price, at(1));
        while listing.version < version {
            let price = Money { minor: listing.version + 1, ..price };
            listing = Listing { price, ..listing.clone() }.after(&listing, at(2));
        }
        listing
    }

    #[test]
    fn what_was_read_is_fresh_for_a_while_and_never_goes_back() {
        let standings = Standings::new(5 * SECOND);
        let (old, new) = (listing(1, 1), listing(1, 2));
        let version = || standings.last(old.id).map(|standing| standing.version);
        assert!(standings.begin_look(old.id, at(10)));
        assert!(!standings.begin_look(old.id, at(11)), "somebody looks already");
        assert!(standings.begin_look(old.id, at(12)), "and came to nothing");
        standings.looked(&new, at(12));
        assert!(standings.is_fresh(old.id, at(16)) && !standings.is_fresh(old.id, at(17)));
        standings.looked(&old, at(17));
        assert_eq!(version(), Some(2));
        standings.forget(old.id, at(20));
        assert_eq!((version(), standings.is_fresh(old.id, at(20))), (None, false));
        standings.looked(&new, at(19));
        assert_eq!(version(), None, "it may have been read before whatever happened");
        standings.looked(&new, at(21));
        assert_eq!(version(), Some(2));
    }

    #[tokio::test]
    async fn news_are_told_once_and_are_bounded() {
        let standings = Standings::new(5 * SECOND);
        standings.changed(&listing(1, 2), at(10));
        standings.changed(&listing(1, 2), at(10));
        standings.changed(&listing(1, 3), at(10));
        standings.changed(&listing(2, 2), at(10));
        let news = standings.news().await;
        assert_eq!(news.len(), 2);
        assert_eq!(news[&listing(1, 3).id].version, 3);
        standings.changed(&listing(1, 3), at(11));
        let more = tokio::time::timeout(Duration::from_millis(20), standings.news()).await;
        assert!(more.is_err(), "it was told");
        standings.looked(&listing(2, 3), at(11));
        standings.changed(&listing(2, 3), at(11));
        assert_eq!(standings.news().await[&listing(2, 3).id].version, 3, "who looked is not all");
        standings.changed(&listing(3, 1), at(11));
        assert!(standings.news.lock().is_empty(), "of what is new nobody talks");
        for n in 0..2_000_u128 {
            let id = ListingId::from_bytes(n.to_be_bytes());
            standings.changed(&Listing { id, ..listing(1, 4) }, at(12));
        }
        assert_eq!(standings.news().await.len(), NEWS_MAX);
    }

    #[test]
    fn as_many_are_remembered_as_there_is_room_for() {
        let standings = Standings::new(5 * SECOND);
        for n in 0..30_000_u128 {
            let id = ListingId::from_bytes(n.to_be_bytes());
            standings.looked(&Listing { id, ..listing(1, 1) }, at(10));
        }
        assert!(standings.kept.read().len() <= KEPT_MAX);
    }
}
