//! `POST /v1/listings/{id}/renewal`: for sale longer.

use axum::extract::State;
use axum::response::Response;
use barterline_domain::ids::ListingId;

use super::{ListingView, tagged};
use crate::rest::Rest;
use crate::rest::extract::{Caller, Path};
use crate::rest::problem::Problem;

/// Answers with the listing as it is now.
#[utoipa::path(
    post,
    path = "/v1/listings/{id}/renewal",
    tag = "listings",
    operation_id = "renewListing",
    summary = "Let a listing of the caller's be for sale for as long as is usual, from now, also when it has expired",
    params(("id" = ListingId, Path, description = "The listing")),
    responses(
        (
            status = 200,
            description = "The listing as it is now",
            body = ListingView,
            headers(
                ("ETag" = String, description = "The version, for `If-Match` and `If-None-Match`"),
            ),
        ),
    ),
    extensions(("x-codes" = json!([
        "listing.status_final", "listing.not_yours", "listing.not_found", "listing.version_changed",
        "listing.external",
    ]))),
    security(("bearer" = ["listings:write"])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Path(listing): Path<ListingId>,
) -> Result<Response, Problem> {
    let listing = rest.listings.renew(caller.bearer(), listing).await?;
    Ok(tagged(listing, rest.listings.now()))
}
