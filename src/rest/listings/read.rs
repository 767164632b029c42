//! `GET /v1/listings/{id}`

use axum::extract::State;
use axum::response::Response;
use barterline_domain::ids::ListingId;

use super::tagged;
use crate::rest::Rest;
use crate::rest::extract::Path;
use crate::rest::problem::Problem;

/// Answers with the listing.
pub async fn handle(
    State(rest): State<Rest>,
    Path(listing): Path<ListingId>,
) -> Result<Response, Problem> {
    Ok(tagged(rest.listings.read(listing).await?))
}
