//! `POST /v1/sessions`: logs in.

use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::account::{Email, Password};
use serde::Deserialize;

use super::Tokens;
use crate::rest::Rest;
use crate::rest::extract::{Body, From};
use crate::rest::problem::Problem;
use crate::services::accounts::LogInError;

/// The request.
#[derive(Deserialize)]
pub struct Request {
    email: String,
    password: String,
}

/// Answers 201 with the tokens.
pub async fn handle(
    State(rest): State<Rest>,
    From(from): From,
    Body(request): Body<Request>,
) -> Result<(StatusCode, Tokens), Problem> {
    rest.rates.log_in_from(from, rest.clock.now()).map_err(Problem::limited)?;
    // What cannot be an address or a password is nobody's.
    let parsed = (Email::parse(&request.email), Password::parse(request.password));
    let (Ok(email), Ok(password)) = parsed else {
        return Err(LogInError::Failed.into());
    };
    let log_in = rest.accounts.log_in(&email, password, from).await?;
    Ok((StatusCode::CREATED, log_in.into()))
}
