//! `POST /v1/media`: announces a file.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use barterline_domain::ids::ChatId;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{MediaView, PurposeView};
use crate::rest::Rest;
use crate::rest::extract::{Body, Caller};
use crate::rest::problem::Problem;
use crate::services::media::NewMedia;

/// The request.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewMedia)]
pub struct Request {
    /// What it is for.
    #[serde(default)]
    purpose: PurposeView,
    /// The chat that it is for, of which the caller is part; with the purpose `chat` alone.
    chat: Option<ChatId>,
    /// What the caller calls it. A path before it and what cannot be seen are left out.
    #[serde(default)]
    #[schema(examples("bicycle"))]
    name: String,
    /// How many bytes it has.
    #[schema(minimum = 1)]
    size: u64,
}

/// Answers 201 with a file whose bytes are to come.
#[utoipa::path(
    post,
    path = "/v1/media",
    tag = "media",
    operation_id = "createMedia",
    summary = "Announce a file for a chat, a photo for a listing, or a picture of the caller",
    description = "Its bytes are to come: by `uploadMedia`, straight to where files are kept \
                   (`uploadMediaDirect`), or in parts (`createUpload`, which announces one itself). What it is \
                   follows from its bytes, and not from its name. Photos and pictures have to be pictures. A file \
                   that nothing shows goes after a day. What it takes of an API key follows from `purpose`: \
                   `chats:write`, `listings:write` or `profile:write`.",
    request_body = Request,
    responses(
        (
            status = 201,
            description = "The file",
            body = MediaView,
            headers(("Location" = String, description = "Its path")),
        ),
    ),
    extensions(("x-codes" = json!(["chat.not_found", "media.too_large", "media.too_many"]))),
    security(
        ("bearer" = ["chats:write"]),
        ("bearer" = ["listings:write"]),
        ("bearer" = ["profile:write"]),
    ),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Body(request): Body<Request>,
) -> Result<Response, Problem> {
    let Request { purpose, chat, name, size } = request;
    let purpose = purpose.of(chat)?;
    let media = rest.media.create(caller.bearer(), NewMedia { purpose, name, size }).await?;
    let place = [(LOCATION, format!("/v1/media/{}", media.id))];
    Ok((StatusCode::CREATED, place, Json(MediaView::try_from(media)?)).into_response())
}
