//! `POST /v1/sessions/refresh`

use axum::extract::State;
use serde::Deserialize;

use super::Session;
use crate::rest::Edge;
use crate::rest::extract::Json;
use crate::rest::problem::Problem;

/// What a session goes on with.
#[derive(Deserialize)]
pub struct Request {
    refresh_token: String,
}

/// Gives new tokens for a refresh token, which is worthless from then on.
pub async fn handle(
    State(edge): State<Edge>,
    Json(request): Json<Request>,
) -> Result<Session, Problem> {
    let refreshed = edge.services.accounts.refresh(&request.refresh_token);
    Ok(refreshed.await?.into())
}
