//! `PUT /v1/chats/{id}/marks`: moves the caller's marks. They only grow, so it may be repeated.

use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::event::Seq;
use barterline_domain::ids::{ChatId, DeviceId};
use barterline_domain::marks::Marks;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::rest::Rest;
use crate::rest::extract::{Body, Caller, Path};
use crate::rest::problem::Problem;

/// The request: a socket's `mark`, with the device that its `hello` names.
#[derive(Deserialize, ToSchema)]
#[schema(as = MarksMove)]
pub struct Request {
    device: DeviceId,
    delivered: Option<Seq>,
    read: Option<Seq>,
}

/// Answers when it is durable.
#[utoipa::path(
    put,
    path = "/v1/chats/{id}/marks",
    tag = "chats",
    operation_id = "mark",
    summary = "Move the caller's marks, which only grow",
    params(("id" = ChatId, Path, description = "The chat")),
    request_body = Request,
    responses(
        (status = 204, description = "It is durable"),
    ),
    extensions(("x-codes" = json!(["chat.not_found", "seq.ahead"]))),
    security(("bearer" = ["chats:write"])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Path(chat): Path<ChatId>,
    Body(request): Body<Request>,
) -> Result<StatusCode, Problem> {
    let Request { device, delivered, read } = request;
    let marks = Marks::new(delivered.unwrap_or(Seq::ZERO), read.unwrap_or(Seq::ZERO));
    rest.chats.mark(caller.bearer(), chat, device, marks).await?;
    Ok(StatusCode::NO_CONTENT)
}
