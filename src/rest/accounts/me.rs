//! `GET /v1/accounts/me`

use axum::Json;
use axum::extract::State;

use super::OwnAccount;
use crate::rest::Edge;
use crate::rest::extract::Caller;
use crate::rest::problem::{Code, Problem};

/// Shows the caller's own account.
pub async fn handle(
    State(edge): State<Edge>,
    Caller(principal): Caller,
) -> Result<Json<OwnAccount>, Problem> {
    let account = edge.services.accounts.profile(principal.user).await?;
    // A good token of an account that is gone.
    let account = account.ok_or(Code::TokenInvalid)?;
    Ok(Json(account.into()))
}
