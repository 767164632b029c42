//! `POST /v1/chats/{id}/reports`: tells staff about a chat.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::event::Seq;
use barterline_domain::ids::{ChatId, ReportId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::rest::Rest;
use crate::rest::extract::{Body, Caller, IdempotencyKey, Path};
use crate::rest::problem::Problem;
use crate::services::reports::Complaint;

/// The request; without `messages` the newest of the chat are reported.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewReport)]
pub struct Request {
    #[schema(min_length = 1, max_length = 4_000)]
    reason: String,
    #[serde(default)]
    #[schema(max_items = 100)]
    messages: Vec<Seq>,
}

/// The answer.
#[derive(Serialize, ToSchema)]
#[schema(as = ReportFiled)]
pub struct Report {
    id: ReportId,
}

/// Answers 201 when staff have it, 200 when they had it before.
#[utoipa::path(
    post,
    path = "/v1/chats/{id}/reports",
    tag = "chats",
    operation_id = "report",
    summary = "Tell staff about a chat",
    params(("id" = ChatId, Path, description = "The chat"), IdempotencyKey),
    request_body = Request,
    responses(
        (status = 200, description = "Staff had it before", body = Report),
        (status = 201, description = "Staff have it", body = Report),
    ),
    extensions(("x-codes" = json!([
        "chat.not_found", "text.empty", "text.too_long", "text.control", "target.not_found",
        "id.conflict",
    ]))),
    security(("bearer" = ["chats:write"])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Path(chat): Path<ChatId>,
    IdempotencyKey(name): IdempotencyKey,
    Body(request): Body<Request>,
) -> Result<(StatusCode, Json<Report>), Problem> {
    let Request { reason, messages } = request;
    let filed =
        rest.reports.file(caller.bearer(), chat, Complaint { name, reason, messages }).await?;
    let status = if filed.repeat { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(Report { id: filed.id })))
}
