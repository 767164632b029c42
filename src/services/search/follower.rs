//! The index follows the feed of changes, and is made anew when somebody asks for it or when there is no
//! going on: each server keeps its own, and what happens to one is no loss.

use std::collections::{BTreeSet, HashMap};
use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use barterline_domain::clock::{Clock, Timestamp};
use barterline_domain::ids::ListingId;
use barterline_domain::listing::Listing;
use barterline_search::{Change, Position, Rebuild, SearchEngine, SearchError};
use barterline_storage::error::StoreError;
use barterline_storage::listings::{FeedPlace, Listings as ListingStore};
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::is_found;
use crate::ids::{Ids, around};
use crate::services::listings::standings::Standings;
use crate::telemetry::metrics::SearchMetrics;

/// Changes of one commit.
const CHANGES_MAX: usize = 1_000;
/// Listings that are read at once.
const READS_AT_ONCE: usize = 100;
/// The longest wait after failures, which begin at the interval and double.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// The same between tries to make the index anew, each of which may read everything.
const REBUILD_PAUSE_MAX: Duration = Duration::from_mins(5);
/// How often it is noted how far a feed was read in which nothing changed.
const KEEP_EVERY: Duration = Duration::from_mins(1);
/// Versions that are remembered: about a megabyte.
const APPLIED_MAX: usize = 20_000;

/// Every listing of the store, and nothing else of it.
#[async_trait]
pub trait AllListings: Send + Sync {
    /// The store's epoch: restore and repair raise it.
    fn epoch(&self) -> u32;

    /// The next listings behind a place. What they say is read afterwards, so that a damaged one is no obstacle.
    async fn page(&self, after: Option<&[u8]>) -> Result<Page, StoreError>;
}

/// Some listings, and behind which place there are more.
pub struct Page {
    /// In no order that means anything.
    pub listings: Vec<ListingId>,
    /// `None` at the end.
    pub next: Option<Vec<u8>>,
}

/// What the follower is made of.
pub struct Parts {
    /// The index.
    pub engine: Arc<dyn SearchEngine>,
    /// What changes.
    pub listings: Arc<dyn ListingStore>,
    /// All there is.
    pub all: Arc<dyn AllListings>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Between two looks at the feed.
    pub interval: Duration,
    /// How pauses differ.
    pub ids: Arc<dyn Ids>,
    /// Who hears of it on the way: chats of what another server changed.
    pub standings: Arc<Standings>,
    /// What is counted.
    pub metrics: SearchMetrics,
}

/// Keeps the index up to date.
pub struct Follower {
    parts: Parts,
    orders: Orders,
    /// Up to where the feed is applied; `None`: there is no index.
    place: Option<FeedPlace>,
    /// When the index last noted how far that is.
    kept_at: Timestamp,
    /// Versions that were applied not long ago.
    applied: HashMap<ListingId, u64>,
    /// Whether the index is to be made anew.
    is_wanted: bool,
    rebuilding: Option<Rebuilding>,
}

/// To ask for an index that is made anew, and how that goes. All clones are one.
#[derive(Clone)]
pub struct Orders(Arc<Inner>);

struct Inner {
    engine: Arc<dyn SearchEngine>,
    asked: Notify,
    state: Mutex<State>,
}

/// How the index is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// Listings in the index.
    pub documents: u64,
    /// Its bytes on disk.
    pub bytes: u64,
    /// When it last had all that there was.
    pub current_at: Option<Timestamp>,
    /// Listings that were read for an index that is being made anew.
    pub rebuilding: Option<u64>,
    /// How often it was ordered anew since the start.
    pub ordered: u64,
    /// Up to which order it was made.
    pub done: u64,
    /// Why it does not follow what changes, if so.
    pub failure: Option<String>,
    /// Why it was not made anew when that was last tried, if so.
    pub rebuild_failure: Option<String>,
}

/// An index that is being made anew.
struct Rebuilding {
    index: Box<dyn Rebuild>,
    /// Up to where the feed is applied; at first, where it stood before the first listing was read.
    place: FeedPlace,
    reading: Reading,
    read: u64,
    /// The newest order when it was begun.
    order: u64,
}

/// What is read next.
enum Reading {
    /// The first listings.
    Begun,
    /// Those behind this place.
    Behind(Vec<u8>),
    /// What changed meanwhile.
    Changes,
}

/// When something is done next, and how often it failed since it last did not.
struct Turn {
    at: Instant,
    failures: u32,
}

