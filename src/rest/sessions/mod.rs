//! `/v1/sessions`

pub mod log_in;
pub mod log_out;
pub mod refresh;

use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{SessionId, UserId};
use serde::Serialize;

use crate::rest::layers::Uncompressed;
use crate::services::accounts::LogIn;

/// A log-in with its tokens.
#[derive(Serialize)]
pub struct Tokens {
    session: SessionId,
    user: UserId,
    token_type: &'static str,
    access_token: String,
    access_expires_at: Timestamp,
    refresh_token: String,
    refresh_expires_at: Timestamp,
}

impl From<LogIn> for Tokens {
    fn from(log_in: LogIn) -> Self {
        Self {
            session: log_in.session,
            user: log_in.user,
            token_type: "Bearer",
            access_token: log_in.access_token,
            access_expires_at: log_in.access_expires_at,
            refresh_token: log_in.refresh_token,
            refresh_expires_at: log_in.refresh_expires_at,
        }
    }
}

impl IntoResponse for Tokens {
    fn into_response(self) -> Response {
        // Tokens belong in no cache (RFC 6749, section 5.1).
        let no_store = [(CACHE_CONTROL, HeaderValue::from_static("no-store"))];
        (no_store, Extension(Uncompressed), Json(self)).into_response()
    }
}
