//! `POST /v1/media/{id}/link`: a path to a file for what cannot show a token, such as a player of films.

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
pub struct MediaLink {
    /// The bytes of the file, for whoever has this; `&size=thumb` may be added. Not beyond what the caller may
    /// see at the time.
    #[schema(examples(
        "/v1/media/019ac1b3-1f58-7c02-9a6d-4b70e1f3c802/content?link=v4.local.AbC"
    ))]
    path: String,
    /// Until when.
    expires_at: Timestamp,
}

/// Answers 201 with a path that is good for a while.
#[utoipa::path(
    post,
    path = "/v1/media/{id}/link",
    tag = "media",
    operation_id = "linkMedia",
    summary = "Get a path to the bytes of a file that takes no token",
    params(("id" = MediaId, Path, description = "The file")),
    responses((status = 201, description = "The path", body = MediaLink)),
    extensions(("x-codes" = json!(["media.not_found", "media.not_ready", "media.refused"]))),
    security(
        ("bearer" = ["chats:read"]),
        ("bearer" = ["listings:read"]),
        ("bearer" = ["profile:read"]),
    ),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Path(media): Path<MediaId>,
) -> Result<(StatusCode, Extension<Uncompressed>, Json<MediaLink>), Problem> {
    let link = rest.media.link(caller.bearer(), media).await?;
    // A sealed token has letters, digits, `-`, `_` and `.` alone.
    let path = format!("/v1/media/{media}/content?link={}", link.token);
    let answer = MediaLink { path, expires_at: link.expires };
    Ok((StatusCode::CREATED, Extension(Uncompressed), Json(answer)))
}
