//! `POST /v1/sessions`

use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::account::{Email, Password};
use serde::Deserialize;

use super::Session;
use crate::rest::Edge;
use crate::rest::extract::Json;
use crate::rest::problem::{Code, Problem};

/// What a person logs in with.
#[derive(Deserialize)]
pub struct Request {
    email: String,
    password: String,
}

/// Begins a session.
pub async fn handle(
    State(edge): State<Edge>,
    Json(request): Json<Request>,
) -> Result<(StatusCode, Session), Problem> {
    // What nobody can have registered with is simply wrong.
    let email = Email::parse(&request.email).map_err(|_| Code::LogInFailed)?;
    let password = Password::parse(request.password).map_err(|_| Code::LogInFailed)?;
    let log_in = edge.services.accounts.log_in(&email, &password).await?;
    Ok((StatusCode::CREATED, log_in.into()))
}
