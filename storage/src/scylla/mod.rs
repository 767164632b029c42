//! The backend on a cluster: ScyllaDB, or Apache Cassandra, which speaks the same protocol.
//!
//! # Rules
//! - A partition with a conditional write is written conditionally only: a plain write can be
//!   stamped behind a conditional one before it, and is then lost without a word.
//! - A conditional statement is never sent twice by the driver. Whose outcome is unknown is read back
//!   with serial consistency, which settles it, and tried again if it is not there.
//! - Every partition is bounded; each table's comment in `storage/schema/` says by what. No
//!   materialised view, no secondary index, no counter, no filtering.
//! - Nothing is bound to null, and nothing on a hot path is deleted: both leave tombstones.
//!
//! # How to add tables and statements
//! 1. A step in `storage/schema/`, listed in [`schema::STEPS`]. Names of keyspaces stand in braces.
//! 2. A struct of prepared statements, each of the kind that says how it may be treated:
//!    [`statements::Read`], [`statements::SerialRead`], [`statements::Write`],
//!    [`statements::Conditional`].

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

pub mod accounts;
pub mod blocks;
pub mod credentials;
pub mod listings;
pub mod reports;
pub mod sessions;
pub mod user_state;

use std::sync::Arc;

use barterline_domain::clock::Clock;

use self::session::Database;
use crate::error::StoreError;
use crate::health::Health;
use crate::stores::{Metrics, Opened, Stores};

/// Opens all stores of a cluster whose schema was checked. Needs a tokio runtime around it.
pub async fn open(database: &Database, clock: Arc<dyn Clock>) -> Result<Opened, StoreError> {
    let epoch = chats::epoch(database).await?;
    let chats::Opened { chats, outcomes } =
        chats::ScyllaChats::open(database.clone(), epoch, clock).await?;
    let stores = Stores {
        credentials: Arc::new(credentials::ScyllaCredentials::open(database).await?),
        accounts: Arc::new(accounts::ScyllaAccounts::open(database).await?),
        sessions: Arc::new(sessions::ScyllaSessions::open(database).await?),
        listings: Arc::new(listings::ScyllaListings::open(database).await?),
        blocks: Arc::new(blocks::ScyllaBlocks::open(database).await?),
        reports: Arc::new(reports::ScyllaReports::open(database).await?),
        user_states: Arc::new(user_state::ScyllaUserStates::open(database).await?),
        chat_log: Arc::new(chats.clone()),
        inbox: Arc::new(chats),
    };
    let database = database.clone();
    let measured = database.clone();
    let metrics: Metrics =
        Box::new(move |registry| measured.metrics().register(&measured, registry));
    let health = Health::new(move || database.unreachable());
    Ok(Opened { stores, health, metrics, outcomes })
}
