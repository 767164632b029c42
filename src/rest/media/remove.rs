//! `DELETE /v1/media/{id}`: takes a file back that nothing shows.

use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::ids::MediaId;

use crate::rest::Rest;
use crate::rest::extract::{Caller, Path};
use crate::rest::problem::Problem;

/// Answers 204 once it is gone for everybody.
#[utoipa::path(
    delete,
    path = "/v1/media/{id}",
    tag = "media",
    operation_id = "removeMedia",
    summary = "Take back a file of the caller's that nothing shows",
    description = "One that was sent goes with its message, a photo when its listing shows it no more, the picture of \
                   somebody when they show another, or none.",
    params(("id" = MediaId, Path, description = "The file")),
    responses((status = 204, description = "It is gone")),
    extensions(("x-codes" = json!(["media.not_found", "media.used"]))),
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
) -> Result<StatusCode, Problem> {
    rest.media.remove(caller.bearer(), media).await?;
    Ok(StatusCode::NO_CONTENT)
}
