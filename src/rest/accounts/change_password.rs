//! `PUT /v1/accounts/me/password`: a new password for the present one.

use axum::Json;
use axum::extract::State;
use barterline_domain::account::Password;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::shown;
use crate::rest::Rest;
use crate::rest::extract::{Body, Caller, From, Speaks};
use crate::rest::problem::Problem;
use crate::services::accounts::NewPassword;
use crate::services::to_the_end;

/// The request.
#[derive(Deserialize, ToSchema)]
#[schema(as = PasswordChange)]
pub struct Request {
    #[schema(format = Password, min_length = 8, max_length = 256)]
    present: String,
    #[schema(format = Password, min_length = 8, max_length = 256)]
    new: String,
    /// Of the second factor, where there is one.
    code: Option<String>,
}

/// The answer.
#[derive(Serialize, ToSchema)]
#[schema(as = PasswordChanged)]
pub struct Changed {
    /// Other log-ins that ended with the old password.
    sessions_ended: usize,
}

/// Answers once the new password stands and all other sessions have ended.
#[utoipa::path(
    put,
    path = "/v1/accounts/me/password",
    tag = "accounts",
    operation_id = "changePassword",
    summary = "Set a new password for the present one; all other sessions end",
    request_body = Request,
    responses(
        (status = 200, description = "The new password stands", body = Changed),
    ),
    extensions(("x-codes" = json!([
        "account.password_too_short", "account.password_too_long", "account.password_weak",
        "account.password_breached", "password.wrong", "password.none", "second_factor.code_required",
        "second_factor.code_wrong", "account.changed", "server.busy",
    ]))),
    security(("bearer" = [])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    From(from): From,
    Speaks(language): Speaks,
    Body(request): Body<Request>,
) -> Result<Json<Changed>, Problem> {
    rest.rates.log_in_from(from, rest.clock.now()).await.map_err(Problem::limited)?;
    let new = Password::parse(request.new)?;
    let password = NewPassword { present: shown(request.present, request.code), new };
    let change =
        async move { rest.accounts.change_password(&caller, password, from, language).await };
    let sessions_ended = to_the_end(change).await?;
    Ok(Json(Changed { sessions_ended }))
}
