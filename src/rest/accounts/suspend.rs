//! `PUT` and `DELETE /v1/accounts/{id}/suspension`: staff keep somebody out, or let them in again.

use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::ids::UserId;

use crate::auth::principal::Principal;
use crate::rest::Rest;
use crate::rest::extract::{Caller, Path};
use crate::rest::problem::Problem;
use crate::services::staff::{By, StaffError};
use crate::services::to_the_end;

/// Suspends an account: its sockets close, and nothing of it is let in.
#[utoipa::path(
    put,
    path = "/v1/accounts/{id}/suspension",
    tag = "staff",
    operation_id = "suspendAccount",
    summary = "Keep somebody out; for moderators",
    params(("id" = UserId, Path, description = "The account")),
    responses(
        (status = 204, description = "Nothing of the account is let in"),
    ),
    extensions(("x-codes" = json!(["permission.denied", "account.not_found"]))),
    security(("bearer" = [])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Path(user): Path<UserId>,
) -> Result<StatusCode, Problem> {
    set(rest, caller, user, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes the suspension back. They log in anew.
#[utoipa::path(
    delete,
    path = "/v1/accounts/{id}/suspension",
    tag = "staff",
    operation_id = "admitAccount",
    summary = "Let somebody in again; for moderators",
    params(("id" = UserId, Path, description = "The account")),
    responses(
        (status = 204, description = "The account is let in"),
    ),
    extensions(("x-codes" = json!(["permission.denied", "account.not_found"]))),
    security(("bearer" = [])),
)]
pub async fn lift(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Path(user): Path<UserId>,
) -> Result<StatusCode, Problem> {
    set(rest, caller, user, false).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn set(rest: Rest, caller: Principal, user: UserId, on: bool) -> Result<(), StaffError> {
    to_the_end(async move { rest.staff.suspend(By::Person(&caller), user, on).await }).await
}
