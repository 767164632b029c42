//! `POST /v1/media/{id}/direct`: where the bytes of a file can be put without the server.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Extension;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::MediaId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::rest::Rest;
use crate::rest::extract::{Caller, Path};
use crate::rest::layers::Uncompressed;
use crate::rest::problem::Problem;

/// The answer.
#[derive(Serialize, ToSchema)]
pub struct DirectUpload {
    /// To be sent the bytes by `PUT`, without the access token. Whoever has it can do so.
    url: String,
    /// What is to be sent along, by its name.
    #[schema(value_type = BTreeMap<String, String>)]
    headers: BTreeMap<&'static str, String>,
    /// Until when.
    expires_at: Timestamp,
}

/// Answers 201 with an address that is good for a while.
#[utoipa::path(
    post,
    path = "/v1/media/{id}/direct",
    tag = "media",
    operation_id = "uploadMediaDirect",
    summary = "Get an address where the bytes of a file can be put without the server",
    description = "Where files are kept in a bucket. Afterwards `completeMedia`.",
    params(("id" = MediaId, Path, description = "The file")),
    responses((status = 201, description = "The address", body = DirectUpload)),
    extensions(("x-codes" = json!([
        "media.not_found", "media.complete", "media.refused", "media.direct_off",
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
    Path(media): Path<MediaId>,
) -> Result<(StatusCode, Extension<Uncompressed>, Json<DirectUpload>), Problem> {
    let put = rest.media.direct(caller.bearer(), media).await?;
    let headers = put.headers.into_iter().collect();
    let answer = DirectUpload { url: put.url, headers, expires_at: put.expires };
    Ok((StatusCode::CREATED, Extension(Uncompressed), Json(answer)))
}
