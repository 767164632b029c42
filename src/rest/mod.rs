//! The edge of HTTP: parse, call one service function, render. A folder for each resource.

pub mod extract;
pub mod problem;
pub mod router;

mod accounts;
mod chats;
mod listings;
mod sessions;

use crate::services::accounts::Accounts;
use crate::services::chats::Chats;
use crate::services::listings::Listings;

/// What handlers call.
#[derive(Clone)]
pub struct Rest {
    /// Accounts and sessions.
    pub accounts: Accounts,
    /// Things for sale.
    pub listings: Listings,
    /// Chats.
    pub chats: Chats,
}
