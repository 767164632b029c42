//! The backend on a cluster: ScyllaDB, or Apache Cassandra, which speaks the same protocol.
//!
//! # Rules
//! - A partition with a conditional write is written conditionally only: a plain write can be
//!   stamped behind a conditional one before it, and is then lost without a word. (The import is
//!   the exception, of a store that nobody has served: see [`bulk`].)
//! - A conditional statement is never sent twice by the driver. Whose outcome is unknown is read back
//!   with serial consistency, which settles it, and tried again if it is not there.
//! - Every partition is bounded; each table's comment in `storage/schema/` says by what. No
//!   materialised view, no secondary index, no filtering; and no counter but of what may be counted
//!   roughly ([`listing_views`]).
//! - Nothing is bound to null, and nothing on a hot path is deleted: both leave tombstones.
//!
//! # How to add tables and statements
//! 1. A step in `storage/schema/`, listed in [`schema::STEPS`]. Names of keyspaces stand in braces.
//! 2. A struct of prepared statements, each of the kind that says how it may be treated:
//!    [`statements::Read`], [`statements::SerialRead`], [`statements::Write`],
//!    [`statements::Conditional`], [`statements::Addition`].

pub mod clocks;
pub mod databases;
pub mod error;
pub mod metrics;
pub mod schema;
pub mod session;
pub mod statements;

mod columns;
mod insertions;
mod retry;

pub mod chat_log;
pub mod chats;
pub mod inbox;

pub mod bulk;

pub mod accounts;
pub mod api_keys;
pub mod audit;
pub mod blocks;
pub mod codes;
pub mod credentials;
pub mod favourites;
pub mod identities;
mod listing_feed;
pub mod listing_views;
pub mod listings;
pub mod media;
mod media_looks;
pub mod reports;
pub mod saved_searches;
pub mod sessions;
pub mod user_state;

use std::sync::Arc;

use barterline_domain::clock::Clock;

use self::bulk::ScyllaSource;
use self::databases::Databases;
use self::schema::Area;
use crate::chat_log::Outcomes;
use crate::error::StoreError;
use crate::health::Health;
use crate::stores::{Metrics, Opened, Stores};

/// Opens all stores of a cluster whose schema was checked. Needs a tokio runtime around it.
pub async fn open(databases: &Databases, clock: Arc<dyn Clock>) -> Result<Opened, StoreError> {
    let epoch = chats::epoch(databases.of(Area::Chats)).await?;
    let opened = Box::pin(open_with_epoch(databases, epoch, clock)).await?;
    let (stores, source, outcomes) = opened;
    let (measured, watched) = (databases.clone(), databases.clone());
    let metrics: Metrics = Box::new(move |registry| {
        let metrics = measured.common().metrics().clone();
        metrics.register(measured, registry);
    });
    let health = Health::new(move || watched.unreachable());
    Ok(Opened { stores, health, metrics, outcomes, source: Arc::new(source) })
}

async fn open_with_epoch(
    databases: &Databases,
    epoch: u32,
    clock: Arc<dyn Clock>,
) -> Result<(Stores, ScyllaSource, Outcomes), StoreError> {
    let of = |area| databases.of(area);
    let (users, of_chats) = (of(Area::Users), of(Area::Chats));
    let chats::Opened { chats, outcomes } =
        chats::ScyllaChats::open(of_chats.clone(), epoch, Arc::clone(&clock)).await?;
    let secrets = Arc::new(credentials::ScyllaCredentials::open(of(Area::Credentials)).await?);
    let listings = listings::ScyllaListings::open(of(Area::Listings), clock).await?;
    let (views, searches) = (
        listing_views::ScyllaListingViews::open(of(Area::Listings)).await?,
        saved_searches::ScyllaSavedSearches::open(of(Area::Listings)).await?,
    );
    let stores = Stores {
        credentials: secrets.clone(),
        codes: Arc::new(codes::ScyllaCodes::open(of(Area::Credentials)).await?),
        identities: Arc::new(identities::ScyllaIdentities::open(of(Area::Credentials)).await?),
        accounts: Arc::new(accounts::ScyllaAccounts::open(users).await?),
        audit: Arc::new(audit::ScyllaAudit::open(of(Area::Operations)).await?),
        api_keys: Arc::new(api_keys::ScyllaApiKeys::open(users).await?),
        sessions: Arc::new(sessions::ScyllaSessions::open(users).await?),
        listings: Arc::new(listings),
        listing_views: Arc::new(views),
        favourites: Arc::new(favourites::ScyllaFavourites::open(of(Area::Listings)).await?),
        saved_searches: Arc::new(searches),
        media: Arc::new(media::ScyllaMedia::open(of(Area::Listings)).await?),
        blocks: Arc::new(blocks::ScyllaBlocks::open(users).await?),
        reports: Arc::new(reports::ScyllaReports::open(of(Area::Operations)).await?),
        user_states: Arc::new(user_state::ScyllaUserStates::open(users).await?),
        chat_log: Arc::new(chats.clone()),
        inbox: Arc::new(chats.clone()),
    };
    let source = ScyllaSource::open(databases, stores.clone(), secrets, chats).await?;
    Ok((stores, source, outcomes))
}
