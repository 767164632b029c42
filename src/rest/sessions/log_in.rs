//! `POST /v1/sessions`: logs in.

use axum::extract::State;
use axum::http::header::USER_AGENT;
use axum::http::{HeaderMap, StatusCode};
use barterline_domain::account::{ClientName, Email, Password, SessionName};
use serde::Deserialize;

use super::Tokens;
use crate::rest::Rest;
use crate::rest::extract::{Body, From};
use crate::rest::problem::Problem;
use crate::services::accounts::{Device, LogInError};

/// The request.
#[derive(Deserialize)]
pub struct Request {
    email: String,
    password: String,
    /// What the caller calls this log-in.
    name: Option<String>,
}

/// Answers 201 with the tokens.
pub async fn handle(
    State(rest): State<Rest>,
    From(from): From,
    headers: HeaderMap,
    Body(request): Body<Request>,
) -> Result<(StatusCode, Tokens), Problem> {
    let name = request.name.as_deref().map(SessionName::parse).transpose()?;
    // What a program says of itself is kept if it can be shown.
    let client = headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    let client = client.and_then(|client| ClientName::parse(client).ok());
    rest.rates.log_in_from(from, rest.clock.now()).map_err(Problem::limited)?;
    // What cannot be an address or a password is nobody's.
    let parsed = (Email::parse(&request.email), Password::parse(request.password));
    let (Ok(email), Ok(password)) = parsed else {
        return Err(LogInError::Failed.into());
    };
    let log_in = rest.accounts.log_in(&email, password, Device { name, client }, from).await?;
    Ok((StatusCode::CREATED, log_in.into()))
}
