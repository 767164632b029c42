//! `POST /v1/sessions/refresh`: new tokens for an old refresh token, which ends.

use axum::extract::State;
use serde::Deserialize;

use super::Tokens;
use crate::rest::Rest;
use crate::rest::extract::{Body, From};
use crate::rest::problem::Problem;

/// The request.
#[derive(Deserialize)]
pub struct Request {
    refresh_token: String,
}

/// Answers with the tokens.
pub async fn handle(
    State(rest): State<Rest>,
    From(from): From,
    Body(request): Body<Request>,
) -> Result<Tokens, Problem> {
    rest.rates.refresh(from, rest.clock.now()).map_err(Problem::limited)?;
    Ok(rest.accounts.refresh(&request.refresh_token).await?.into())
}
