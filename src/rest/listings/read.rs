//! `GET /v1/listings/{id}`

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use barterline_domain::ids::ListingId;

use super::tagged;
use crate::rest::Rest;
use crate::rest::extract::{Path, etag, is_unchanged};
use crate::rest::problem::Problem;

/// Answers with the listing, or with 304 when the caller has this version.
pub async fn handle(
    State(rest): State<Rest>,
    Path(listing): Path<ListingId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let listing = rest.listings.read(listing).await?;
    if is_unchanged(&headers, listing.version) {
        let tag = [(header::ETAG, etag(listing.version))];
        return Ok((StatusCode::NOT_MODIFIED, tag).into_response());
    }
    Ok(tagged(listing))
}
