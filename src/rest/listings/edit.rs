//! `PATCH /v1/listings/{id}`: changes what is given; with `If-Match` only that version.

use axum::extract::State;
use axum::response::Response;
use barterline_domain::ids::ListingId;
use barterline_domain::listing::ListingStatus;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{ListingView, Price, tagged};
use crate::rest::Rest;
use crate::rest::extract::{Body, Caller, IfMatch, Path};
use crate::rest::problem::Problem;
use crate::services::listings::Edit;

/// The request: what is absent stays.
#[derive(Deserialize, ToSchema)]
#[schema(as = ListingEdit)]
pub struct Request {
    #[schema(min_length = 1, max_length = 120)]
    title: Option<String>,
    #[schema(max_length = 10_000)]
    description: Option<String>,
    price: Option<Price>,
    status: Option<ListingStatus>,
}

/// Answers with the listing as it is now.
#[utoipa::path(
    patch,
    path = "/v1/listings/{id}",
    tag = "listings",
    operation_id = "editListing",
    summary = "Change what is given of a listing of the caller's",
    params(("id" = ListingId, Path, description = "The listing"), IfMatch),
    request_body = Request,
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
        "listing.title_invalid", "listing.description_too_long", "listing.price_invalid",
        "listing.status_final", "listing.not_yours", "listing.not_found", "listing.version_changed",
    ]))),
    security(("bearer" = ["listings:write"])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Path(listing): Path<ListingId>,
    IfMatch(if_version): IfMatch,
    Body(request): Body<Request>,
) -> Result<Response, Problem> {
    let edit = Edit {
        title: request.title,
        description: request.description,
        price: request.price.map(TryInto::try_into).transpose()?,
        status: request.status,
        if_version,
    };
    Ok(tagged(rest.listings.edit(caller.bearer(), listing, &edit).await?))
}
