//! `DELETE /v1/sessions/current`

use axum::extract::State;
use axum::http::StatusCode;

use crate::rest::Edge;
use crate::rest::extract::Caller;
use crate::rest::problem::Problem;

/// Ends the caller's session.
pub async fn handle(
    State(edge): State<Edge>,
    Caller(principal): Caller,
) -> Result<StatusCode, Problem> {
    edge.services.accounts.log_out(&principal).await?;
    Ok(StatusCode::NO_CONTENT)
}
