//! `DELETE /accounts/{id}/second-factor`: for somebody who has neither program nor paper any more.

use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::ids::UserId;

use super::Admin;
use crate::rest::extract::Path;
use crate::rest::problem::Problem;
use crate::services::staff::By;

/// Turns it off, whether there was one or not.
pub async fn end(
    State(admin): State<Admin>,
    Path(user): Path<UserId>,
) -> Result<StatusCode, Problem> {
    admin.staff_tools()?.end_second_factor(By::Operator, user).await?;
    Ok(StatusCode::NO_CONTENT)
}
