//! `POST /v1/accounts`: registers somebody.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::account::{DisplayName, Email, Password};
use serde::Deserialize;

use super::OwnAccount;
use crate::rest::Rest;
use crate::rest::extract::{Body, From};
use crate::rest::problem::Problem;
use crate::services::accounts::Registration;

/// The request.
#[derive(Deserialize)]
pub struct Request {
    email: String,
    password: String,
    name: String,
}

/// Answers 201 with the account.
pub async fn handle(
    State(rest): State<Rest>,
    From(from): From,
    Body(request): Body<Request>,
) -> Result<(StatusCode, Json<OwnAccount>), Problem> {
    let registration = Registration {
        email: Email::choose(&request.email)?,
        password: Password::parse(request.password)?,
        name: DisplayName::choose(&request.name)?,
    };
    rest.rates.registration(from, rest.clock.now()).map_err(Problem::limited)?;
    let account = rest.accounts.register(registration).await?;
    Ok((StatusCode::CREATED, Json(account.into())))
}
