//! `PUT /v1/accounts/me/email`: has a code mailed to another address of the caller.

use axum::extract::State;
use barterline_domain::account::Email;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::{Asked, shown};
use crate::rest::Rest;
use crate::rest::extract::{Body, Caller, From, Speaks};
use crate::rest::problem::Problem;

/// The request.
#[derive(Deserialize, ToSchema)]
#[schema(as = EmailChangeRequest)]
pub struct Request {
    #[schema(format = Email, max_length = 254, examples("ana@example.org"))]
    email: String,
    #[schema(format = Password, min_length = 8, max_length = 256)]
    password: String,
    /// Of the second factor, where there is one.
    code: Option<String>,
}

/// Answers 202, whether anybody has the address or not.
#[utoipa::path(
    put,
    path = "/v1/accounts/me/email",
    tag = "accounts",
    operation_id = "askForEmailChange",
    summary = "Have a code mailed to another address of the caller",
    request_body = Request,
    responses(
        (
            status = 202,
            description = "Mail is under way: nobody is told whether anybody has the address",
            body = Asked,
        ),
    ),
    extensions(("x-codes" = json!([
        "account.email_invalid", "password.wrong", "password.none", "second_factor.code_required",
        "second_factor.code_wrong", "account.changed", "mail.off", "server.busy",
    ]))),
    security(("bearer" = [])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    From(from): From,
    Speaks(language): Speaks,
    Body(request): Body<Request>,
) -> Result<Asked, Problem> {
    let email = Email::choose(&request.email)?;
    rest.rates.log_in_from(from, rest.clock.now()).await.map_err(Problem::limited)?;
    let shown = shown(request.password, request.code);
    rest.accounts.ask_for_email(&caller, email, shown, from, language).await?;
    Ok(Asked {})
}
