//! `GET /v1/media/{id}`: what is known of a file.

use axum::Json;
use axum::extract::State;
use barterline_domain::ids::MediaId;

use super::MediaView;
use crate::rest::Rest;
use crate::rest::extract::{Caller, Path};
use crate::rest::problem::Problem;

/// Answers with what is known.
#[utoipa::path(
    get,
    path = "/v1/media/{id}",
    tag = "media",
    operation_id = "readMedia",
    summary = "What is known of a file",
    description = "For its owner, and for both people of the chat while a message shows it. A photo of something for \
                   sale, and a picture of somebody, are for whoever has logged in.",
    params(("id" = MediaId, Path, description = "The file")),
    responses((status = 200, description = "The file", body = MediaView)),
    extensions(("x-codes" = json!(["media.not_found"]))),
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
) -> Result<Json<MediaView>, Problem> {
    let media = rest.media.read(caller.bearer(), media).await?;
    Ok(Json(media.try_into()?))
}
