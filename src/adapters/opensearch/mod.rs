//! A search engine that others keep, and that all servers of a store share: an OpenSearch, over HTTP.
//!
//! What it is told stands in [`barterline_search::opensearch`]. Each server feeds the one index with all
//! that changed: a listing is written with its version, and what is older never replaces what is newer,
//! so that it does not matter who is first, nor how often. A batch is not one step: when one fails, some of
//! it may be found already, and the same is written again.

mod generation;
mod http;
mod rebuild;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use barterline_domain::clock::{Clock, Timestamp};
use barterline_search::opensearch::{Suggestion, Translator};
use barterline_search::page::Page;
use barterline_search::{
    Change, Language, Position, Query, Rebuild, SearchEngine, SearchError, Stats,
};
use parking_lot::{Mutex, RwLock};
use serde_json::Value;
use tokio::sync::{Mutex as TurnOf, Semaphore};

use self::generation::{Generation, Indexes, Live};
use self::http::{Http, HttpError};
use self::rebuild::OpenSearchRebuild;
use crate::ids::{Ids, around};

/// Searches of this server at once. What they cost is paid elsewhere.
const SEARCHES_MAX: usize = 32;
/// After so long a search is sent again that was answered with a failure, half to one and a half times.
const ASKED_AGAIN: [Duration; 3] =
    [Duration::from_millis(20), Duration::from_millis(100), Duration::from_millis(300)];
/// How long the others wait.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// How long a search takes over there.
const SEARCH_MAX: Duration = Duration::from_secs(2);
/// For a search with its answer.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(5);

const SEARCH: &str = "search the index";
const LOOK: &str = "look for the index";
const WRITE: &str = "write to the index";

/// Where an OpenSearch is, and what is wanted of it.
pub struct Settings {
    /// Its address.
    pub url: String,
    /// The name of the index; those behind it are called so, too, with a number.
    pub index: String,
    /// User and password.
    pub login: Option<(String, String)>,
    /// Languages whose endings are known. An index of others is made anew.
    pub languages: Vec<Language>,
    /// The present.
    pub clock: Arc<dyn Clock>,
    /// What indexes are called.
    pub ids: Arc<dyn Ids>,
}

/// The engine.
#[derive(Clone)]
pub struct OpenSearch(Arc<Shared>);

struct Shared {
    indexes: Indexes,
    /// What was there when it was last looked at, or written.
    live: RwLock<Option<Live>>,
    writes: TurnOf<()>,
    searches: Semaphore,
    rebuilds: Arc<Semaphore>,
    /// Indexes to be removed.
    unfinished: Mutex<Vec<Generation>>,
    search_timeout: Duration,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

impl OpenSearch {
    /// Speaks to an OpenSearch. It need not be there yet.
    pub async fn open(settings: Settings) -> anyhow::Result<Self> {
        let engine = Self::over(settings, SEARCH_TIMEOUT)?;
        if let Err(error) = engine.0.look().await {
            tracing::warn!(%error, "the search engine does not answer: it is asked again");
        }
        Ok(engine)
    }

    fn over(settings: Settings, search_timeout: Duration) -> anyhow::Result<Self> {
        let Settings { url, index, login, languages, clock, ids } = settings;
        let http = Http::new(&url, login)?;
        let translator = Translator::new(languages);
        Ok(Self(Arc::new(Shared {
            indexes: Indexes { http, translator, alias: index },
            live: RwLock::new(None),
            writes: TurnOf::new(()),
            searches: Semaphore::new(SEARCHES_MAX),
            rebuilds: Arc::new(Semaphore::new(1)),
            unfinished: Mutex::default(),
            search_timeout,
            clock,
            ids,
        })))
    }
}

impl Shared {
    async fn look(&self) -> Result<Option<Position>, HttpError> {
        let live = self.indexes.look().await?;
        let position = live.as_ref().map(|live| live.position.clone());
        *self.live.write() = live;
        Ok(position)
    }

    async fn apply(&self, changes: &[Change], position: &Position) -> Result<(), HttpError> {
        let generation = self.live.read().as_ref().map(|live| live.generation.clone());
        let generation = generation.ok_or(HttpError::NoIndex)?;
        if !changes.is_empty() {
            self.indexes.write(&generation, changes).await?;
            self.indexes.show(&generation).await?;
        }
        self.indexes.note(&generation, position).await?;
        let stats = self.indexes.measure(&generation).await;
        *self.live.write() = Some(Live { generation, position: position.clone(), stats });
        Ok(())
    }

