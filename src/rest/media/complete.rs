//! `POST /v1/media/{id}/complete`: all bytes are there.

use axum::extract::State;
use axum::response::Response;
use barterline_domain::ids::MediaId;

use super::{MediaView, looked_at};
use crate::rest::Rest;
use crate::rest::extract::{Caller, Path};
use crate::rest::problem::Problem;

/// Answers with the file as it turned out.
#[utoipa::path(
    post,
    path = "/v1/media/{id}/complete",
    tag = "media",
    operation_id = "completeMedia",
    summary = "Say that all bytes of a file of the caller's were put where they belong",
    description = "After `uploadMediaDirect`. It may be said again.",
    params(("id" = MediaId, Path, description = "The file")),
    responses(
        (status = 200, description = "It can be shown", body = MediaView),
        (status = 202, description = "It is still looked at: read it again", body = MediaView),
    ),
    extensions(("x-codes" = json!([
        "media.not_found", "media.too_large", "media.incomplete", "media.underway", "media.refused",
        "media.no_room", "media.too_many", "server.busy",
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
) -> Result<Response, Problem> {
    looked_at(rest.media.complete(caller.bearer(), media).await?)
}
