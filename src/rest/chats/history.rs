//! `GET /v1/chats/{id}/events`

use axum::Json;
use axum::extract::State;
use barterline_domain::event::Seq;
use barterline_domain::ids::ChatId;
use barterline_protocol::response::Page;
use barterline_storage::chat_log::Range;
use serde::Deserialize;

use crate::rest::Edge;
use crate::rest::extract::{Caller, Id, Limit, Query};
use crate::rest::problem::{Code, Problem};
use crate::wire;

/// Which events: `after` or `before` a number; the newest without either.
#[derive(Debug, Deserialize)]
pub struct Request {
    after: Option<Seq>,
    before: Option<Seq>,
    #[serde(default)]
    limit: Limit,
}

/// Reads a range of a chat's events, lowest number first.
pub async fn handle(
    State(edge): State<Edge>,
    Caller(principal): Caller,
    Id(chat): Id<ChatId>,
    Query(request): Query<Request>,
) -> Result<Json<Page>, Problem> {
    let range = match (request.after, request.before) {
        (None, None) => None,
        (Some(after), None) => Some(Range::After(after)),
        (None, Some(before)) => Some(Range::Before(before)),
        (Some(_), Some(_)) => {
            let detail = "`after` and `before` exclude each other";
            return Err(Problem::with_detail(Code::Invalid, detail));
        }
    };
    let chats = &edge.services.chats;
    let history = chats.history(&principal, chat, range, request.limit.get());
    let history = history.await?;
    Ok(Json(Page {
        chat,
        events: history
            .events
            .iter()
            .map(|event| wire::event(chat, event))
            .collect(),
        head: history.head,
    }))
}
