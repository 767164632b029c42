//! `GET /v1/unread`: the number on the app's badge.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::rest::Rest;
use crate::rest::extract::Caller;
use crate::rest::problem::Problem;

/// The answer.
#[derive(Serialize, ToSchema)]
pub struct Unread {
    chats: u64,
    messages: u64,
}

/// Answers with what the caller has not read, over all chats.
#[utoipa::path(
    get,
    path = "/v1/unread",
    tag = "chats",
    operation_id = "countUnread",
    summary = "What the caller has not read, over all chats",
    responses(
        (status = 200, description = "The numbers", body = Unread),
    ),
    security(("bearer" = ["chats:read"])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
) -> Result<Json<Unread>, Problem> {
    let unread = rest.chats.unread(caller.bearer()).await?;
    Ok(Json(Unread { chats: unread.chats, messages: unread.messages }))
}
