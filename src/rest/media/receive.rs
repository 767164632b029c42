//! `PUT /v1/media/{id}/content`: brings the bytes of a file, all of them.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use barterline_domain::ids::MediaId;

use super::{MediaView, brought, looked_at};
use crate::rest::Rest;
use crate::rest::extract::{Caller, Path};
use crate::rest::problem::Problem;

/// Answers with the file as it turned out.
#[utoipa::path(
    put,
    path = "/v1/media/{id}/content",
    tag = "media",
    operation_id = "uploadMedia",
    summary = "Bring all bytes of a file of the caller's",
    description = "As many as were announced: with fewer or more nothing is kept. `Content-Type` is not looked at. \
                   Pictures are made anew, without what a camera wrote into them, and in several sizes.",
    params(("id" = MediaId, Path, description = "The file")),
    request_body(
        content = String,
        content_type = "application/octet-stream",
        description = "The bytes",
    ),
    responses(
        (status = 200, description = "It can be shown", body = MediaView),
        (status = 202, description = "It is still looked at: read it again", body = MediaView),
    ),
    extensions(("x-codes" = json!([
        "media.not_found", "media.too_large", "media.complete", "media.incomplete", "media.underway",
        "media.refused", "media.no_room", "media.too_many", "server.busy",
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
    body: Body,
) -> Result<Response, Problem> {
    let bytes = brought(body, rest.media.size_max())?;
    looked_at(rest.media.receive(caller.bearer(), media, bytes).await?)
}
