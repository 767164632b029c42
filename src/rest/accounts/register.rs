//! `POST /v1/accounts`

use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::account::{DisplayName, Email, Password};
use serde::Deserialize;

use super::OwnAccount;
use crate::rest::Edge;
use crate::rest::extract::Json;
use crate::rest::problem::Problem;
use crate::services::accounts::Registration;

/// What a person registers with.
#[derive(Deserialize)]
pub struct Request {
    email: String,
    password: String,
    name: String,
}

/// Makes an account.
pub async fn handle(
    State(edge): State<Edge>,
    Json(request): Json<Request>,
) -> Result<(StatusCode, axum::Json<OwnAccount>), Problem> {
    let registration = Registration {
        email: Email::parse(&request.email)?,
        password: Password::parse(request.password)?,
        name: DisplayName::parse(&request.name)?,
    };
    let account = edge.services.accounts.register(registration).await?;
    Ok((StatusCode::CREATED, axum::Json(account.into())))
}
