//! `/v1/accounts/me/second-factor`

pub mod begin;
pub mod confirm;
pub mod end;
pub mod read;
pub mod recovery_codes;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

use crate::rest::layers::Uncompressed;

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
