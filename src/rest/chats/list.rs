//! `GET /v1/chats`: the caller's inbox, the newest change first.

use axum::Json;
use axum::extract::State;
use barterline_protocol::push::Row;
use serde::{Deserialize, Serialize};

use crate::rest::Rest;
use crate::rest::extract::{Caller, Query, limit};
use crate::rest::problem::Problem;
use crate::wire;

/// Which part.
#[derive(Deserialize)]
pub struct Page {
    before: Option<u64>,
    limit: Option<usize>,
}

/// The answer; `next` is the `before` of the next page.
#[derive(Serialize)]
pub struct Inbox {
    rows: Vec<Row>,
    next: Option<u64>,
}

/// Answers with a page.
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Query(page): Query<Page>,
) -> Result<Json<Inbox>, Problem> {
    let found = rest.chats.inbox(caller.user, page.before, limit(page.limit)?).await?;
    Ok(Json(Inbox { rows: found.rows.iter().map(wire::row).collect(), next: found.next }))
}
