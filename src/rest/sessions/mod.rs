//! `/v1/sessions`

pub mod end;
pub mod exchange;
pub mod list;
pub mod log_in;
pub mod log_out;
pub mod refresh;
pub mod rename;

pub(in crate::rest) mod cookie;

use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use barterline_domain::bearer::Proof;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{SessionId, UserId};
use barterline_storage::sessions::Session;
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::principal::Principal;
use crate::rest::layers::Uncompressed;
use crate::services::accounts::LogIn;
use cookie::SetCookie;

/// A session as its owner sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub struct OwnSession {
    session: SessionId,
    /// It is the caller's.
    current: bool,
    #[schema(required)]
    name: Option<String>,
    #[schema(required)]
    client: Option<String>,
    created_at: Timestamp,
    used_at: Timestamp,
    expires_at: Timestamp,
}

impl OwnSession {
    pub(in crate::rest) fn new(session: Session, caller: &Principal) -> Self {
        Self {
            session: session.id,
            current: caller.proof == Proof::Session(session.id),
            name: session.name.map(|name| name.as_str().to_owned()),
            client: session.client.map(|client| client.as_str().to_owned()),
            created_at: session.created_at,
            used_at: session.used_at,
            expires_at: session.expires_at,
        }
    }
}

/// A log-in with its tokens.
#[derive(Serialize, ToSchema)]
pub struct Tokens {
    session: SessionId,
    user: UserId,
    #[schema(examples("Bearer"))]
    token_type: &'static str,
    access_token: String,
    access_expires_at: Timestamp,
    /// Unless a cookie holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
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
            refresh_token: Some(log_in.refresh_token),
            refresh_expires_at: log_in.refresh_expires_at,
        }
    }
}

impl Tokens {
    /// Moves the refresh token into a cookie.
    pub(in crate::rest) fn into_cookie(mut self, now: Timestamp) -> (Option<SetCookie>, Self) {
        let token = self.refresh_token.take();
        let cookie = token.map(|token| SetCookie::holding(&token, self.refresh_expires_at, now));
        (cookie, self)
    }
}

impl IntoResponse for Tokens {
    fn into_response(self) -> Response {
        // Tokens belong in no cache (RFC 6749, section 5.1).
        let no_store = [(CACHE_CONTROL, HeaderValue::from_static("no-store"))];
        (no_store, Extension(Uncompressed), Json(self)).into_response()
    }
}
