//! What is for sale, found. The index says which listings, and in which order; what they say is read
//! from the store, so that nobody is shown what is so no more.

mod asked;
pub mod follower;

use std::sync::Arc;

use barterline_domain::catalogue::category::CategoryId;
use barterline_domain::catalogue::{Catalogue, InvalidAttributes};
use barterline_domain::clock::{Clock, Timestamp};
use barterline_domain::listing::{Listing, ListingStatus};
use barterline_search::cursor::Cursor;
use barterline_search::page::Counted;
use barterline_search::{Filter, PriceRange, QueryError, SearchEngine, SearchError as EngineError};
use barterline_storage::error::StoreError;
use barterline_storage::listings::Listings as ListingStore;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

pub use self::asked::{Asked, Wanted};

/// Finds what is for sale.
#[derive(Clone)]
pub struct Search {
    engine: Arc<dyn SearchEngine>,
    store: Arc<dyn ListingStore>,
    catalogue: Arc<Catalogue>,
    clock: Arc<dyn Clock>,
}

/// A part of what was found.
#[derive(Debug)]
pub struct Found {
    /// In the order that was asked for, with the kilometres to each that has a place.
    pub listings: Vec<(Listing, Option<f64>)>,
    /// How many there are in all parts.
    pub total: u64,
    /// Values and how many have them.
    pub facets: Vec<Counted>,
    /// Where the next part begins.
    pub next: Option<Cursor>,
}

/// Why nothing was found.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// It makes no sense.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Nothing has such attributes.
    #[error(transparent)]
    Attributes(#[from] InvalidAttributes),
    /// Attributes of a category that is not said.
    #[error("attributes are those of a category: say which")]
    NoCategory,
    /// A value that things of this kind do not have.
    #[error("`{key}` is not asked for like that: {wanted}")]
    Wanted {
        /// The attribute.
        key: String,
        /// How it is asked for.
        wanted: &'static str,
    },
    /// Drafts are nobody's to find.
    #[error("drafts are not found: `GET /v1/accounts/{{id}}/listings` has one's own")]
    Drafts,
    /// This server has no index: `search.enabled`.
    #[error("this server does not search")]
    Off,
    /// There is no index yet.
    #[error("the index is being made: try again in a minute")]
    NoIndex,
    /// Too much is asked at once, or of one search.
    #[error("{0}")]
    Busy(EngineError),
    /// The index does not answer.
    #[error("the index does not answer: {0}")]
    Engine(EngineError),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<EngineError> for SearchError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Query(error) => Self::Query(error),
            EngineError::Busy | EngineError::TooSlow => Self::Busy(error),
            EngineError::Rebuilding | EngineError::Locked(_) | EngineError::Failed { .. } => {
                Self::Engine(error)
            }
        }
    }
}

impl Search {
    /// The rules over these parts.
    pub fn new(
        engine: Arc<dyn SearchEngine>,
        store: Arc<dyn ListingStore>,
        catalogue: Arc<Catalogue>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { engine, store, catalogue, clock }
    }

    /// A part of what fits.
    pub async fn find(&self, asked: Asked) -> Result<Found, SearchError> {
        let now = self.clock.now();
        let query = asked.query(&self.catalogue, now)?;
        self.ready()?;
        let wanted = query.filter.clone();
        let page = self.engine.search(query).await?;
        let reads = page.hits.into_iter().map(|hit| async move {
            match self.store.find(hit.listing).await {
                Ok(listing) => Ok(listing.map(|listing| (listing, hit.distance_km))),
                // One that is damaged does not hide the others.
                Err(error @ StoreError::Corrupt { .. }) => {
                    tracing::error!(%error, listing = %hit.listing, "a listing is damaged");
                    Ok(None)
                }
                Err(error) => Err(error),
            }
        });
        let read: Vec<_> = stream::iter(reads).buffered(READS_AT_ONCE).try_collect().await?;
        // The index is a moment behind.
        let is_so =
            |(listing, _): &(Listing, _)| is_found(listing) && is_wanted(listing, &wanted, now);
        let listings = read.into_iter().flatten().filter(is_so).collect();
        Ok(Found { listings, total: page.total, facets: page.facets, next: page.next })
    }

    /// What somebody may be about to type.
    pub async fn suggest(&self, typed: &str, limit: usize) -> Result<Vec<String>, SearchError> {
        self.ready()?;
        Ok(self.engine.suggest(typed, limit, self.clock.now()).await?)
    }

    fn ready(&self) -> Result<(), SearchError> {
        self.engine.position().map(drop).ok_or(SearchError::NoIndex)
    }
}

/// Whether a listing is in the index: what was for sale, and is not of somebody who is gone.
fn is_found(listing: &Listing) -> bool {
    listing.was_for_sale() && !listing.text.is_erased()
}

/// Whether a listing is still what somebody asked for, as far as price, kind, condition, state and seller go; the
/// rest is left to the index.
fn is_wanted(listing: &Listing, filter: &Filter, now: Timestamp) -> bool {
    let Filter { category, price, conditions, statuses, seller, .. } = filter;
    let is_in = |wanted: &CategoryId| {
        listing.details.category.as_ref().is_some_and(|category| category.line().contains(wanted))
    };
    let costs = |wanted: &PriceRange| {
        let PriceRange { currency, min, max } = *wanted;
        let minor = listing.price.minor;
        listing.price.currency == currency
            && min.is_none_or(|min| min <= minor)
            && max.is_none_or(|max| minor <= max)
    };
    category.as_ref().is_none_or(is_in)
        && price.as_ref().is_none_or(costs)
        && (conditions.is_empty()
            || listing.details.condition.is_some_and(|it| conditions.contains(&it)))
        && statuses.contains(&listing.status_at(now))
        && seller.is_none_or(|seller| seller == listing.seller)
}

/// Listings of a part that are read at once.
const READS_AT_ONCE: usize = 16;

/// What is found unless somebody asks for something else.
const FOR_SALE: [ListingStatus; 2] = [ListingStatus::Active, ListingStatus::Reserved];
