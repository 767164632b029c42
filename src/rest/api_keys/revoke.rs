//! `DELETE /v1/api-keys/{id}`: takes a key back.

use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::ids::ApiKeyId;

use crate::rest::Rest;
use crate::rest::extract::{Caller, Path};
use crate::rest::problem::Problem;
use crate::services::to_the_end;

/// Answers once the key is worth nothing.
#[utoipa::path(
    delete,
    path = "/v1/api-keys/{id}",
    tag = "API keys",
    operation_id = "revokeApiKey",
    summary = "Take a key back",
    params(("id" = ApiKeyId, Path, description = "The key")),
    responses(
        (status = 204, description = "It is worth nothing from now on"),
    ),
    extensions(("x-codes" = json!([
        "key.not_found",
    ]))),
    security(("bearer" = [])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Path(key): Path<ApiKeyId>,
) -> Result<StatusCode, Problem> {
    to_the_end(async move { rest.accounts.revoke_key(&caller, key).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}
