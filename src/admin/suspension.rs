//! `PUT` and `DELETE /accounts/{id}/suspension`: keeps somebody out, or lets them in again.

use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::ids::UserId;

use super::Admin;
use crate::rest::extract::Path;
use crate::rest::problem::Problem;
use crate::services::staff::By;
use crate::services::to_the_end;

/// Suspends an account: its sockets close, and nothing of it is let in.
pub async fn suspend(
    State(admin): State<Admin>,
    Path(user): Path<UserId>,
) -> Result<StatusCode, Problem> {
    set(&admin, user, true).await
}

/// Takes the suspension back. They log in anew.
pub async fn lift(
    State(admin): State<Admin>,
    Path(user): Path<UserId>,
) -> Result<StatusCode, Problem> {
    set(&admin, user, false).await
}

async fn set(admin: &Admin, user: UserId, on: bool) -> Result<StatusCode, Problem> {
    let staff = admin.staff_tools()?.clone();
    to_the_end(async move { staff.suspend(By::Operator, user, on).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}
