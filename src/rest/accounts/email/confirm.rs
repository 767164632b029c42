//! `POST /v1/accounts/me/email/confirm`: moves the caller's account to another address.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::rest::Rest;
use crate::rest::extract::{Body, Caller, From, Speaks};
use crate::rest::problem::Problem;
use crate::services::to_the_end;

/// The request.
#[derive(Deserialize, ToSchema)]
#[schema(as = EmailChange)]
pub struct Request {
    code: String,
}

/// Answers 204 once the account has the address.
#[utoipa::path(
    post,
    path = "/v1/accounts/me/email/confirm",
    tag = "accounts",
    operation_id = "changeEmail",
    summary = "Move the caller's account to another address by a mailed code",
    request_body = Request,
    responses(
        (status = 204, description = "The account has the address"),
    ),
    extensions(("x-codes" = json!([
        "code.invalid", "account.email_taken", "account.changed", "server.busy",
    ]))),
    security(("bearer" = [])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    From(from): From,
    Speaks(language): Speaks,
    Body(request): Body<Request>,
) -> Result<StatusCode, Problem> {
    rest.rates.log_in_from(from, rest.clock.now()).await.map_err(Problem::limited)?;
    let change = async move { rest.accounts.change_email(&caller, &request.code, language).await };
    to_the_end(change).await?;
    Ok(StatusCode::NO_CONTENT)
}