#[derive(Debug, thiserror::Error)]
enum FollowError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Engine(#[from] SearchError),
    #[error("the feed does not reach back to where the new index was begun")]
    Lost,
    #[error("a bug, or a damaged file: the log has a panic")]
    Panicked,
}

impl Orders {
    /// Has the index made anew; one that is being made is given up for it.
    pub fn rebuild(&self) {
        let mut state = self.0.state.lock();
        state.ordered += 1;
        (state.rebuilding, state.rebuild_failure) = (None, None);
        drop(state);
        self.0.asked.notify_one();
    }

    /// How the index is.
    pub fn state(&self) -> State {
        let stats = self.0.engine.stats();
        State { documents: stats.documents, bytes: stats.bytes, ..self.0.state.lock().clone() }
    }
}

impl Follower {
    /// Over these parts; and where to ask for another index.
    pub fn new(parts: Parts) -> (Self, Orders) {
        let engine = Arc::clone(&parts.engine);
        let inner = Inner { engine, asked: Notify::new(), state: Mutex::default() };
        let orders = Orders(Arc::new(inner));
        let place = parts.engine.position().and_then(|position| parts.place(&position));
        let kept_at = parts.clock.now();
        let follower = Self {
            is_wanted: place.is_none(),
            place,
            kept_at,
            applied: HashMap::new(),
            rebuilding: None,
            orders: orders.clone(),
            parts,
        };
        (follower, orders)
    }

