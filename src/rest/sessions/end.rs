//! `DELETE /v1/sessions/{id}` and `DELETE /v1/sessions`: ends one of the caller's log-ins, or all.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::ids::SessionId;
use serde::{Deserialize, Serialize};

use crate::rest::Rest;
use crate::rest::extract::{Caller, Path, Query};
use crate::rest::problem::Problem;

/// Which stay. A word that is misspelt must not end all.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    except: Option<Except>,
}

/// The one that may stay.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Except {
    /// The caller's.
    Current,
}

/// The answer.
#[derive(Serialize)]
pub struct Ended {
    /// How many were good until now.
    ended: usize,
}

/// Ends one session and its sockets.
pub async fn one(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Path(session): Path<SessionId>,
) -> Result<StatusCode, Problem> {
    rest.accounts.end_session(caller.user, session).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends all of the caller's sessions and their sockets, with `?except=current` all others.
pub async fn all(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Query(which): Query<Which>,
) -> Result<Json<Ended>, Problem> {
    let except = which.except.map(|Except::Current| caller.session);
    let ended = rest.accounts.end_sessions(caller.user, except).await?;
    Ok(Json(Ended { ended }))
}
