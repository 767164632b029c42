//! `/v1/sessions`

pub mod log_in;
pub mod log_out;
pub mod refresh;

use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{SessionId, UserId};
use serde::Serialize;

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
