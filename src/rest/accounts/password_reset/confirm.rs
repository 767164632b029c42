//! `POST /v1/accounts/password-resets/confirm`: a new password for a mailed code.

use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::account::Password;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::rest::Rest;
use crate::rest::extract::{Body, From, Speaks};
use crate::rest::problem::Problem;
use crate::services::to_the_end;

/// The request.
#[derive(Deserialize, ToSchema)]
#[schema(as = PasswordReset)]
pub struct Request {
    code: String,
    #[schema(format = Password, min_length = 8, max_length = 256)]
    password: String,
}

/// Answers 204 once the new password stands and all sessions have ended.
#[utoipa::path(
    post,
    path = "/v1/accounts/password-resets/confirm",
    tag = "accounts",
    operation_id = "resetPassword",
    summary = "Set a new password by a mailed code; all sessions end",
    request_body = Request,
    responses(
        (status = 204, description = "The new password stands"),
    ),
    extensions(("x-codes" = json!([
        "account.password_too_short", "account.password_too_long", "account.password_weak",
        "account.password_breached", "code.invalid",
        "account.changed", "server.busy",
    ]))),
)]
pub async fn handle(
    State(rest): State<Rest>,
    From(from): From,
    Speaks(language): Speaks,
    Body(request): Body<Request>,
) -> Result<StatusCode, Problem> {
    rest.rates.log_in_from(from, rest.clock.now()).await.map_err(Problem::limited)?;
    let new = Password::parse(request.password)?;
    let reset =
        async move { rest.accounts.reset_password(&request.code, new, from, language).await };
    to_the_end(reset).await?;
    Ok(StatusCode::NO_CONTENT)
}
