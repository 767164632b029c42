//! `POST /v1/chats`: opens the caller's chat about a listing, or finds it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::ids::ListingId;
use barterline_protocol::push::Row;
use serde::Deserialize;

use crate::rest::Rest;
use crate::rest::extract::{Body, Caller};
use crate::rest::problem::Problem;
use crate::wire;

/// The request.
#[derive(Deserialize)]
pub struct Request {
    listing: ListingId,
}

/// Answers 201 with a new chat, 200 with one that was open.
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Body(request): Body<Request>,
) -> Result<(StatusCode, Json<Row>), Problem> {
    let opened = rest.chats.open(caller.user, request.listing).await?;
    let status = if opened.created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(wire::row(&opened.row))))
}
