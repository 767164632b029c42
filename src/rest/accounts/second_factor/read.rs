//! `GET /v1/accounts/me/second-factor`: how it stands.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::rest::Rest;
use crate::rest::extract::CallerWithoutFactor;
use crate::rest::problem::Problem;

/// The answer.
#[derive(Serialize, ToSchema)]
#[schema(as = SecondFactor)]
pub struct Standing {
    /// Log-ins take a code.
    on: bool,
    /// Codes for paper that are left.
    recovery_codes: usize,
}

/// Answers with what there is.
#[utoipa::path(
    get,
    path = "/v1/accounts/me/second-factor",
    tag = "accounts",
    operation_id = "readSecondFactor",
    summary = "How the caller's second factor stands",
    responses(
        (status = 200, description = "How it stands", body = Standing),
    ),
    security(("bearer" = [])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    CallerWithoutFactor(caller): CallerWithoutFactor,
) -> Result<Json<Standing>, Problem> {
    let standing = rest.accounts.second_factor(&caller).await?;
    Ok(Json(Standing { on: standing.on, recovery_codes: standing.recovery_codes }))
}