    /// Removes indexes that were not finished; what cannot be is tried again.
    async fn clear(&self) {
        let unfinished = std::mem::take(&mut *self.unfinished.lock());
        for generation in unfinished {
            if let Err(error) = self.indexes.remove(&generation).await {
                tracing::debug!(%error, "an index that was not finished is not removed");
                self.unfinished.lock().push(generation);
            }
        }
    }

    /// Asks, when it is this one's turn.
    async fn search(&self, query: &str, body: &Value) -> Result<Vec<u8>, SearchError> {
        let turn = tokio::time::timeout(WAIT_MAX, self.searches.acquire()).await;
        let _turn = turn.ok().and_then(Result::ok).ok_or(SearchError::Busy)?;
        let path =
            format!("{}/_search?allow_partial_search_results=false{query}", self.indexes.alias);
        let ask = || async {
            let answer = self.indexes.http.post(&path, body, self.search_timeout).await;
            answer.and_then(http::Answer::sound)
        };
        let mut answer = ask().await;
        // Another index may take the place of the one that was asked, in the middle of it: soon it is there.
        for pause in ASKED_AGAIN {
            let Err(HttpError::Status { status: 404 | 500..=599, .. }) = answer else { break };
            tokio::time::sleep(around(pause, &*self.ids)).await;
            answer = ask().await;
        }
        answer.map_err(|error| match error {
            HttpError::Status { status: 429, .. } => SearchError::Busy,
            error => failed(SEARCH)(error),
        })
    }
}

#[async_trait]
impl SearchEngine for OpenSearch {
    fn position(&self) -> Option<Position> {
        self.0.live.read().as_ref().map(|live| live.position.clone())
    }

    async fn look(&self) -> Result<Option<Position>, SearchError> {
        let _turn = self.0.writes.lock().await;
        self.0.look().await.map_err(failed(LOOK))
    }

    async fn apply(&self, changes: Vec<Change>, position: Position) -> Result<(), SearchError> {
        let _turn = self.0.writes.lock().await;
        self.0.clear().await;
        let applied = self.0.apply(&changes, &position).await;
        if let Err(error) = applied {
            // Another server may have put another index in its place.
            if let Err(error) = self.0.look().await {
                tracing::debug!(%error, "the search engine does not answer");
            }
            return Err(failed(WRITE)(error));
        }
        Ok(())
    }

    async fn search(&self, query: Query) -> Result<Page, SearchError> {
        let question = self.0.indexes.translator.question(query)?.within(SEARCH_MAX);
        let of = format!("&preference={}", question.preference);
        let answer = self.0.search(&of, &question.body).await?;
        let page = question.read(&answer).map_err(|error| failed(SEARCH)(error.into()))?;
        page.ok_or(SearchError::TooSlow)
    }

    async fn suggest(
        &self,
        typed: &str,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<String>, SearchError> {
        let suggestion = Suggestion::new(typed, limit);
        for completion in suggestion.completions() {
            let answer = self.0.search("", &completion.body(now)).await?;
            let phrases = completion.read(&answer);
            let phrases = phrases.map_err(|error| failed(SEARCH)(error.into()))?;
            if !phrases.is_empty() {
                return Ok(phrases);
            }
        }
        Ok(Vec::new())
    }

    async fn rebuild(&self) -> Result<Box<dyn Rebuild>, SearchError> {
        let only = Arc::clone(&self.0.rebuilds).try_acquire_owned();
        let only = only.map_err(|_| SearchError::Rebuilding)?;
        Ok(Box::new(OpenSearchRebuild::begin(Arc::clone(&self.0), only).await?))
    }

    fn stats(&self) -> Stats {
        let none = Stats { documents: 0, bytes: 0, segments: 0 };
        self.0.live.read().as_ref().map_or(none, |live| live.stats)
    }
}

fn failed(what: &'static str) -> impl Fn(HttpError) -> SearchError {
    move |error| SearchError::Failed { what, source: error.into() }
}
