//! `POST /v1/accounts/me/second-factor/confirm`: from here on log-ins take a code.

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::RecoveryCodes;
use crate::rest::Rest;
use crate::rest::extract::{Body, CallerWithoutFactor, From, Speaks};
use crate::rest::problem::Problem;
use crate::services::to_the_end;

/// The request.
#[derive(Deserialize, ToSchema)]
#[schema(as = SecondFactorConfirm)]
pub struct Request {
    /// Six digits.
    code: String,
}

/// Answers with codes for paper.
#[utoipa::path(
    post,
    path = "/v1/accounts/me/second-factor/confirm",
    tag = "accounts",
    operation_id = "confirmSecondFactor",
    summary = "Turn the second factor on by a code of it",
    request_body = Request,
    responses(
        (status = 200, description = "Log-ins take a code from now on", body = RecoveryCodes),
    ),
    extensions(("x-codes" = json!([
        "second_factor.code_wrong", "second_factor.on", "second_factor.off", "account.changed",
    ]))),
    security(("bearer" = [])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    CallerWithoutFactor(caller): CallerWithoutFactor,
    From(from): From,
    Speaks(language): Speaks,
    Body(Request { code }): Body<Request>,
) -> Result<RecoveryCodes, Problem> {
    rest.rates.log_in_from(from, rest.clock.now()).await.map_err(Problem::limited)?;
    let confirm =
        async move { rest.accounts.confirm_second_factor(&caller, &code, from, language).await };
    let recovery_codes = to_the_end(confirm).await?;
    Ok(RecoveryCodes { recovery_codes })
}
