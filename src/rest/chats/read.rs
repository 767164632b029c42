//! `GET /v1/chats/{id}`

use axum::Json;
use axum::extract::State;
use barterline_domain::ids::ChatId;
use barterline_protocol::push::Row;

use crate::rest::Edge;
use crate::rest::extract::{Caller, Id};
use crate::rest::problem::Problem;
use crate::wire;

/// Shows the caller's row of a chat.
pub async fn handle(
    State(edge): State<Edge>,
    Caller(principal): Caller,
    Id(chat): Id<ChatId>,
) -> Result<Json<Row>, Problem> {
    let row = edge.services.chats.row(&principal, chat).await?;
    Ok(Json(wire::row(&row)))
}
