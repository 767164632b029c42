//! `POST /v1/chats`

use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::ids::ListingId;
use barterline_protocol::push::Row;
use serde::Deserialize;

use crate::rest::Edge;
use crate::rest::extract::{Caller, Json};
use crate::rest::problem::Problem;
use crate::wire;

/// About which listing.
#[derive(Debug, Deserialize)]
pub struct Request {
    listing: ListingId,
}

/// Opens the chat about a listing, as its buyer: 201 for a new one, 200 for one that was there.
pub async fn handle(
    State(edge): State<Edge>,
    Caller(principal): Caller,
    Json(request): Json<Request>,
) -> Result<(StatusCode, axum::Json<Row>), Problem> {
    let opened = edge.services.chats.open(&principal, request.listing).await?;
    let status = if opened.created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, axum::Json(wire::row(&opened.row))))
}
