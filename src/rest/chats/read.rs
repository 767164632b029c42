//! `GET /v1/chats/{id}`: one row of the caller's inbox.

use axum::Json;
use axum::extract::State;
use barterline_domain::ids::ChatId;
use barterline_protocol::push::Row;

use crate::rest::Rest;
use crate::rest::extract::{Caller, Path};
use crate::rest::problem::Problem;
use crate::wire;

/// Answers with the row.
#[utoipa::path(
    get,
    path = "/v1/chats/{id}",
    tag = "chats",
    operation_id = "readChat",
    summary = "One row of the caller's inbox",
    params(("id" = ChatId, Path, description = "The chat")),
    responses(
        (status = 200, description = "The row", body = Row),
    ),
    extensions(("x-codes" = json!(["chat.not_found"]))),
    security(("bearer" = ["chats:read"])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Path(chat): Path<ChatId>,
) -> Result<Json<Row>, Problem> {
    Ok(Json(wire::row(&rest.chats.row(caller.bearer(), chat).await?)))
}
