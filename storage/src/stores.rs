//! The bundle that the composition root hands out piece by piece.

use std::sync::Arc;

use prometheus_client::registry::Registry;

use crate::accounts::Accounts;
use crate::api_keys::ApiKeys;
use crate::audit::Audit;
use crate::blocks::Blocks;
use crate::bulk::Source;
use crate::chat_log::{ChatLog, Outcomes};
use crate::codes::Codes;
use crate::credentials::Credentials;
use crate::favourites::Favourites;
use crate::health::Health;
use crate::identities::Identities;
use crate::inbox::Inbox;
use crate::listing_views::ListingViews;
use crate::listings::Listings;
use crate::media::MediaStore;
use crate::reports::Reports;
use crate::saved_searches::SavedSearches;
use crate::sessions::Sessions;
use crate::user_state::UserStates;

/// One of each. Give a part the one trait it needs, not the bundle.
#[derive(Clone)]
pub struct Stores {
    /// For services/accounts alone.
    pub credentials: Arc<dyn Credentials>,
    /// Single-use secrets, for services/accounts alone.
    pub codes: Arc<dyn Codes>,
    /// Who people are at outer providers, for services/accounts alone.
    pub identities: Arc<dyn Identities>,
    /// Profiles.
    pub accounts: Arc<dyn Accounts>,
    /// Keys of programs and devices.
    pub api_keys: Arc<dyn ApiKeys>,
    /// What staff and the system did.
    pub audit: Arc<dyn Audit>,
    /// Log-ins.
    pub sessions: Arc<dyn Sessions>,
    /// Things for sale.
    pub listings: Arc<dyn Listings>,
    /// How often they were looked at.
    pub listing_views: Arc<dyn ListingViews>,
    /// What people like.
    pub favourites: Arc<dyn Favourites>,
    /// What people look for again.
    pub saved_searches: Arc<dyn SavedSearches>,
    /// What is known of uploaded files, for services/media alone.
    pub media: Arc<dyn MediaStore>,
    /// Who does not want to hear of whom.
    pub blocks: Arc<dyn Blocks>,
    /// For services/safety alone.
    pub reports: Arc<dyn Reports>,
    /// What people chose for all their chats.
    pub user_states: Arc<dyn UserStates>,
    /// For the hub (append) and services/chats (history).
    pub chat_log: Arc<dyn ChatLog>,
    /// Rows and marks.
    pub inbox: Arc<dyn Inbox>,
}

/// Adds what a backend counts to a registry.
pub type Metrics = Box<dyn FnOnce(&mut Registry) + Send>;

/// A backend that is open.
pub struct Opened {
    /// One of each.
    pub stores: Stores,
    /// To ask how it is.
    pub health: Health,
    /// What it counts.
    pub metrics: Metrics,
    /// To be read without pause.
    pub outcomes: Outcomes,
    /// To read all of it.
    pub source: Arc<dyn Source>,
}

/// Every aggregate by name. A test holds it against the traits, the laws and the backends.
pub const AGGREGATES: &[&str] = &[
    "accounts",
    "api_keys",
    "audit",
    "blocks",
    "chat_log",
    "codes",
    "credentials",
    "favourites",
    "identities",
    "inbox",
    "listing_views",
    "listings",
    "media",
    "reports",
    "saved_searches",
    "sessions",
    "user_state",
];
