//! The table of routes.

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};

use super::problem::Problem;
use super::{Rest, accounts, chats, listings, sessions};

/// Largest body of a request, in bytes.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// For a request to be read and answered.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// All routes of the public port but the socket.
pub fn routes(rest: Rest) -> Router {
    Router::new()
        .route("/v1/accounts", post(accounts::register::handle))
        .route("/v1/accounts/me", get(accounts::read::me))
        .route("/v1/accounts/{id}", get(accounts::read::handle))
        .route("/v1/accounts/{id}/listings", get(listings::list_by_seller::handle))
        .route("/v1/sessions", post(sessions::log_in::handle))
        .route("/v1/sessions/refresh", post(sessions::refresh::handle))
        .route("/v1/sessions/current", delete(sessions::log_out::handle))
        .route("/v1/listings", post(listings::create::handle))
        .route("/v1/listings/{id}", get(listings::read::handle).patch(listings::edit::handle))
        .route("/v1/chats", get(chats::list::handle).post(chats::open::handle))
        .route("/v1/chats/{id}", get(chats::read::handle))
        .route("/v1/chats/{id}/events", get(chats::events::handle))
        .fallback(async || {
            Problem::new(StatusCode::NOT_FOUND, "route.not_found", "there is nothing here")
        })
        .method_not_allowed_fallback(async || {
            let detail = "this route does not know the method";
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "route.method_not_allowed", detail)
        })
        .layer(middleware::from_fn(bounded))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(rest)
}

/// Holds every request to its time.
async fn bounded(request: Request, next: Next) -> Response {
    tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await.unwrap_or_else(|_| {
        let detail = "the request took longer than 30 seconds";
        Problem::new(StatusCode::REQUEST_TIMEOUT, "request.timeout", detail).into_response()
    })
}
