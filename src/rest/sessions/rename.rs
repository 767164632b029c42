//! `PATCH /v1/sessions/{id}`: what its owner calls a session.

use axum::Json;
use axum::extract::State;
use barterline_domain::account::SessionName;
use barterline_domain::ids::SessionId;
use serde::Deserialize;

use super::OwnSession;
use crate::rest::Rest;
use crate::rest::extract::{Body, Caller, Path};
use crate::rest::problem::Problem;

/// The request.
#[derive(Deserialize)]
pub struct Request {
    /// `null` takes the name away; it has to be there.
    #[serde(deserialize_with = "Option::deserialize")]
    name: Option<String>,
}

/// Answers with the session as it is now.
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Path(session): Path<SessionId>,
    Body(request): Body<Request>,
) -> Result<Json<OwnSession>, Problem> {
    let name = request.name.as_deref().map(SessionName::parse).transpose()?;
    let session = rest.accounts.name_session(caller.user, session, name).await?;
    Ok(Json(OwnSession::new(session, &caller)))
}
