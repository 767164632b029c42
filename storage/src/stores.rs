//! The bundle that the composition root hands out piece by piece.

use std::sync::Arc;

use crate::accounts::Accounts;
use crate::chat_log::ChatLog;
use crate::credentials::Credentials;
use crate::inbox::Inbox;
use crate::listings::Listings;
use crate::sessions::Sessions;

/// One of each. Give a part the one trait it needs, not the bundle.
#[derive(Clone)]
pub struct Stores {
    /// For services/accounts alone.
    pub credentials: Arc<dyn Credentials>,
    /// Profiles.
    pub accounts: Arc<dyn Accounts>,
    /// Log-ins.
    pub sessions: Arc<dyn Sessions>,
    /// Things for sale.
    pub listings: Arc<dyn Listings>,
    /// For the hub (append) and services/chats (history).
    pub chat_log: Arc<dyn ChatLog>,
    /// Rows and marks.
    pub inbox: Arc<dyn Inbox>,
}

/// Every aggregate by name. A test holds it against the traits, the laws and the backends.
pub const AGGREGATES: &[&str] =
    &["accounts", "chat_log", "credentials", "inbox", "listings", "sessions"];
