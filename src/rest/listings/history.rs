//! `GET /v1/listings/{id}/history`: what a listing cost, and where it stood.

use axum::Json;
use axum::extract::State;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::ListingId;
use barterline_domain::listing::{Change, Listing, ListingStatus};
use barterline_domain::money::Money;
use serde::Serialize;
use utoipa::ToSchema;

use crate::rest::Rest;
use crate::rest::extract::{MaybeCaller, Path};
use crate::rest::problem::Problem;

/// A change of price or status.
#[derive(Serialize, ToSchema)]
#[schema(as = ListingChange)]
pub struct ChangeView {
    version: u64,
    at: Timestamp,
    price: Money,
    status: ListingStatus,
}

impl ChangeView {
    /// Those of a listing, the oldest first.
    pub fn of(listing: &Listing) -> Vec<Self> {
        let view = |Change { version, at, price, status }| Self { version, at, price, status };
        listing.history.iter().copied().map(view).collect()
    }
}

/// The answer.
#[derive(Serialize, ToSchema)]
#[schema(as = ListingHistory)]
pub struct History {
    #[schema(max_items = 32)]
    changes: Vec<ChangeView>,
}

/// Answers with the changes.
#[utoipa::path(
    get,
    path = "/v1/listings/{id}/history",
    tag = "listings",
    operation_id = "readListingHistory",
    summary = "What a listing cost, and where it stood, since it was first for sale",
    description = "The oldest change first, the last 32 of them.",
    params(("id" = ListingId, Path, description = "The listing")),
    responses(
        (status = 200, description = "The changes", body = History),
    ),
    extensions(("x-codes" = json!(["listing.not_found"]))),
    security((), ("bearer" = ["listings:read"])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    MaybeCaller(caller): MaybeCaller,
    Path(listing): Path<ListingId>,
) -> Result<Json<History>, Problem> {
    let viewer = caller.map(|caller| caller.bearer());
    let listing = rest.listings.read(viewer, listing).await?;
    Ok(Json(History { changes: ChangeView::of(&listing) }))
}
