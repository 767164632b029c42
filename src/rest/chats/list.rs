//! `GET /v1/chats`

use axum::Json;
use axum::extract::State;
use barterline_protocol::push::Row;
use serde::Deserialize;

use crate::rest::Edge;
use crate::rest::extract::{Caller, Limit, Page, Query};
use crate::rest::problem::Problem;
use crate::wire;

/// Which page.
#[derive(Debug, Deserialize)]
pub struct Request {
    before: Option<u64>,
    #[serde(default)]
    limit: Limit,
}

/// Lists the caller's chats, the newest change first.
pub async fn handle(
    State(edge): State<Edge>,
    Caller(principal): Caller,
    Query(request): Query<Request>,
) -> Result<Json<Page<Row, u64>>, Problem> {
    let limit = request.limit.get();
    let chats = &edge.services.chats;
    let page = chats.inbox(&principal, request.before, limit).await?;
    Ok(Json(Page {
        items: page.rows.iter().map(wire::row).collect(),
        next: page.next,
    }))
}
