//! `GET /v1/openapi.json`: the document of the HTTP interface.

use axum::Extension;
use axum::http::HeaderMap;
use axum::response::Response;

use super::Document;
use crate::rest::extract::IfNoneMatch;

/// Answers with the document, or with 304 when the caller has it.
#[utoipa::path(
    get,
    path = "/v1/openapi.json",
    tag = "documentation",
    operation_id = "readDocument",
    summary = "This document",
    params(IfNoneMatch),
    responses(
        (
            status = 200,
            description = "The document",
            body = Object,
            headers(("ETag" = String, description = "For `If-None-Match`")),
        ),
        (
            status = 304,
            description = "The caller has it",
            headers(("ETag" = String, description = "For `If-None-Match`")),
        ),
    ),
)]
pub async fn handle(Extension(document): Extension<Document>, headers: HeaderMap) -> Response {
    document.0.answer(&headers)
}
