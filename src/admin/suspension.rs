//! `PUT` and `DELETE /accounts/{id}/suspension`: keeps somebody out, or lets them in again.

use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::ids::UserId;

use super::Admin;
use crate::rest::extract::Path;
use crate::rest::problem::{Code, Problem};

/// Suspends an account: its sockets close, and nothing of it is let in.
pub async fn suspend(
    State(admin): State<Admin>,
    Path(user): Path<UserId>,
) -> Result<StatusCode, Problem> {
    set(&admin, user, true).await
}

/// Takes the suspension back. Sessions go on where they were.
pub async fn lift(
    State(admin): State<Admin>,
    Path(user): Path<UserId>,
) -> Result<StatusCode, Problem> {
    set(&admin, user, false).await
}

async fn set(admin: &Admin, user: UserId, on: bool) -> Result<StatusCode, Problem> {
    let accounts = &admin.staff_tools()?.accounts;
    accounts.suspend(user, on).await?.ok_or(Code::AccountNotFound)?;
    tracing::info!(target: "audit", %user, suspended = on, "staff changed an account");
    Ok(StatusCode::NO_CONTENT)
}
