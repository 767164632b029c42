//! `POST /v1/listings`: puts something up for sale.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use barterline_domain::listing::ListingText;
use serde::Deserialize;

use super::{Price, tagged};
use crate::rest::Rest;
use crate::rest::extract::{Body, Caller};
use crate::rest::problem::Problem;

/// The request.
#[derive(Deserialize)]
pub struct Request {
    title: String,
    #[serde(default)]
    description: String,
    price: Price,
}

/// Answers 201 with the listing.
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Body(request): Body<Request>,
) -> Result<Response, Problem> {
    let text = ListingText::choose(&request.title, request.description)?;
    let listing = rest.listings.create(caller.user, text, request.price.try_into()?).await?;
    Ok((StatusCode::CREATED, tagged(listing)).into_response())
}
