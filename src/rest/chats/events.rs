//! `GET /v1/chats/{id}/events`: a part of a chat's history, lowest number first.

use axum::Json;
use axum::extract::State;
use barterline_domain::event::Seq;
use barterline_domain::ids::ChatId;
use barterline_protocol::response::Page as EventPage;
use barterline_storage::chat_log::Range;
use serde::Deserialize;

use crate::rest::Rest;
use crate::rest::extract::{Caller, Path, Query, limit};
use crate::rest::problem::Problem;
use crate::wire;

/// Which part: above `after`, or below `before`, or the newest.
#[derive(Deserialize)]
pub struct Page {
    after: Option<Seq>,
    before: Option<Seq>,
    limit: Option<usize>,
}

/// Answers with a page.
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Path(chat): Path<ChatId>,
    Query(page): Query<Page>,
) -> Result<Json<EventPage>, Problem> {
    let range = match (page.after, page.before) {
        (Some(_), Some(_)) => return Err(Problem::invalid("either after or before, not both")),
        (Some(after), None) => Some(Range::After(after)),
        (None, before) => before.map(Range::Before),
    };
    let history = rest.chats.history(caller.user, chat, range, limit(page.limit)?).await?;
    Ok(Json(wire::page(&history.row, &history.events)))
}
