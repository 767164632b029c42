//! The search index, put together by the settings.

use std::sync::Arc;

use async_trait::async_trait;
use barterline_domain::catalogue::Catalogue;
use barterline_domain::clock::Clock;
use barterline_search::{SearchEngine, embedded};
use barterline_storage::bulk::{Place, Source};
use barterline_storage::error::StoreError;
use barterline_storage::listings::Listings as ListingStore;

use crate::adapters::opensearch::{self, OpenSearch};
use crate::admin::Admin;
use crate::config::{self, Settings};
use crate::data_dir::DataDir;
use crate::ids::Ids;
use crate::services::listings::standings::Standings;
use crate::services::search::Search;
use crate::services::search::follower::{self, AllListings, Follower, Page};
use crate::telemetry::metrics::SearchMetrics;

/// Where the index is, in the data directory.
const DIRECTORY: &str = "search";

/// What listings are found by.
pub(super) struct Parts {
    pub store: Arc<dyn ListingStore>,
    pub source: Arc<dyn Source>,
    pub catalogue: Arc<Catalogue>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    pub standings: Arc<Standings>,
}

/// A store that can be read whole, of which only listings are.
struct Whole(Arc<dyn Source>);

#[async_trait]
impl AllListings for Whole {
    fn epoch(&self) -> u32 {
        self.0.epoch()
    }

    async fn page(&self, after: Option<&[u8]>) -> Result<Page, StoreError> {
        let after = after.map(|after| Place(after.to_vec()));
        let (listings, next) = self.0.listings(after.as_ref()).await?;
        Ok(Page { listings, next: next.map(|place| place.0) })
    }
}

/// What finds, and what keeps it up to date; `None`: this server does not search.
pub(super) async fn open(
    settings: &Settings,
    data: &DataDir,
    admin: &Admin,
    parts: Parts,
) -> anyhow::Result<Option<(Search, Follower)>> {
    let settings = &settings.search;
    if !settings.enabled {
        return Ok(None);
    }
    let metrics = SearchMetrics::default();
    admin.register(|registry| metrics.register(registry));
    let engine = engine(settings, data, &parts).await?;
    let Parts { store, source, catalogue, clock, ids, standings } = parts;
    let (follower, orders) = Follower::new(follower::Parts {
        engine: Arc::clone(&engine),
        listings: Arc::clone(&store),
        all: Arc::new(Whole(source)),
        clock: Arc::clone(&clock),
        interval: settings.interval(),
        ids,
        standings,
        metrics,
    });
    admin.search(orders);
    Ok(Some((Search::new(engine, store, catalogue, clock), follower)))
}

/// What finds, as the settings say.
async fn engine(
    settings: &config::Search,
    data: &DataDir,
    parts: &Parts,
) -> anyhow::Result<Arc<dyn SearchEngine>> {
    let languages = settings.languages();
    if settings.is_outer() {
        let settings = opensearch::Settings {
            url: settings.url.clone(),
            index: settings.index.clone(),
            login: settings.login(),
            languages,
            clock: Arc::clone(&parts.clock),
            ids: Arc::clone(&parts.ids),
        };
        return Ok(Arc::new(OpenSearch::open(settings).await?));
    }
    let settings = embedded::Settings {
        writer_bytes: settings.memory_mib << 20,
        ..embedded::Settings::new(data.path().join(DIRECTORY), languages)
    };
    // All of it is read, to see that it is whole.
    let opened = tokio::task::spawn_blocking(move || embedded::open(settings)).await??;
    Ok(Arc::new(opened.engine))
}
