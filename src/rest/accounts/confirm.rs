//! `POST /v1/accounts/confirm`: makes the account that a mail carried.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::account::Password;
use serde::Deserialize;
use utoipa::ToSchema;

use super::OwnAccount;
use crate::rest::Rest;
use crate::rest::extract::{Body, From};
use crate::rest::problem::Problem;
use crate::services::accounts::Confirmation;

/// The request.
#[derive(Deserialize, ToSchema)]
#[schema(as = RegistrationConfirmation)]
pub struct Request {
    token: String,
    #[schema(format = Password, min_length = 8, max_length = 256)]
    password: String,
}

/// Answers 201 with the account.
#[utoipa::path(
    post,
    path = "/v1/accounts/confirm",
    tag = "accounts",
    operation_id = "confirmRegistration",
    summary = "Make the account that a mail carried",
    request_body = Request,
    responses(
        (status = 201, description = "The account", body = OwnAccount),
    ),
    extensions(("x-codes" = json!([
        "code.invalid", "password.wrong", "account.email_taken", "server.busy",
    ]))),
)]
pub async fn handle(
    State(rest): State<Rest>,
    From(from): From,
    Body(request): Body<Request>,
) -> Result<(StatusCode, Json<OwnAccount>), Problem> {
    let Request { token, password } = request;
    rest.rates.log_in_from(from, rest.clock.now()).await.map_err(Problem::limited)?;
    // What cannot be a password was not chosen.
    let password = Password::shown(password);
    let account = rest.accounts.confirm(Confirmation { token, password }, from).await?;
    Ok((StatusCode::CREATED, Json(account.into())))
}
