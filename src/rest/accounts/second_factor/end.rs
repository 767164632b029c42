//! `POST /v1/accounts/me/second-factor/end`, and `DELETE /v1/accounts/{id}/second-factor` by staff:
//! log-ins take no code any more.

use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::ids::UserId;

use crate::rest::Rest;
use crate::rest::accounts::Proof;
use crate::rest::extract::{Body, Caller, From, Path, Speaks};
use crate::rest::problem::Problem;
use crate::services::staff::By;
use crate::services::to_the_end;

/// Ends the caller's.
#[utoipa::path(
    post,
    path = "/v1/accounts/me/second-factor/end",
    tag = "accounts",
    operation_id = "endSecondFactor",
    summary = "Turn the second factor off",
    request_body = Proof,
    responses(
        (status = 204, description = "Log-ins take no code any more"),
    ),
    extensions(("x-codes" = json!([
        "password.wrong", "password.none", "second_factor.code_required", "second_factor.code_wrong",
        "second_factor.off", "account.changed", "server.busy",
    ]))),
    security(("bearer" = [])),
)]
pub async fn own(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    From(from): From,
    Speaks(language): Speaks,
    Body(proof): Body<Proof>,
) -> Result<StatusCode, Problem> {
    rest.rates.log_in_from(from, rest.clock.now()).await.map_err(Problem::limited)?;
    let shown = proof.shown();
    let end = async move { rest.accounts.end_second_factor(&caller, shown, from, language).await };
    to_the_end(end).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends somebody's.
#[utoipa::path(
    delete,
    path = "/v1/accounts/{id}/second-factor",
    tag = "staff",
    operation_id = "endSecondFactorOf",
    summary = "Turn somebody's second factor off",
    params(("id" = UserId, Path, description = "The account")),
    responses(
        (status = 204, description = "Their log-ins take no code any more"),
    ),
    extensions(("x-codes" = json!([
        "permission.denied", "account.not_found",
    ]))),
    security(("bearer" = [])),
)]
pub async fn by_staff(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Path(user): Path<UserId>,
) -> Result<StatusCode, Problem> {
    rest.staff.end_second_factor(By::Person(&caller), user).await?;
    Ok(StatusCode::NO_CONTENT)
}
