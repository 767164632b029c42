//! `POST /v1/listings`: puts something up for sale.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use barterline_domain::listing::ListingText;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{ListingView, Price, tagged};
use crate::rest::Rest;
use crate::rest::extract::{Body, Caller};
use crate::rest::problem::Problem;

/// The request.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewListing)]
pub struct Request {
    #[schema(min_length = 1, max_length = 120, examples("City bike"))]
    title: String,
    #[serde(default)]
    #[schema(max_length = 10_000)]
    description: String,
    price: Price,
}

/// Answers 201 with the listing.
#[utoipa::path(
    post,
    path = "/v1/listings",
    tag = "listings",
    operation_id = "createListing",
    summary = "Put something up for sale",
    request_body = Request,
    responses(
        (
            status = 201,
            description = "The listing",
            body = ListingView,
            headers(
                ("ETag" = String, description = "The version, for `If-Match` and `If-None-Match`"),
            ),
        ),
    ),
    extensions(("x-codes" = json!([
        "listing.title_invalid", "listing.description_too_long", "listing.price_invalid",
    ]))),
    security(("bearer" = ["listings:write"])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Body(request): Body<Request>,
) -> Result<Response, Problem> {
    let text = ListingText::choose(&request.title, request.description)?;
    let listing = rest.listings.create(caller.bearer(), text, request.price.try_into()?).await?;
    Ok((StatusCode::CREATED, tagged(listing)).into_response())
}
