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

/// The request: `listing`, or `source` and `external_id`.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewChat)]
pub struct Request {
    listing: Option<ListingId>,
    /// The system that keeps the thing, by the name that the operator gave it.
    #[schema(examples("shop"))]
    source: Option<String>,
    /// What the thing is called there.
    #[schema(min_length = 1, max_length = 200)]
    external_id: Option<String>,
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
        "listing.not_found", "chat.own_listing", "listing.closed", "inbox.full", "source.not_found",
        "source.unavailable", "server.busy",
    ]))),
    security(("bearer" = ["chats:write"])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Body(request): Body<Request>,
) -> Result<(StatusCode, Json<Row>), Problem> {
    let caller = caller.bearer();
    let listing = match request {
        Request { listing: Some(listing), source: None, external_id: None } => listing,
        Request { listing: None, source: Some(source), external_id: Some(id) } => {
            rest.sources.resolve(caller, &source, &id).await?
        }
        _ => return Err(Problem::invalid("say `listing`, or `source` and `external_id`")),
    };
    let opened = rest.chats.open(caller, listing).await?;
    let status = if opened.created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(wire::row(&opened.row))))
}
