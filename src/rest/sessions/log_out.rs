//! `DELETE /v1/sessions/current`: logs out.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};

use super::cookie::{self, SetCookie};
use crate::rest::Rest;
use crate::rest::extract::CallerWithoutFactor;
use crate::rest::problem::Problem;
use crate::services::to_the_end;

/// Ends the caller's session and its sockets, and deletes the cookie of who bears one.
#[utoipa::path(
    delete,
    path = "/v1/sessions/current",
    tag = "sessions",
    operation_id = "logOut",
    summary = "End the caller's session",
    responses(
        (
            status = 204,
            description = "It has ended",
            headers(("Set-Cookie" = String, description = "Deletes the cookie, where there is one")),
        ),
    ),
    security(("bearer" = [])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    CallerWithoutFactor(caller): CallerWithoutFactor,
    headers: HeaderMap,
) -> Result<(Option<SetCookie>, StatusCode), Problem> {
    to_the_end(async move { rest.accounts.log_out(&caller).await }).await?;
    let cookie = cookie::is_there(&headers).then(SetCookie::gone);
    Ok((cookie, StatusCode::NO_CONTENT))
}
