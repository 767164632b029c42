//! The edge of HTTP: requests in, one service call, answers out. It holds no rule.
//!
//! A folder for each resource, a file for each operation.

pub mod problem;
mod extract;
mod layers;

mod accounts;
mod chats;
mod listings;
mod sessions;

use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;

use self::problem::{Code, Problem};
use crate::services::accounts::Accounts;
use crate::services::chats::Chats;
use crate::services::listings::Listings;
use crate::telemetry::metrics::Http;

/// What the handlers may ask.
#[derive(Clone)]
pub struct Services {
    /// Who people are.
    pub accounts: Accounts,
    /// What is for sale.
    pub listings: Listings,
    /// What is said.
    pub chats: Chats,
}

/// What a request may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Largest body.
    pub body_bytes_max: usize,
    /// Time for the body, and again for the answer.
    pub timeout: Duration,
}

/// What every handler sees.
#[derive(Clone)]
struct Edge {
    services: Services,
    limits: Limits,
}

/// All routes of the public listener but the socket's. An unknown path is answered here as well.
pub fn routes(services: Services, limits: Limits, http: Http) -> Router {
    Router::new()
        .nest("/v1/accounts", accounts::routes())
        .nest("/v1/sessions", sessions::routes())
        .nest("/v1/listings", listings::routes())
        .nest("/v1/chats", chats::routes())
        .fallback(|| async { Problem::from(Code::RouteNotFound) })
        .method_not_allowed_fallback(|| async { Problem::from(Code::MethodNotAllowed) })
        .layer(from_fn_with_state(limits.timeout, layers::limit_time))
        .layer(from_fn_with_state(http, layers::measure))
        .with_state(Edge { services, limits })
}
