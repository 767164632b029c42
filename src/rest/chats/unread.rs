//! `GET /v1/unread`: the number on the app's badge.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::rest::Rest;
use crate::rest::extract::Caller;
use crate::rest::problem::Problem;

/// The answer.
#[derive(Serialize)]
pub struct Unread {
    chats: u64,
    messages: u64,
}

/// Answers with what the caller has not read, over all chats.
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
) -> Result<Json<Unread>, Problem> {
    let unread = rest.chats.unread(caller.user).await?;
    Ok(Json(Unread { chats: unread.chats, messages: unread.messages }))
}
