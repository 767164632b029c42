//! `GET /v1/sessions`: where the caller is logged in.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::OwnSession;
use crate::rest::Rest;
use crate::rest::extract::Caller;
use crate::rest::problem::Problem;

/// The answer.
#[derive(Serialize)]
pub struct Sessions {
    sessions: Vec<OwnSession>,
}

/// Answers with all that are good, the newest first.
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
) -> Result<Json<Sessions>, Problem> {
    let found = rest.accounts.sessions(caller.user).await?;
    let sessions = found.into_iter().map(|session| OwnSession::new(session, &caller)).collect();
    Ok(Json(Sessions { sessions }))
}
