//! The embedded backend: everything in one data directory, nothing to install.
//!
//! Three stores, so that reading one opens no other: `credentials.redb` (passwords, codes),
//! `messages/` (chats) and `main.redb` (the rest).

pub mod chat_log;
pub mod inbox;
pub mod log;

pub mod bulk;

pub mod accounts;
pub mod api_keys;
pub mod audit;
pub mod blocks;
pub mod codes;
pub mod credentials;
pub mod engine;
pub mod favourites;
pub mod identities;
pub mod listing_views;
pub mod listings;
pub mod media;
pub mod reports;
pub mod saved_searches;
pub mod sessions;
mod table;
pub mod user_state;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::bulk::EmbeddedSource;
use crate::chat_log::Outcomes;
use crate::error::StoreError;
use crate::health::Health;
use crate::record::sealing::Sealing;
use crate::stores::{Opened, Stores};

const CREDENTIALS: &str = "credentials.redb";
const MAIN: &str = "main.redb";

/// Opens or creates the stores of a data directory, to serve them. Needs a tokio runtime around it.
pub fn open(dir: &Path, segment_bytes: u64, sealing: Sealing) -> Result<Opened, StoreError> {
    bulk::standing(dir)?.whole()?;
    let (source, outcomes) = open_files(dir, (segment_bytes, log::FIRST_EPOCH), sealing)?;
    bulk::begin_to_serve(dir)?;
    let EmbeddedSource { credentials, main, log } = source.clone();
    let health = health(log.clone(), credentials.clone(), main.clone());
    let stores = Stores {
        credentials: Arc::new(credentials::EmbeddedCredentials(credentials.clone())),
        codes: Arc::new(codes::EmbeddedCodes(credentials.clone())),
        identities: Arc::new(identities::EmbeddedIdentities(credentials)),
        accounts: Arc::new(accounts::EmbeddedAccounts(main.clone())),
        audit: Arc::new(audit::EmbeddedAudit(main.clone())),
        api_keys: Arc::new(api_keys::EmbeddedApiKeys(main.clone())),
        sessions: Arc::new(sessions::EmbeddedSessions(main.clone())),
        favourites: Arc::new(favourites::EmbeddedFavourites(main.clone())),
        saved_searches: Arc::new(saved_searches::EmbeddedSavedSearches(main.clone())),
        media: Arc::new(media::EmbeddedMedia(main.clone())),
        blocks: Arc::new(blocks::EmbeddedBlocks(main.clone())),
        reports: Arc::new(reports::EmbeddedReports(main.clone())),
        user_states: Arc::new(user_state::EmbeddedUserStates(main.clone())),
        listing_views: Arc::new(listing_views::EmbeddedListingViews(main.clone())),
        listings: Arc::new(listings::EmbeddedListings(main)),
        chat_log: Arc::new(log.clone()),
        inbox: Arc::new(log),
    };
    // What there is to know stands in the log and on the disk.
    let metrics = Box::new(|_: &mut _| ());
    Ok(Opened { stores, health, metrics, outcomes, source: Arc::new(source) })
}

/// Says that every file of a store was made.
fn marker(dir: &Path) -> PathBuf {
    dir.join("complete")
}

/// Everything of a store that is worth keeping.
fn files(dir: &Path) -> [PathBuf; 4] {
    [marker(dir), dir.join(CREDENTIALS), dir.join(MAIN), dir.join("messages")]
}

/// Opens or creates the files of a store; one that is made gets this epoch.
fn open_files(
    dir: &Path,
    (segment_bytes, epoch): (u64, u32),
    sealing: Sealing,
) -> Result<(EmbeddedSource, Outcomes), StoreError> {
    let marker = marker(dir);
    if marker.exists() {
        // A database that is missing would be made anew, empty, and nobody would know.
        for file in [CREDENTIALS, MAIN] {
            if !dir.join(file).exists() {
                let place = dir.join(file).display().to_string();
                return Err(StoreError::corrupt("open the store", format!("{place}: missing")));
            }
        }
    }
    let credentials = engine::Engine::open(&dir.join(CREDENTIALS))?;
    let main = engine::Engine::open(&dir.join(MAIN))?;
    let options = log::Options { dir: dir.join("messages"), segment_bytes, epoch, sealing };
    let log::Opened { log, outcomes } = log::Log::open(&options)?;
    std::fs::write(&marker, "every file of this store was made\n").map_err(|error| {
        StoreError::unavailable("open the store", format!("{}: {error}", marker.display()))
    })?;
    Ok((EmbeddedSource { credentials, main, log }, outcomes))
}

/// Which file takes no writes any more, and why. Only a restart clears it.
fn health(log: log::Log, credentials: engine::Engine, main: engine::Engine) -> Health {
    Health::new(move || {
        let of = |name: &str, failure: Option<String>| failure.map(|why| format!("{name}: {why}"));
        of("messages", log.failure())
            .or_else(|| of(CREDENTIALS, credentials.failure()))
            .or_else(|| of(MAIN, main.failure()))
    })
}
