//! `GET /v1/listings/{id}/stats`: what people make of a listing.

use axum::Json;
use axum::extract::State;
use barterline_domain::ids::ListingId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::rest::Rest;
use crate::rest::extract::{MaybeCaller, Path};
use crate::rest::problem::Problem;

/// The answer.
#[derive(Serialize, ToSchema)]
#[schema(as = ListingStats)]
pub struct Stats {
    /// How many people like it; 1,000: so many or more.
    #[schema(maximum = 1_000)]
    favourites: u64,
    /// How often it was looked at, more or less: its seller does not count, and others once in half an hour.
    views: u64,
}

/// Answers with the counts.
#[utoipa::path(
    get,
    path = "/v1/listings/{id}/stats",
    tag = "listings",
    operation_id = "readListingStats",
    summary = "How many people like a listing, and how often it was looked at",
    params(("id" = ListingId, Path, description = "The listing")),
    responses((status = 200, description = "The counts", body = Stats)),
    extensions(("x-codes" = json!(["listing.not_found"]))),
    security((), ("bearer" = ["listings:read"])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    MaybeCaller(caller): MaybeCaller,
    Path(listing): Path<ListingId>,
) -> Result<Json<Stats>, Problem> {
    let viewer = caller.map(|caller| caller.bearer());
    let favourites = rest.favourites.count(viewer, listing).await?;
    let views = rest.views.count(viewer, listing).await?;
    Ok(Json(Stats { favourites, views }))
}
