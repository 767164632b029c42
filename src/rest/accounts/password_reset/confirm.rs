//! `POST /v1/accounts/password-resets/confirm`: a new password for a mailed code.

use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::account::Password;
use serde::Deserialize;

use crate::rest::Rest;
use crate::rest::extract::{Body, From, Speaks};
use crate::rest::problem::Problem;
use crate::services::to_the_end;

/// The request.
#[derive(Deserialize)]
pub struct Request {
    code: String,
    password: String,
}

/// Answers 204 once the new password stands and all sessions have ended.
pub async fn handle(
    State(rest): State<Rest>,
    From(from): From,
    Speaks(language): Speaks,
    Body(request): Body<Request>,
) -> Result<StatusCode, Problem> {
    rest.rates.log_in_from(from, rest.clock.now()).map_err(Problem::limited)?;
    let new = Password::parse(request.password)?;
    let reset =
        async move { rest.accounts.reset_password(&request.code, new, from, language).await };
    to_the_end(reset).await?;
    Ok(StatusCode::NO_CONTENT)
}
