//! `DELETE /v1/sessions/{id}` and `DELETE /v1/sessions`: ends one of the caller's log-ins, or all.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::ids::SessionId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::rest::Rest;
use crate::rest::extract::{Caller, Path, Query};
use crate::rest::problem::Problem;
use crate::services::to_the_end;

/// Which stay. A word that is misspelt must not end all.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// The one that stays.
    #[param(inline)]
    except: Option<Except>,
}

/// The one that may stay.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Except {
    /// The caller's.
    Current,
}

/// The answer.
#[derive(Serialize, ToSchema)]
#[schema(as = SessionsEnded)]
pub struct Ended {
    /// How many were good until now.
    pub ended: usize,
}

/// Ends one session and its sockets.
#[utoipa::path(
    delete,
    path = "/v1/sessions/{id}",
    tag = "sessions",
    operation_id = "endSession",
    summary = "End one of the caller's sessions",
    params(("id" = SessionId, Path, description = "The session")),
    responses(
        (status = 204, description = "It has ended"),
    ),
    extensions(("x-codes" = json!(["session.not_found"]))),
    security(("bearer" = [])),
)]
pub async fn one(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Path(session): Path<SessionId>,
) -> Result<StatusCode, Problem> {
    to_the_end(async move { rest.accounts.end_session(&caller, session).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends all of the caller's sessions and their sockets, with `?except=current` all others.
#[utoipa::path(
    delete,
    path = "/v1/sessions",
    tag = "sessions",
    operation_id = "endSessions",
    summary = "End all of the caller's sessions, or all others",
    params(Which),
    responses(
        (status = 200, description = "They have ended", body = Ended),
    ),
    security(("bearer" = [])),
)]
pub async fn all(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Query(which): Query<Which>,
) -> Result<Json<Ended>, Problem> {
    let end = async move {
        match which.except {
            Some(Except::Current) => rest.accounts.end_other_sessions(&caller).await,
            None => rest.accounts.end_all_sessions(&caller).await,
        }
    };
    Ok(Json(Ended { ended: to_the_end(end).await? }))
}