    /// Follows until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        // What is under way in the engine goes on to its end, or was not at all.
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.work() => {}
        }
    }

    async fn work(&mut self) {
        let orders = self.orders.clone();
        let (mut follow, mut rebuild) = (Turn::now(), Turn::now());
        // Failures while listings are read for a new index.
        let mut reading: u32 = 0;
        loop {
            if follow.at <= Instant::now() {
                let done = whole(self.follow()).await;
                if let Some(error) = done.as_ref().err() {
                    follow.failures = follow.failures.saturating_add(1);
                    self.failed(follow.failures, error, "the search index does not follow");
                } else if std::mem::take(&mut follow.failures) > 0 {
                    tracing::info!("the search index follows again");
                }
                self.orders.0.state.lock().failure = done.as_ref().err().map(|error| chain(error));
                follow.at = Instant::now()
                    + match done {
                        Ok(true) => Duration::ZERO,
                        Ok(false) => self.parts.interval,
                        Err(_) => self.pause(follow.failures, self.parts.interval, PAUSE_MAX),
                    };
            }
            if self.is_wanted && rebuild.at <= Instant::now() {
                match whole(self.rebuild()).await {
                    Ok(true) => {
                        (rebuild, reading) = (Turn::now(), 0);
                        // Another index is followed from here on.
                        follow.at = Instant::now();
                        self.orders.0.state.lock().rebuild_failure = None;
                    }
                    Ok(false) if std::mem::take(&mut reading) > 0 => {
                        self.orders.0.state.lock().rebuild_failure = None;
                    }
                    Ok(false) => {}
                    Err(error) => {
                        // What is read so far stays, or all is to be read again.
                        let (failures, first, longest) = match self.rebuilding {
                            Some(_) => (&mut reading, self.parts.interval, PAUSE_MAX),
                            None => {
                                (&mut rebuild.failures, Duration::from_secs(1), REBUILD_PAUSE_MAX)
                            }
                        };
                        *failures = failures.saturating_add(1);
                        let failures = *failures;
                        self.failed(failures, &error, "the search index is not made anew");
                        self.orders.0.state.lock().rebuild_failure = Some(chain(&error));
                        rebuild.at = Instant::now() + self.pause(failures, first, longest);
                    }
                }
            }
            let next = if self.is_wanted { follow.at.min(rebuild.at) } else { follow.at };
            tokio::select! {
                () = orders.0.asked.notified() => {
                    // What was read before the order is not what was ordered.
                    self.rebuilding = None;
                    self.is_wanted = true;
                    (rebuild, reading) = (Turn::now(), 0);
                }
                () = sleep_until(next) => {}
            }
        }
    }

    /// Applies the next changes to the index that there is; whether there are more.
    async fn follow(&mut self) -> Result<bool, FollowError> {
        if self.parts.engine.position().is_none() {
            self.find_index().await?;
        }
        let Some(place) = &self.place else { return Ok(false) };
        let Some(changes) = self.parts.listings.changes(place, CHANGES_MAX).await? else {
            if !self.is_wanted {
                tracing::warn!("the feed does not reach back to where the search index stands");
            }
            self.is_wanted = true;
            return Ok(false);
        };
        let mut read = self.parts.read(&changes.listings).await?;
        // A feed may tell of a change more than once.
        read.retain(|read| self.applied.get(&read.id) != Some(&read.version()));
        let now = self.parts.clock.now();
        let is_due = *place != changes.next && now.since(self.kept_at) >= KEEP_EVERY;
        for listing in read.iter().filter_map(|read| read.listing.as_ref()) {
            self.parts.standings.changed(listing, now);
        }
        let versions: Vec<_> = read.iter().map(|read| (read.id, read.version())).collect();
        if !read.is_empty() || is_due {
            let position = self.parts.position(&changes.next);
            let fresh = read.into_iter().map(Read::change).collect();
            if let Err(error) = self.parts.engine.apply(fresh, position).await {
                self.step_back();
                return Err(error.into());
            }
            self.kept_at = now;
            self.measure();
        }
        if self.applied.len() + versions.len() > APPLIED_MAX {
            self.applied.clear();
        }
        self.applied.extend(versions);
        self.place = Some(changes.next);
        if !changes.more {
            self.orders.0.state.lock().current_at = Some(now);
            let seconds = now.as_millis() / 1_000;
            self.parts.metrics.current.set(i64::try_from(seconds).unwrap_or(i64::MAX));
        }
        Ok(changes.more)
    }

    /// Looks for an index that another server made. Without one, it is to be made.
    async fn find_index(&mut self) -> Result<(), FollowError> {
        let found = self.parts.engine.look().await?;
        self.place = found.and_then(|position| self.parts.place(&position));
        self.applied.clear();
        let mut state = self.orders.0.state.lock();
        self.is_wanted = self.place.is_none() || state.ordered > state.done;
        if !self.is_wanted {
            self.rebuilding = None;
            (state.rebuilding, state.rebuild_failure) = (None, None);
        }
        Ok(())
    }

    /// Goes on from where the index says that it is: another server may have put another in its place.
    fn step_back(&mut self) {
        let position = self.parts.engine.position();
        self.place = position.and_then(|position| self.parts.place(&position));
        self.is_wanted |= self.place.is_none();
        self.applied.clear();
    }

    /// Does the next part of an index that is made anew; whether it has taken the place of the other.
    async fn rebuild(&mut self) -> Result<bool, FollowError> {
        if self.rebuilding.is_none() && self.parts.engine.position().is_none() {
            self.find_index().await?;
            if !self.is_wanted {
                return Ok(true);
            }
        }
        let mut rebuilding = match self.rebuilding.take() {
            Some(rebuilding) => rebuilding,
            None => self.begin().await?,
        };
        let is_more = match self.parts.read_on(&mut rebuilding).await {
            Ok(is_more) => is_more,
            Err(error) => {
                // The store may answer the next time; else the index is void.
                if matches!(error, FollowError::Store(_)) {
                    self.rebuilding = Some(rebuilding);
                } else {
                    self.orders.0.state.lock().rebuilding = None;
                }
                return Err(error);
            }
        };
        self.orders.0.state.lock().rebuilding = Some(rebuilding.read);
        if is_more {
            self.rebuilding = Some(rebuilding);
            return Ok(false);
        }
        let Rebuilding { index, place, read, order, .. } = rebuilding;
        index.finish(self.parts.position(&place)).await?;
        tracing::info!(listings = read, "the search index was made anew");
        self.place = Some(place);
        self.applied.clear();
        self.parts.metrics.rebuilt.inc();
        self.measure();
        let mut state = self.orders.0.state.lock();
        state.rebuilding = None;
        state.done = order;
        self.is_wanted = state.ordered > order;
        Ok(true)
    }

    /// Begins an empty index beside the one that there is.
    async fn begin(&mut self) -> Result<Rebuilding, FollowError> {
        // Before the first listing is read.
        let place = self.parts.listings.feed_end().await?;
        let index = self.parts.engine.rebuild().await?;
        tracing::info!("the search index is made anew");
        let mut state = self.orders.0.state.lock();
        state.rebuilding = Some(0);
        Ok(Rebuilding { index, place, reading: Reading::Begun, read: 0, order: state.ordered })
    }

    fn measure(&self) {
        let stats = self.parts.engine.stats();
        self.parts.metrics.documents.set(i64::try_from(stats.documents).unwrap_or(i64::MAX));
        self.parts.metrics.bytes.set(i64::try_from(stats.bytes).unwrap_or(i64::MAX));
    }

    fn failed(&self, failures: u32, error: &FollowError, what: &str) {
        let text = chain(error);
        if failures == 1 {
            tracing::warn!(error = text, "{what}");
        } else {
            tracing::debug!(error = text, failures, "{what}");
        }
        self.parts.metrics.failed.inc();
    }

    /// How long to wait after so many failures: a pause that doubles.
    fn pause(&self, failures: u32, first: Duration, longest: Duration) -> Duration {
        around(first.saturating_mul(1 << failures.min(10)).min(longest), &*self.parts.ids)
    }
}

