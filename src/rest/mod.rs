//! The edge of HTTP: parse, call one service function, render. A folder for each resource.

pub mod extract;
pub mod layers;
pub mod openapi;
pub mod origins;
pub mod problem;
pub mod router;

mod docs;
mod fixed;
mod request_id;

pub mod accounts;
mod api_keys;
pub mod audit;
mod chats;
mod favourites;
pub mod listings;
mod media;
pub mod reports;
mod saved_searches;
mod sessions;
mod sign_in;
pub mod sources;
mod sync;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;
use barterline_domain::clock::Clock;
use tokio_util::sync::CancellationToken;

use self::accounts::archive::Archives;
use self::listings::catalogue::CatalogueFile;
use crate::limits;
use crate::rest::origins::Origins;
use crate::services::accounts::Accounts;
use crate::services::chats::Chats;
use crate::services::erasure::Erasure;
use crate::services::favourites::Favourites;
use crate::services::listings::Listings;
use crate::services::media::Media;
use crate::services::people::People;
use crate::services::reports::Reports;
use crate::services::saved_searches::SavedSearches;
use crate::services::search::Search;
use crate::services::sources::Sources;
use crate::services::staff::Staff;
use crate::services::views::Views;

/// What handlers call.
#[derive(Clone)]
pub struct Rest {
    /// Accounts and sessions.
    pub accounts: Accounts,
    /// Things for sale.
    pub listings: Listings,
    /// What is found; `None`: this server does not search.
    pub search: Option<Search>,
    /// The kinds of things there are.
    pub catalogue: CatalogueFile,
    /// Catalogues of others.
    pub sources: Sources,
    /// What people like.
    pub favourites: Favourites,
    /// What they look at.
    pub views: Views,
    /// What they look for again.
    pub saved_searches: SavedSearches,
    /// Chats.
    pub chats: Chats,
    /// Files, photos and pictures.
    pub media: Media,
    /// Choices and blocks.
    pub people: People,
    /// Whose archives are being made.
    pub archives: Archives,
    /// How people leave.
    pub erasure: Erasure,
    /// What people tell staff.
    pub reports: Reports,
    /// What staff do.
    pub staff: Staff,
    /// What a request may take.
    pub limits: Limits,
    /// Web pages that may use the server.
    pub origins: Origins,
    /// Whether there is the page that describes the interface.
    pub has_docs: bool,
    /// How many requests anybody may make.
    pub rates: Arc<limits::Limits>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The server goes away: what only waits is answered at once.
    pub stop: CancellationToken,
}

/// What a request may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Largest body.
    pub body_bytes_max: usize,
    /// For the body to come, and again for the answer.
    pub timeout: Duration,
}

impl FromRef<Rest> for Limits {
    fn from_ref(rest: &Rest) -> Self {
        rest.limits
    }
}
