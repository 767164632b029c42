//! `POST /v1/chats`: opens the caller's chat about a listing, or finds it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::ids::ListingId;
use barterline_protocol::push::Row;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::rest::Rest;
use crate::rest::extract::{Body, Caller};
use crate::rest::problem::Problem;
use crate::wire;

/// The request.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewChat)]
pub struct Request {
    listing: ListingId,
}

/// Answers 201 with a new chat, 200 with one that was open.
#[utoipa::path(
    post,
    path = "/v1/chats",
    tag = "chats",
    operation_id = "openChat",
    summary = "Open the caller's chat about a listing, or find it",
    request_body = Request,
    responses(
        (status = 200, description = "A chat that was open before", body = Row),
        (status = 201, description = "A new chat", body = Row),
    ),
    extensions(("x-codes" = json!([
        "listing.not_found", "chat.own_listing", "listing.closed", "inbox.full",
    ]))),
    security(("bearer" = ["chats:write"])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Body(request): Body<Request>,
) -> Result<(StatusCode, Json<Row>), Problem> {
    let opened = rest.chats.open(caller.bearer(), request.listing).await?;
    let status = if opened.created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(wire::row(&opened.row))))
}
