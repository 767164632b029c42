//! An engine in the process, with its index in a directory.

mod deadline;
mod facets;
mod filter;
mod generation;
mod language;
mod rebuild;
pub(crate) mod relevance;
pub(crate) mod schema;
mod search;
pub(crate) mod suggest;
pub(crate) mod text;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use barterline_domain::clock::Timestamp;
use parking_lot::RwLock;
use tantivy::Searcher;
use tokio::sync::{Mutex, Semaphore};

use crate::engine::{Change, Position, Rebuild, SUGGESTIONS_MAX, SearchEngine, Stats};
use crate::error::SearchError;
use crate::page::Page;
use crate::query::{Query, TEXT_CHARS_MAX};

use deadline::{Deadline, Stopped};
use generation::Home;
pub use language::{Language, UnknownLanguage};
use rebuild::EmbeddedRebuild;
use schema::Fields;
use search::Plan;
use writer::Writer;

/// Where an index is, and how much an engine may use.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The directory; it is made if there is none.
    pub dir: PathBuf,
    /// Languages whose endings are known. An index of others is made anew.
    pub languages: Vec<Language>,
    /// Memory for changes that are not committed, 15 MB at least; once more while an index is made
    /// anew.
    pub writer_bytes: usize,
    /// How many search at once. Each takes a thread, and 15 bytes for each listing of a segment.
    pub searches_max: usize,
    /// How long the others wait: [`SearchError::Busy`].
    pub wait_max: Duration,
    /// How long a search takes: [`SearchError::TooSlow`].
    pub search_max: Duration,
}

/// An engine, and what was found in its directory.
pub struct Opened {
    /// The engine.
    pub engine: EmbeddedEngine,
    /// What was there.
    pub found: Found,
}

/// What was in the directory of an index. All but [`Self::Kept`] want a rebuild.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// An index, which is used.
    Kept,
    /// None.
    Nothing,
    /// One of another format or of other languages, which is removed.
    Outdated,
    /// One that cannot be read, which is set aside.
    Damaged,
}

/// The engine.
#[derive(Clone)]
pub struct EmbeddedEngine(Arc<Shared>);

struct Shared {
    home: Home,
    fields: Arc<Fields>,
    live: RwLock<Live>,
    writer: Arc<Mutex<Writer>>,
    writer_bytes: usize,
    searches: Arc<Semaphore>,
    rebuilds: Arc<Semaphore>,
    wait_max: Duration,
    search_max: Duration,
}

/// What is found now, and up to where that goes.
struct Live {
    searcher: Searcher,
    position: Option<Position>,
}

impl Settings {
    /// An index in `dir`, with 32 MB for changes, and 4 searches at once that wait for a second and take
    /// two.
    pub fn new(dir: PathBuf, languages: Vec<Language>) -> Self {
        Self {
            dir,
            languages,
            writer_bytes: 32_000_000,
            searches_max: 4,
            wait_max: Duration::from_secs(1),
            search_max: Duration::from_secs(2),
        }
    }
}

/// Opens the index of a directory, or makes an empty one. Reads it once to see that it is whole, so it
/// takes a while.
pub fn open(settings: Settings) -> Result<Opened, SearchError> {
    let Settings { dir, languages, writer_bytes, searches_max, wait_max, search_max } = settings;
    let home = Home::lock(dir)?;
    let failed = |error: tantivy::TantivyError| Stopped::from(error).during("open the index");
    let (generation, found) = home.open(&languages).map_err(failed)?;
    let live = Live {
        searcher: generation.reader.searcher(),
        position: writer::position(&generation.index).map_err(failed)?,
    };
    let engine = EmbeddedEngine(Arc::new(Shared {
        home,
        fields: Arc::clone(&generation.fields),
        live: RwLock::new(live),
        writer: Arc::new(Mutex::new(Writer::new(generation, writer_bytes))),
        writer_bytes,
        searches: Arc::new(Semaphore::new(searches_max)),
        rebuilds: Arc::new(Semaphore::new(1)),
        wait_max,
        search_max,
    }));
    Ok(Opened { engine, found })
}

impl Shared {
    fn searcher(&self) -> Searcher {
        self.live.read().searcher.clone()
    }

    /// Reads the index on a thread that may wait for the disk, when it is this one's turn.
    async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        what: &'static str,
        work: impl FnOnce(&Self, &Searcher, &Deadline) -> Result<T, Stopped> + Send + 'static,
    ) -> Result<T, SearchError> {
        let turn = Arc::clone(&self.searches).acquire_owned();
        let turn = tokio::time::timeout(self.wait_max, turn).await;
        let turn = turn.ok().and_then(Result::ok).ok_or(SearchError::Busy)?;
        let shared = Arc::clone(self);
        blocking(what, move || {
            let deadline = Deadline::within(shared.search_max);
            let read = work(&shared, &shared.searcher(), &deadline);
            // Not before the work is done, even if nobody waits for it any more.
            drop(turn);
            read.map_err(|error| error.during(what))
        })
        .await
    }
}

#[async_trait]
impl SearchEngine for EmbeddedEngine {
    fn position(&self) -> Option<Position> {
        self.0.live.read().position.clone()
    }

    async fn apply(&self, changes: Vec<Change>, position: Position) -> Result<(), SearchError> {
        const WHAT: &str = "write to the index";
        let shared = Arc::clone(&self.0);
        let mut writer = Arc::clone(&shared.writer).lock_owned().await;
        blocking(WHAT, move || {
            let committed = writer.add(changes).and_then(|()| writer.commit(&position));
            let searcher = committed.map_err(|error| Stopped::from(error).during(WHAT))?;
            *shared.live.write() = Live { searcher, position: Some(position) };
            Ok(())
        })
        .await
    }

    async fn search(&self, query: Query) -> Result<Page, SearchError> {
        let plan = Plan::new(query, &self.0.fields)?;
        let run = move |shared: &Shared, searcher: &Searcher, deadline: &Deadline| {
            plan.run(searcher, &shared.fields, deadline)
        };
        self.0.read("search the index", run).await
    }

    async fn suggest(
        &self,
        typed: &str,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<String>, SearchError> {
        let typed: String = typed.chars().take(TEXT_CHARS_MAX).collect();
        let limit = limit.min(SUGGESTIONS_MAX);
        let run = move |shared: &Shared, searcher: &Searcher, deadline: &Deadline| {
            suggest::suggest(searcher, &shared.fields, &typed, limit, now, deadline)
        };
        self.0.read("search the index", run).await
    }

    async fn rebuild(&self) -> Result<Box<dyn Rebuild>, SearchError> {
        let shared = Arc::clone(&self.0);
        let only = Arc::clone(&shared.rebuilds).try_acquire_owned();
        let only = only.map_err(|_| SearchError::Rebuilding)?;
        let begun = blocking("make the index anew", move || EmbeddedRebuild::begin(shared, only));
        Ok(Box::new(begun.await?))
    }

    fn stats(&self) -> Stats {
        let searcher = self.0.searcher();
        // Reads lengths that are in memory.
        let bytes = searcher.space_usage().map_or(0, |usage| usage.total().get_bytes());
        Stats { documents: searcher.num_docs(), bytes, segments: searcher.segment_readers().len() }
    }
}

/// Works on a thread that may wait for the disk. It is not stopped when nobody waits for it.
async fn blocking<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> Result<T, SearchError> + Send + 'static,
) -> Result<T, SearchError> {
    let worked = tokio::task::spawn_blocking(work).await;
    worked.map_err(|error| SearchError::Failed { what, source: error.into() })?
}
