//! `OPTIONS /v1/uploads`: what of tus is spoken.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::{EXTENSIONS, TUS_EXTENSION, TUS_MAX_SIZE, TUS_VERSION, VERSION};
use crate::rest::Rest;

/// Answers with headers alone.
#[utoipa::path(
    options,
    path = "/v1/uploads",
    tag = "media",
    operation_id = "describeUploads",
    summary = "What of tus is spoken",
    responses(
        (
            status = 204,
            description = "It stands in the headers",
            headers(
                ("Tus-Version" = String, description = "Versions of the protocol"),
                ("Tus-Extension" = String, description = "What is spoken beside its core"),
                ("Tus-Max-Size" = u64, description = "Most bytes of a file; some kinds have fewer"),
            ),
        ),
    ),
)]
pub async fn handle(State(rest): State<Rest>) -> Response {
    answer(rest.media.size_max())
}

/// The answer.
pub fn answer(size_max: u64) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(TUS_VERSION, VERSION);
    headers.insert(TUS_EXTENSION, EXTENSIONS);
    headers.insert(TUS_MAX_SIZE, size_max.into());
    response
}
