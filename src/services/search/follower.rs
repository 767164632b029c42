//! The index follows the feed of changes, and is made anew when somebody asks for it or when there is no
//! going on: each server keeps its own, and what happens to one is no loss.

use std::collections::{BTreeSet, HashMap};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use barterline_domain::clock::{Clock, Timestamp};
use barterline_domain::ids::ListingId;
use barterline_domain::listing::Listing;
use barterline_search::{Change, Position, Rebuild, SearchEngine, SearchError};
use barterline_storage::error::StoreError;
use barterline_storage::listings::{FeedPlace, Listings as ListingStore};
use futures_util::future::try_join_all;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::is_found;
use crate::ids::Ids;
use crate::telemetry::metrics::SearchMetrics;

/// Changes of one commit.
const CHANGES_MAX: usize = 1_000;
/// Listings that are read at once.
const READS_MAX: usize = 100;
/// The longest wait after failures, which begin at the interval and double.
const PAUSE_MAX: Duration = Duration::from_secs(30);
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
    /// How often one was made anew since the start.
    pub rebuilt: u64,
    /// Why it does not go on, if so.
    pub failure: Option<String>,
}

/// An index that is being made anew.
struct Rebuilding {
    index: Box<dyn Rebuild>,
    /// Where the feed stood before the first listing was read.
    begun_at: FeedPlace,
    after: Option<Vec<u8>>,
    read: u64,
}

#[derive(Debug, thiserror::Error)]
enum FollowError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Engine(#[from] SearchError),
}

impl Orders {
    /// Has the index made anew; one that is being made is given up for it.
    pub fn rebuild(&self) {
        self.0.state.lock().rebuilding = Some(0);
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
            rebuilt: 0,
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
        let orders = self.orders.clone();
        let mut failures = 0;
        loop {
            let pause = match self.step().await {
                Ok(is_more) => {
                    self.went_on(failures);
                    failures = 0;
                    if is_more { Duration::ZERO } else { self.parts.interval }
                }
                Err(error) => {
                    failures += 1;
                    self.failed(failures, &error);
                    self.pause_after(failures)
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = orders.0.asked.notified() => {
                    self.rebuilding = None;
                    self.is_wanted = true;
                }
                () = sleep(pause) => {}
            }
        }
    }

    /// Does the next part of the work; whether there is more to do at once.
    async fn step(&mut self) -> Result<bool, FollowError> {
        let is_more = self.follow().await?;
        if self.is_wanted && self.rebuilding.is_none() {
            self.begin().await?;
        }
        let Some(rebuilding) = self.rebuilding.take() else { return Ok(is_more) };
        self.rebuilding = self.read_on(rebuilding).await?;
        Ok(true)
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
        let listings: BTreeSet<_> = changes.listings.iter().copied().collect();
        let (mut fresh, mut versions) = (Vec::new(), Vec::new());
        for part in listings.into_iter().collect::<Vec<_>>().chunks(READS_MAX) {
            let read = part.iter().map(|listing| self.parts.listings.find(*listing));
            for (id, listing) in part.iter().zip(try_join_all(read).await?) {
                let version = listing.as_ref().map_or(0, |listing| listing.version);
                // A feed may tell of a change more than once.
                if self.applied.get(id) == Some(&version) {
                    continue;
                }
                let put = listing.filter(is_found).map(|listing| Change::Put(Box::new(listing)));
                fresh.push(put.unwrap_or(Change::Remove(*id)));
                versions.push((*id, version));
            }
        }
        let now = self.parts.clock.now();
        let is_due = *place != changes.next && now.since(self.kept_at) >= KEEP_EVERY;
        if !fresh.is_empty() || is_due {
            let position = self.parts.position(&changes.next);
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

    /// Begins an empty index beside the one that there is.
    async fn begin(&mut self) -> Result<(), FollowError> {
        // Before the first listing is read.
        let begun_at = self.parts.listings.feed_end().await?;
        let index = self.parts.engine.rebuild().await?;
        tracing::info!("the search index is made anew");
        self.rebuilding = Some(Rebuilding { index, begun_at, after: None, read: 0 });
        self.orders.0.state.lock().rebuilding = Some(0);
        Ok(())
    }

    /// Reads the next listings into the new index; `None` when it has taken the place of the other.
    async fn read_on(
        &mut self,
        mut rebuilding: Rebuilding,
    ) -> Result<Option<Rebuilding>, FollowError> {
        let page = self.parts.all.page(rebuilding.after.as_deref()).await?;
        let mut changes = Vec::new();
        for listing in page.listings {
            rebuilding.read += 1;
            if is_found(&listing) {
                changes.push(Change::Put(Box::new(listing)));
            }
        }
        rebuilding.index.apply(changes).await?;
        self.orders.0.state.lock().rebuilding = Some(rebuilding.read);
        if page.next.is_some() {
            return Ok(Some(Rebuilding { after: page.next, ..rebuilding }));
        }
        let Rebuilding { index, begun_at, read, .. } = rebuilding;
        index.finish(self.parts.position(&begun_at)).await?;
        tracing::info!(listings = read, "the search index was made anew");
        self.place = Some(begun_at);
        self.is_wanted = false;
        self.applied.clear();
        self.parts.metrics.rebuilt.inc();
        self.measure();
        let mut state = self.orders.0.state.lock();
        state.rebuilding = None;
        state.rebuilt += 1;
        Ok(None)
    }

    fn measure(&self) {
        let stats = self.parts.engine.stats();
        self.parts.metrics.documents.set(i64::try_from(stats.documents).unwrap_or(i64::MAX));
        self.parts.metrics.bytes.set(i64::try_from(stats.bytes).unwrap_or(i64::MAX));
    }

    fn went_on(&self, failures: u32) {
        if failures > 0 {
            tracing::info!(failures, "the search index follows again");
            self.orders.0.state.lock().failure = None;
        }
    }

    fn failed(&self, failures: u32, error: &FollowError) {
        let text = chain(error);
        if failures == 1 {
            tracing::warn!(error = text, "the search index does not follow");
        } else {
            tracing::debug!(error = text, failures, "the search index does not follow");
        }
        self.parts.metrics.failed.inc();
        self.orders.0.state.lock().failure = Some(text);
    }

    /// How long to wait after so many failures: half to one and a half times the pause, as servers
    /// that failed together are not to come again together.
    fn pause_after(&self, failures: u32) -> Duration {
        let pause = self.parts.interval.saturating_mul(1 << failures.min(10)).min(PAUSE_MAX);
        let part = u32::from(self.parts.ids.secret()[0]);
        pause / 2 + pause * part / 255
    }
}

impl Parts {
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
