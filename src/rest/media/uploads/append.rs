//! `PATCH /v1/uploads/{id}`: brings a part of a file.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use barterline_domain::ids::MediaId;

use super::{Resumable, UPLOAD_OFFSET, number};
use crate::rest::Rest;
use crate::rest::extract::{Caller, Path};
use crate::rest::media::brought;
use crate::rest::problem::{Code, Problem};

/// The one type of parts.
const PART: &str = "application/offset+octet-stream";

/// Answers 204 with where to go on. With its last part a file is complete, and was looked at.
#[utoipa::path(
    patch,
    path = "/v1/uploads/{id}",
    tag = "media",
    operation_id = "appendToUpload",
    summary = "Bring a part of a file of the caller's",
    description = "What came is kept, also when the connection ends before the part does. With the last part the \
                   file is looked at, as after `uploadMedia`: `readMedia` tells how it turned out.",
    params(
        ("id" = MediaId, Path, description = "The file"),
        Resumable,
        ("Upload-Offset" = u64, Header, description = "Where the part goes: where the last one ended"),
    ),
    request_body(
        content = String,
        content_type = "application/offset+octet-stream",
        description = "The bytes",
    ),
    responses(
        (
            status = 204,
            description = "It is kept",
            headers(("Upload-Offset" = u64, description = "Where the next byte goes")),
        ),
    ),
    extensions(("x-codes" = json!([
        "request.media_type", "media.not_found", "media.too_large", "media.complete", "media.offset",
        "media.underway", "media.too_many", "media.refused", "media.no_room", "upload.version_unsupported", "server.busy",
    ]))),
    security(
        ("bearer" = ["chats:write"]),
        ("bearer" = ["listings:write"]),
        ("bearer" = ["profile:write"]),
    ),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    _: Resumable,
    Path(media): Path<MediaId>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, [(HeaderName, HeaderValue); 1]), Problem> {
    if headers.get(CONTENT_TYPE).is_none_or(|content_type| content_type != PART) {
        return Err(Problem::new(Code::MediaType, format!("the body must be {PART}")));
    }
    let offset = number(&headers, &UPLOAD_OFFSET)?;
    let bytes = brought(body, rest.media.size_max())?;
    let progress = rest.media.append(caller.bearer(), media, offset, bytes).await?;
    Ok((StatusCode::NO_CONTENT, [(UPLOAD_OFFSET, progress.offset.into())]))
}
