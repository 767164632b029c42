//! Sessions: logging in, going on, logging out.

mod log_in;
mod log_out;
mod refresh;

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, post};
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::SessionId;
use serde::Serialize;

use super::Edge;
use super::accounts::OwnAccount;
use crate::services::accounts::LogIn;

/// Routes under /v1/sessions.
pub fn routes() -> Router<Edge> {
    Router::new()
        .route("/", post(log_in::handle))
        .route("/refresh", post(refresh::handle))
        .route("/current", delete(log_out::handle))
}

/// A session with its tokens.
#[derive(Serialize)]
pub struct Session {
    session: SessionId,
    user: OwnAccount,
    token_type: &'static str,
    access_token: String,
    access_expires_at: Timestamp,
    refresh_token: String,
    refresh_expires_at: Timestamp,
}

impl From<LogIn> for Session {
    fn from(log_in: LogIn) -> Self {
        Self {
            session: log_in.session,
            user: log_in.account.into(),
            token_type: "Bearer",
            access_token: log_in.access_token,
            access_expires_at: log_in.access_expires_at,
            refresh_token: log_in.refresh_token,
            refresh_expires_at: log_in.refresh_expires_at,
        }
    }
}

impl IntoResponse for Session {
    fn into_response(self) -> Response {
        // Tokens belong in no cache (RFC 6749, section 5.1).
        let no_store = [(CACHE_CONTROL, HeaderValue::from_static("no-store"))];
        (no_store, axum::Json(self)).into_response()
    }
}
