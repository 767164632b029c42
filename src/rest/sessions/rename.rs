//! `PATCH /v1/sessions/{id}`: what its owner calls a session.

use axum::Json;
use axum::extract::State;
use barterline_domain::account::SessionName;
use barterline_domain::ids::SessionId;
use serde::Deserialize;
use utoipa::ToSchema;

use super::OwnSession;
use crate::rest::Rest;
use crate::rest::extract::{Body, Caller, Path};
use crate::rest::problem::Problem;

/// The request.
#[derive(Deserialize, ToSchema)]
#[schema(as = SessionNaming)]
pub struct Request {
    /// `null` takes the name away; it has to be there.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required, min_length = 1, max_length = 64)]
    name: Option<String>,
}

/// Answers with the session as it is now.
#[utoipa::path(
    patch,
    path = "/v1/sessions/{id}",
    tag = "sessions",
    operation_id = "nameSession",
    summary = "Give one of the caller's sessions a name",
    params(("id" = SessionId, Path, description = "The session")),
    request_body = Request,
    responses(
        (status = 200, description = "The session as it is now", body = OwnSession),
    ),
    extensions(("x-codes" = json!(["session.name_invalid", "session.not_found"]))),
    security(("bearer" = [])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Path(session): Path<SessionId>,
    Body(request): Body<Request>,
) -> Result<Json<OwnSession>, Problem> {
    let name = request.name.as_deref().map(SessionName::parse).transpose()?;
    let session = rest.accounts.name_session(&caller, session, name).await?;
    Ok(Json(OwnSession::new(session, &caller)))
}
