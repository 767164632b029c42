//! Accounts: registering, and what may be seen of people.

mod list_listings;
mod me;
mod read;
mod register;

use axum::Router;
use axum::routing::{get, post};
use barterline_domain::account::{AccountRole, DisplayName};
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::UserId;
use barterline_storage::accounts::Account;
use serde::Serialize;

use super::Edge;

/// Routes under /v1/accounts.
pub fn routes() -> Router<Edge> {
    Router::new()
        .route("/", post(register::handle))
        .route("/me", get(me::handle))
        .route("/{id}", get(read::handle))
        .route("/{id}/listings", get(list_listings::handle))
}

/// An account as its owner sees it.
#[derive(Debug, Serialize)]
pub struct OwnAccount {
    id: UserId,
    name: DisplayName,
    roles: Vec<AccountRole>,
    created_at: Timestamp,
}

impl From<Account> for OwnAccount {
    fn from(account: Account) -> Self {
        Self {
            id: account.id,
            name: account.name,
            roles: account.roles,
            created_at: account.created_at,
        }
    }
}