impl Turn {
    fn now() -> Self {
        Self { at: Instant::now(), failures: 0 }
    }
}

/// The same, where a panic is an error: what reads a damaged file may, and the index is to go on.
async fn whole<T>(step: impl Future<Output = Result<T, FollowError>>) -> Result<T, FollowError> {
    AssertUnwindSafe(step).catch_unwind().await.unwrap_or(Err(FollowError::Panicked))
}

/// A listing as it was found; `None`: it is not there.
struct Read {
    id: ListingId,
    listing: Option<Listing>,
}

impl Read {
    /// 0: it is not there.
    fn version(&self) -> u64 {
        self.listing.as_ref().map_or(0, |listing| listing.version)
    }

    /// What that is to an index.
    fn change(self) -> Change {
        let put = self.listing.filter(is_found).map(|listing| Change::Put(Box::new(listing)));
        put.unwrap_or(Change::Remove(self.id))
    }
}

impl Parts {
    /// Reads the next listings into the new index: all that there are, then what changed meanwhile. Whether there
    /// are more.
    async fn read_on(&self, rebuilding: &mut Rebuilding) -> Result<bool, FollowError> {
        let after = match &rebuilding.reading {
            Reading::Begun => None,
            Reading::Behind(place) => Some(place.as_slice()),
            Reading::Changes => {
                let changes = self.listings.changes(&rebuilding.place, CHANGES_MAX).await?;
                let changes = changes.ok_or(FollowError::Lost)?;
                let read = self.read(&changes.listings).await?;
                rebuilding.read += read.len() as u64;
                let fresh = read.into_iter().map(Read::change).collect();
                rebuilding.index.apply(fresh).await?;
                rebuilding.place = changes.next;
                return Ok(changes.more);
            }
        };
        let page = self.all.page(after).await?;
        let read = self.read(&page.listings).await?;
        rebuilding.read += read.len() as u64;
        // It is empty: there is nothing to remove.
        let put = read.into_iter().map(Read::change);
        let put = put.filter(|change| matches!(change, Change::Put(_))).collect();
        rebuilding.index.apply(put).await?;
        rebuilding.reading = page.next.map_or(Reading::Changes, Reading::Behind);
        Ok(true)
    }

    /// What became of listings, each once.
    async fn read(&self, listings: &[ListingId]) -> Result<Vec<Read>, FollowError> {
        let listings: BTreeSet<_> = listings.iter().copied().collect();
        let read = listings.into_iter().map(|id| async move {
            let listing = match self.listings.find(id).await {
                // What is damaged is not found, and does not keep the others from it.
                Err(error @ StoreError::Corrupt { .. }) => {
                    tracing::error!(%error, listing = %id, "a listing is damaged");
                    None
                }
                found => found?,
            };
            Ok(Read { id, listing })
        });
        stream::iter(read).buffered(READS_AT_ONCE).try_collect().await
    }

    /// A place in the feed of this store, as it is since its last restore.
    fn position(&self, place: &FeedPlace) -> Position {
        Position([&self.all.epoch().to_be_bytes()[..], &place.0].concat())
    }

    /// The place of a position; `None`: it is of another store, or of a time before a restore.
    fn place(&self, position: &Position) -> Option<FeedPlace> {
        let (epoch, place) = position.0.split_first_chunk()?;
        let is_ours = u32::from_be_bytes(*epoch) == self.all.epoch();
        is_ours.then(|| FeedPlace(place.to_vec()))
    }
}

/// An error with what caused it.
fn chain(error: &(dyn Error + 'static)) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(because) = cause {
        text = format!("{text}: {because}");
        cause = because.source();
    }
    text
}
