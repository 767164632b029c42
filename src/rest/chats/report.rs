//! `POST /v1/chats/{id}/reports`: tells staff about a chat.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::event::Seq;
use barterline_domain::ids::{ChatId, ReportId};
use serde::{Deserialize, Serialize};

use crate::rest::Rest;
use crate::rest::extract::{Body, Caller, IdempotencyKey, Path};
use crate::rest::problem::Problem;
use crate::services::reports::Complaint;

/// The request; without `messages` the newest of the chat are reported.
#[derive(Deserialize)]
pub struct Request {
    reason: String,
    #[serde(default)]
    messages: Vec<Seq>,
}

/// The answer.
#[derive(Serialize)]
pub struct Report {
    id: ReportId,
}

/// Answers 201 when staff have it, 200 when they had it before.
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Path(chat): Path<ChatId>,
    IdempotencyKey(name): IdempotencyKey,
    Body(request): Body<Request>,
) -> Result<(StatusCode, Json<Report>), Problem> {
    let Request { reason, messages } = request;
    let filed = rest.reports.file(caller.user, chat, Complaint { name, reason, messages }).await?;
    let status = if filed.repeat { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(Report { id: filed.id })))
}
