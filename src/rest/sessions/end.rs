//! `POST /v1/sessions/{id}/end` and `POST /v1/sessions/end`: ends one of the caller's log-ins, or all, for who
//! proves anew who they are.

use std::net::IpAddr;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::ids::SessionId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::rest::Rest;
use crate::rest::accounts::shown;
use crate::rest::extract::{Body, Caller, From, Path};
use crate::rest::problem::Problem;
use crate::services::accounts::Shown;
use crate::services::to_the_end;

/// Which proves who asks.
#[derive(Deserialize, ToSchema)]
#[schema(as = SessionEnd)]
pub struct Request {
    /// Not needed for the caller's own session, nor by who has none and logged in within the last ten minutes.
    #[schema(format = Password, min_length = 8, max_length = 256)]
    password: Option<String>,
    /// Of the second factor, where there is one.
    code: Option<String>,
}

/// Which end, and who asks. A word that is misspelt must not end all.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SessionsEnd)]
pub struct RequestForAll {
    /// Not needed by who has none and logged in within the last ten minutes.
    #[schema(format = Password, min_length = 8, max_length = 256)]
    password: Option<String>,
    /// Of the second factor, where there is one.
    code: Option<String>,
    /// The one that stays.
    #[schema(inline)]
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
    post,
    path = "/v1/sessions/{id}/end",
    tag = "sessions",
    operation_id = "endSession",
    summary = "End one of the caller's sessions",
    params(("id" = SessionId, Path, description = "The session")),
    request_body = Request,
    responses(
        (status = 204, description = "It has ended"),
    ),
    extensions(("x-codes" = json!([
        "session.not_found", "password.required", "password.wrong", "password.none",
        "second_factor.code_required", "second_factor.code_wrong", "account.changed", "server.busy",
    ]))),
    security(("bearer" = [])),
)]
pub async fn one(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    From(from): From,
    Path(session): Path<SessionId>,
    Body(Request { password, code }): Body<Request>,
) -> Result<StatusCode, Problem> {
    let shown = shown_again(&rest, from, password, code).await?;
    let end = async move { rest.accounts.end_session(&caller, session, shown, from).await };
    to_the_end(end).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends all of the caller's sessions and their sockets, or all others.
#[utoipa::path(
    post,
    path = "/v1/sessions/end",
    tag = "sessions",
    operation_id = "endSessions",
    summary = "End all of the caller's sessions, or all others",
    request_body = RequestForAll,
    responses(
        (status = 200, description = "They have ended", body = Ended),
    ),
    extensions(("x-codes" = json!([
        "password.required", "password.wrong", "password.none", "second_factor.code_required",
        "second_factor.code_wrong", "account.changed", "server.busy",
    ]))),
    security(("bearer" = [])),
)]
pub async fn all(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    From(from): From,
    Body(RequestForAll { password, code, except }): Body<RequestForAll>,
) -> Result<Json<Ended>, Problem> {
    let shown = shown_again(&rest, from, password, code).await?;
    let end = async move {
        match except {
            Some(Except::Current) => rest.accounts.end_other_sessions(&caller, shown, from).await,
            None => rest.accounts.end_all_sessions(&caller, shown, from).await,
        }
    };
    Ok(Json(Ended { ended: to_the_end(end).await? }))
}

/// What the caller shows to prove anew who they are; a password counts among the tries of its address.
async fn shown_again(
    rest: &Rest,
    from: IpAddr,
    password: Option<String>,
    code: Option<String>,
) -> Result<Option<Shown>, Problem> {
    let Some(password) = password else { return Ok(None) };
    rest.rates.log_in_from(from, rest.clock.now()).await.map_err(Problem::limited)?;
    Ok(Some(shown(password, code)))
}
