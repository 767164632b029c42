//! `GET /v1/listings/{id}`

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use barterline_domain::ids::ListingId;

use super::Listing;
use crate::rest::Edge;
use crate::rest::extract::{Id, etag, is_unchanged};
use crate::rest::problem::{Code, Problem};

/// Shows a listing. Anybody may look.
pub async fn handle(
    State(edge): State<Edge>,
    Id(listing): Id<ListingId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let listing = edge.services.listings.read(listing).await?;
    let listing = listing.ok_or(Code::ListingNotFound)?;
    if is_unchanged(&headers, listing.version) {
        let tag = [(header::ETAG, etag(listing.version))];
        return Ok((StatusCode::NOT_MODIFIED, tag).into_response());
    }
    Ok(Listing::from(listing).into_response())
}
