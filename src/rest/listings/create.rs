//! `POST /v1/listings`

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::{Listing, Price};
use crate::rest::Edge;
use crate::rest::extract::{Caller, Json};
use crate::rest::problem::Problem;
use crate::services::listings::NewListing;

/// What a seller says about a new listing.
#[derive(Debug, Deserialize)]
pub struct Request {
    title: String,
    #[serde(default)]
    description: String,
    price: Price,
}

/// Puts something up for sale.
pub async fn handle(
    State(edge): State<Edge>,
    Caller(principal): Caller,
    Json(request): Json<Request>,
) -> Result<Response, Problem> {
    let new = NewListing {
        title: request.title,
        description: request.description,
        price: request.price.try_into()?,
    };
    let listing = edge.services.listings.create(&principal, new).await?;
    let location = HeaderValue::try_from(format!("/v1/listings/{}", listing.id))
        .expect("a path is plain ASCII");
    let location = [(header::LOCATION, location)];
    Ok((StatusCode::CREATED, location, Listing::from(listing)).into_response())
}
