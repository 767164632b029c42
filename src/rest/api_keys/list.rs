//! `GET /v1/api-keys`: the caller's keys.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::OwnKey;
use crate::rest::Rest;
use crate::rest::extract::Caller;
use crate::rest::problem::Problem;

/// The answer.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiKeys)]
pub struct Keys {
    keys: Vec<OwnKey>,
}

/// Answers with all that were not taken back, in the order they were made.
#[utoipa::path(
    get,
    path = "/v1/api-keys",
    tag = "API keys",
    operation_id = "listApiKeys",
    summary = "The keys of the caller",
    responses(
        (status = 200, description = "Those that were not taken back, in the order they were made", body = Keys),
    ),
    security(("bearer" = [])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
) -> Result<Json<Keys>, Problem> {
    let keys = rest.accounts.keys(&caller).await?;
    Ok(Json(Keys { keys: keys.into_iter().map(Into::into).collect() }))
}
