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
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Path(chat): Path<ChatId>,
) -> Result<Json<Row>, Problem> {
    Ok(Json(wire::row(&rest.chats.row(caller.user, chat).await?)))
}
