//! `GET /v1/chats/{id}/events`: a part of a chat's history, lowest number first.

use axum::Json;
use axum::extract::State;
use barterline_domain::event::Seq;
use barterline_domain::ids::ChatId;
use barterline_protocol::response::Page as EventPage;
use barterline_storage::chat_log::Range;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::rest::Rest;
use crate::rest::extract::{Caller, Path, Query, limit};
use crate::rest::problem::Problem;
use crate::wire;

/// Which part: above `after`, or below `before`, or the newest.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// Those above this number; not together with `before`.
    after: Option<Seq>,
    /// Those below this number.
    before: Option<Seq>,
    /// How many at most.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<usize>,
}

/// Answers with a page.
#[utoipa::path(
    get,
    path = "/v1/chats/{id}/events",
    tag = "chats",
    operation_id = "readEvents",
    summary = "A part of a chat's history, lowest number first",
    description = "Above `after`, or below `before`, or the newest.",
    params(("id" = ChatId, Path, description = "The chat"), Page),
    responses(
        (status = 200, description = "The part", body = EventPage),
    ),
    extensions(("x-codes" = json!(["chat.not_found"]))),
    security(("bearer" = ["chats:read"])),
)]
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
    let history = rest.chats.history(caller.bearer(), chat, range, limit(page.limit)?).await?;
    Ok(Json(wire::page(&history.row, &history.events)))
}
