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
use crate::ids::Ids;
use crate::telemetry::metrics::SearchMetrics;

/// Changes of one commit.
const CHANGES_MAX: usize = 1_000;
/// Listings that are read at once.
const READS_AT_ONCE: usize = 100;
/// The longest wait after failures, which begin at the interval and double.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// The same between tries to make the index anew, each of which may read everything.
const REBUILD_PAUSE_MAX: Duration = Duration::from_mins(5);
/// After so many failures an index is made anew.
const ENGINE_FAILURES_MAX: u32 = 5;
/// How often it is noted how far a feed was read in which nothing changed.
const KEEP_EVERY: Duration = Duration::from_mins(1);
/// Versions that are remembered: about a megabyte.
const APPLIED_MAX: usize = 20_000;

/// Every listing of the store, and nothing else of it.
#[async_trait]
pub trait AllListings: Send + Sync {
    /// The store's epoch: restore and repair raise it.
    fn epoch(&self) -> u32;

    /// The next listings behind a place, each as it is now.
    async fn page(&self, after: Option<&[u8]>) -> Result<Page, StoreError>;
}

/// Some listings, and behind which place there are more.
pub struct Page {
    /// In no order that means anything.
    pub listings: Vec<Listing>,
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
#[derive(Debug, Clone, Serialize, Deserialize)]
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
    /// Why it does not go on, if so.
    pub failure: Option<String>,
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
        self.0.state.lock().ordered += 1;
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
        let state = State {
            documents: 0,
            bytes: 0,
            current_at: None,
            rebuilding: None,
            ordered: 0,
            done: 0,
            failure: None,
        };
        let engine = Arc::clone(&parts.engine);
        let inner = Inner { engine, asked: Notify::new(), state: Mutex::new(state) };
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
        let (mut follow_at, mut rebuild_at) = (Instant::now(), Instant::now());
        let (mut failures, mut rebuild_failures) = (0, 0);
        loop {
            if follow_at <= Instant::now() {
                let pause = match whole(self.follow()).await {
                    Ok(is_more) => {
                        self.went_on(&mut failures);
                        if is_more { Duration::ZERO } else { self.parts.interval }
                    }
                    Err(error) => {
                        self.failed(&mut failures, &error, "the search index does not follow");
                        // An index that takes nothing any more is made anew.
                        self.is_wanted |= failures >= ENGINE_FAILURES_MAX && error.is_of_engine();
                        self.pause_after(failures, self.parts.interval, PAUSE_MAX)
                    }
                };
                follow_at = Instant::now() + pause;
            }
            if self.is_wanted && rebuild_at <= Instant::now() {
                match whole(self.rebuild()).await {
                    Ok(true) => self.went_on(&mut rebuild_failures),
                    Ok(false) => {}
                    Err(error) => {
                        let what = "the search index is not made anew";
                        self.failed(&mut rebuild_failures, &error, what);
                        let pause = (Duration::from_secs(1), REBUILD_PAUSE_MAX);
                        rebuild_at =
                            Instant::now() + self.pause_after(rebuild_failures, pause.0, pause.1);
                    }
                }
            }
            let next = if self.is_wanted { follow_at.min(rebuild_at) } else { follow_at };
            tokio::select! {
                () = orders.0.asked.notified() => {
                    // What was read before the order is not what was ordered.
                    self.rebuilding = None;
                    self.is_wanted = true;
                    rebuild_at = Instant::now();
                }
                () = sleep_until(next) => {}
            }
        }
    }

    /// Applies the next changes to the index that there is; whether there are more.
    async fn follow(&mut self) -> Result<bool, FollowError> {
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
        read.retain(|(id, version, _)| self.applied.get(id) != Some(version));
        let now = self.parts.clock.now();
        let is_due = *place != changes.next && now.since(self.kept_at) >= KEEP_EVERY;
        let versions: Vec<_> = read.iter().map(|(id, version, _)| (*id, *version)).collect();
        if !read.is_empty() || is_due {
            let position = self.parts.position(&changes.next);
            let fresh = read.into_iter().map(|(_, _, change)| change).collect();
            self.parts.engine.apply(fresh, position).await?;
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

    /// Does the next part of an index that is made anew; whether it has taken the place of the other.
    async fn rebuild(&mut self) -> Result<bool, FollowError> {
        let mut rebuilding = match self.rebuilding.take() {
            Some(rebuilding) => rebuilding,
            None => self.begin().await?,
        };
        let is_more = match self.parts.read_on(&mut rebuilding).await {
            Ok(is_more) => is_more,
            Err(error) => {
                // The store may answer the next time; after an error of its own the index is void.
                if !error.is_of_engine() {
                    self.rebuilding = Some(rebuilding);
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

    fn went_on(&self, failures: &mut u32) {
        if *failures > 0 {
            tracing::info!(failures = *failures, "the search index goes on");
            *failures = 0;
            self.orders.0.state.lock().failure = None;
        }
    }

    fn failed(&self, failures: &mut u32, error: &FollowError, what: &str) {
        *failures = failures.saturating_add(1);
        let text = chain(error);
        if *failures == 1 {
            tracing::warn!(error = text, "{what}");
        } else {
            tracing::debug!(error = text, failures = *failures, "{what}");
        }
        self.parts.metrics.failed.inc();
        self.orders.0.state.lock().failure = Some(text);
    }

    /// How long to wait after so many failures: half to one and a half times a pause that doubles, as servers
    /// that failed together are not to come again together.
    fn pause_after(&self, failures: u32, first: Duration, longest: Duration) -> Duration {
        let pause = first.saturating_mul(1 << failures.min(10)).min(longest);
        let part = u32::from(self.parts.ids.secret()[0]);
        pause / 2 + pause * part / 255
    }
}

impl FollowError {
    fn is_of_engine(&self) -> bool {
        matches!(self, Self::Engine(_) | Self::Panicked)
    }
}

/// The same, where a panic is an error: what reads a damaged file may, and the index is to go on.
async fn whole<T>(step: impl Future<Output = Result<T, FollowError>>) -> Result<T, FollowError> {
    AssertUnwindSafe(step).catch_unwind().await.unwrap_or(Err(FollowError::Panicked))
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
                let fresh = read.into_iter().map(|(_, _, change)| change).collect();
                rebuilding.index.apply(fresh).await?;
                rebuilding.place = changes.next;
                return Ok(changes.more);
            }
        };
        let page = self.all.page(after).await?;
        rebuilding.read += page.listings.len() as u64;
        let found = page.listings.into_iter().filter(is_found);
        let changes = found.map(|listing| Change::Put(Box::new(listing))).collect();
        rebuilding.index.apply(changes).await?;
        rebuilding.reading = page.next.map_or(Reading::Changes, Reading::Behind);
        Ok(true)
    }

    /// What became of listings, with their versions (0: it is not there), each once.
    async fn read(
        &self,
        listings: &[ListingId],
    ) -> Result<Vec<(ListingId, u64, Change)>, FollowError> {
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
            let version = listing.as_ref().map_or(0, |listing| listing.version);
            let put = listing.filter(is_found).map(|listing| Change::Put(Box::new(listing)));
            Ok((id, version, put.unwrap_or(Change::Remove(id))))
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
