//! `/v1/accounts/me/second-factor`

pub mod begin;
pub mod confirm;
pub mod end;
pub mod read;
pub mod recovery_codes;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::rest::accounts::shown;
use crate::rest::layers::Uncompressed;
use crate::rest::problem::Problem;
use crate::services::accounts::Shown;

/// Who knows the password and has a code.
#[derive(Deserialize, ToSchema)]
#[schema(as = PasswordAndCode)]
pub struct Both {
    #[schema(format = Password, min_length = 8, max_length = 256)]
    password: String,
    /// Six digits, or a recovery code.
    code: Option<String>,
}

impl Both {
    fn parse(self) -> Result<Shown, Problem> {
        shown(self.password, self.code)
    }
}

/// Codes for paper, each of which counts once: told here and never again.
#[derive(Serialize, ToSchema)]
pub struct RecoveryCodes {
    recovery_codes: Vec<String>,
}

impl IntoResponse for RecoveryCodes {
    fn into_response(self) -> Response {
        (StatusCode::OK, Extension(Uncompressed), Json(self)).into_response()
    }
}
