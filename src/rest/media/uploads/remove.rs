//! `DELETE /v1/uploads/{id}`: gives an upload up.

use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::ids::MediaId;

use super::Resumable;
use crate::rest::Rest;
use crate::rest::extract::{Caller, Path};
use crate::rest::problem::Problem;

/// Answers 204 once the file is gone.
#[utoipa::path(
    delete,
    path = "/v1/uploads/{id}",
    tag = "media",
    operation_id = "removeUpload",
    summary = "Give up an upload of the caller's, or take back its file",
    description = "As `removeMedia` does.",
    params(("id" = MediaId, Path, description = "The file"), Resumable),
    responses((status = 204, description = "It is gone")),
    extensions(("x-codes" = json!([
        "media.not_found", "media.used", "upload.version_unsupported",
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
) -> Result<StatusCode, Problem> {
    rest.media.remove(caller.bearer(), media).await?;
    Ok(StatusCode::NO_CONTENT)
}
