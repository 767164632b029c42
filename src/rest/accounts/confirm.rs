//! `POST /v1/accounts/confirm`: makes the account that a mail carried.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::account::Password;
use serde::Deserialize;

use super::OwnAccount;
use crate::rest::Rest;
use crate::rest::extract::{Body, From};
use crate::rest::problem::Problem;
use crate::services::accounts::{ConfirmError, Confirmation};

/// The request.
#[derive(Deserialize)]
pub struct Request {
    token: String,
    password: String,
}

/// Answers 201 with the account.
pub async fn handle(
    State(rest): State<Rest>,
    From(from): From,
    Body(request): Body<Request>,
) -> Result<(StatusCode, Json<OwnAccount>), Problem> {
    let Request { token, password } = request;
    rest.rates.log_in_from(from, rest.clock.now()).map_err(Problem::limited)?;
    // What cannot be a password was not chosen.
    let password = Password::parse(password).map_err(|_| ConfirmError::PasswordWrong)?;
    let account = rest.accounts.confirm(Confirmation { token, password }, from).await?;
    Ok((StatusCode::CREATED, Json(account.into())))
}
