//! `POST /v1/chats/{id}/events`: says something in a chat, or does something to a message.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::event::Seq;
use barterline_domain::ids::{ChatId, MediaId};
use barterline_protocol::response::Ack;
use serde::Deserialize;

use crate::rest::Rest;
use crate::rest::extract::{Body, Caller, IdempotencyKey, Path};
use crate::rest::problem::Problem;
use crate::services::chats::Send;

/// The request: a socket's `send`, whose `chat` stands in the path and whose `id` is the key.
#[derive(Deserialize)]
pub struct Request {
    base: Option<Seq>,
    kind: String,
    text: Option<String>,
    reply: Option<Seq>,
    target: Option<Seq>,
    reaction: Option<String>,
    media: Option<MediaId>,
    data: Option<String>,
}

/// Answers 201 when it is durable, 200 when it was before.
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Path(chat): Path<ChatId>,
    IdempotencyKey(id): IdempotencyKey,
    Body(request): Body<Request>,
) -> Result<(StatusCode, Json<Ack>), Problem> {
    let Request { base, kind, text, reply, target, reaction, media, data } = request;
    let message = Send { id, base, kind, text, reply, target, reaction, media, data };
    let sent = rest.chats.send_and_wait(caller.user, chat, message).await?;
    let status = if sent.repeat { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(Ack { chat, id, seq: sent.seq, at: sent.at, repeat: sent.repeat })))
}
