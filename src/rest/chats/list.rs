//! `GET /v1/chats`: the caller's inbox, the newest change first.

use axum::Json;
use axum::extract::State;
use barterline_protocol::push::Row;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::rest::Rest;
use crate::rest::extract::{Caller, Query, limit};
use crate::rest::problem::Problem;
use crate::wire;

/// Which part.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// `next` of the part before.
    before: Option<u64>,
    /// How many at most.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<usize>,
}

/// The answer; `next` is the `before` of the next page.
#[derive(Serialize, ToSchema)]
pub struct Inbox {
    rows: Vec<Row>,
    #[schema(required)]
    next: Option<u64>,
}

/// Answers with a page.
#[utoipa::path(
    get,
    path = "/v1/chats",
    tag = "chats",
    operation_id = "listChats",
    summary = "The caller's inbox, the newest change first",
    params(Page),
    responses(
        (status = 200, description = "A part of it", body = Inbox),
    ),
    security(("bearer" = ["chats:read"])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Query(page): Query<Page>,
) -> Result<Json<Inbox>, Problem> {
    let found = rest.chats.inbox(caller.bearer(), page.before, limit(page.limit)?).await?;
    Ok(Json(Inbox { rows: found.rows.iter().map(wire::row).collect(), next: found.next }))
}
