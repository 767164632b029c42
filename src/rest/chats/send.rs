//! `POST /v1/chats/{id}/events`: says something in a chat, or does something to a message.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::event::Seq;
use barterline_domain::ids::{ChatId, MediaId};
use barterline_protocol::response::Ack;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::rest::Rest;
use crate::rest::extract::{Body, Caller, IdempotencyKey, Path};
use crate::rest::problem::Problem;
use crate::services::chats::Send;

/// The request: a socket's `send`, whose `chat` stands in the path and whose `id` is the key.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewEvent)]
pub struct Request {
    base: Option<Seq>,
    #[schema(
        pattern = "^(text|media|edit|delete|reaction|x-[a-z0-9._-]{1,62})$",
        examples("text")
    )]
    kind: String,
    #[schema(max_length = 4_000, examples("Is the bike still for sale?"))]
    text: Option<String>,
    reply: Option<Seq>,
    target: Option<Seq>,
    #[schema(max_length = 64)]
    reaction: Option<String>,
    media: Option<MediaId>,
    #[schema(max_length = 8_192)]
    data: Option<String>,
}

/// Answers 201 when it is durable, 200 when it was before.
#[utoipa::path(
    post,
    path = "/v1/chats/{id}/events",
    tag = "chats",
    operation_id = "send",
    summary = "Say something in a chat, or do something to a message",
    params(("id" = ChatId, Path, description = "The chat"), IdempotencyKey),
    request_body = Request,
    responses(
        (status = 200, description = "It was durable before, under this number", body = Ack),
        (status = 201, description = "It is durable, under this number", body = Ack),
    ),
    extensions(("x-codes" = json!([
        "chat.not_found", "listing.closed", "text.empty", "text.too_long", "text.control", "kind.unsupported",
        "data.too_long", "target.not_found", "target.not_yours", "target.gone", "target.too_old",
        "reaction.unsupported", "media.not_found", "media.not_ready", "media.used", "seq.ahead", "base.old",
        "id.conflict", "server.busy",
    ]))),
    security(("bearer" = ["chats:write"])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Path(chat): Path<ChatId>,
    IdempotencyKey(id): IdempotencyKey,
    Body(request): Body<Request>,
) -> Result<(StatusCode, Json<Ack>), Problem> {
    let Request { base, kind, text, reply, target, reaction, media, data } = request;
    let message = Send { id, base, kind, text, reply, target, reaction, media, data };
    let sent = rest.chats.send_and_wait(caller.bearer(), chat, message).await?;
    let status = if sent.repeat { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(Ack { chat, id, seq: sent.seq, at: sent.at, repeat: sent.repeat })))
}
