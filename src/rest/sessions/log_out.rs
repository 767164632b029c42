//! `DELETE /v1/sessions/current`: logs out.

use axum::extract::State;
use axum::http::StatusCode;

use crate::rest::Rest;
use crate::rest::extract::Caller;
use crate::rest::problem::Problem;

/// Ends the caller's session and its sockets.
#[utoipa::path(
    delete,
    path = "/v1/sessions/current",
    tag = "sessions",
    operation_id = "logOut",
    summary = "End the caller's session",
    responses(
        (status = 204, description = "It has ended"),
    ),
    security(("bearer" = [])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
) -> Result<StatusCode, Problem> {
    rest.accounts.log_out(&caller).await?;
    Ok(StatusCode::NO_CONTENT)
}
