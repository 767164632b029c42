//! `GET /v1/listings/{id}`

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use barterline_domain::ids::ListingId;

use super::{ListingView, tagged};
use crate::rest::Rest;
use crate::rest::extract::{From, IfNoneMatch, MaybeCaller, Path, etag, is_unchanged};
use crate::rest::problem::Problem;
use crate::services::views::Viewer;

/// Answers with the listing, which counts as a look at it, or with 304 when the caller has this version.
#[utoipa::path(
    get,
    path = "/v1/listings/{id}",
    tag = "listings",
    operation_id = "readListing",
    summary = "A listing",
    description = "Drafts are shown to their sellers alone.",
    params(("id" = ListingId, Path, description = "The listing"), IfNoneMatch),
    responses(
        (
            status = 200,
            description = "The listing",
            body = ListingView,
            headers(
                ("ETag" = String, description = "The version, for `If-Match` and `If-None-Match`"),
            ),
        ),
        (
            status = 304,
            description = "The caller has this version",
            headers(
                ("ETag" = String, description = "The version, for `If-Match` and `If-None-Match`"),
            ),
        ),
    ),
    extensions(("x-codes" = json!(["listing.not_found"]))),
    security((), ("bearer" = ["listings:read"])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    MaybeCaller(caller): MaybeCaller,
    Path(listing): Path<ListingId>,
    From(from): From,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let viewer = caller.map(|caller| caller.bearer());
    let looks = viewer.map_or(Viewer::Address(from), |viewer| Viewer::Account(viewer.user));
    let listing = rest.listings.read(viewer, listing).await?;
    let now = rest.listings.now();
    // What expires has the version it had.
    if listing.status_at(now) == listing.status && is_unchanged(&headers, listing.version) {
        let tag = [(header::ETAG, etag(listing.version))];
        return Ok((StatusCode::NOT_MODIFIED, tag).into_response());
    }
    rest.views.seen(&listing, looks);
    Ok(tagged(listing, now))
}
