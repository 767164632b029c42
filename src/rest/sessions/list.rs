//! `GET /v1/sessions`: where the caller is logged in.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::OwnSession;
use crate::rest::Rest;
use crate::rest::extract::Caller;
use crate::rest::problem::Problem;

/// The answer.
#[derive(Serialize, ToSchema)]
pub struct Sessions {
    sessions: Vec<OwnSession>,
}

/// Answers with all that are good, the newest first.
#[utoipa::path(
    get,
    path = "/v1/sessions",
    tag = "sessions",
    operation_id = "listSessions",
    summary = "Where the caller is logged in, the newest first",
    responses(
        (status = 200, description = "All that are good", body = Sessions),
    ),
    security(("bearer" = [])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
) -> Result<Json<Sessions>, Problem> {
    let found = rest.accounts.sessions(&caller).await?;
    let sessions = found.into_iter().map(|session| OwnSession::new(session, &caller)).collect();
    Ok(Json(Sessions { sessions }))
}
