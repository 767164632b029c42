//! `POST /v1/sessions/refresh`: new tokens for an old refresh token, which ends.

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Tokens;
use crate::rest::Rest;
use crate::rest::extract::{Body, From};
use crate::rest::problem::Problem;

/// The request.
#[derive(Deserialize, ToSchema)]
#[schema(as = Refresh)]
pub struct Request {
    refresh_token: String,
}

/// Answers with the tokens.
#[utoipa::path(
    post,
    path = "/v1/sessions/refresh",
    tag = "sessions",
    operation_id = "refresh",
    summary = "Get new tokens for a refresh token, which is used up",
    request_body = Request,
    responses(
        (status = 200, description = "The session with new tokens", body = Tokens),
    ),
    extensions(("x-codes" = json!(["refresh.invalid", "account.suspended"]))),
)]
pub async fn handle(
    State(rest): State<Rest>,
    From(from): From,
    Body(request): Body<Request>,
) -> Result<Tokens, Problem> {
    rest.rates.refresh(from, rest.clock.now()).map_err(Problem::limited)?;
    Ok(rest.accounts.refresh(&request.refresh_token).await?.into())
}
