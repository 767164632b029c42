//! `GET /v1/accounts/{id}/listings`: a seller's listings, newest first.

use axum::Json;
use axum::extract::State;
use barterline_domain::ids::{ListingId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ListingView;
use crate::rest::Rest;
use crate::rest::extract::{MaybeCaller, Path, Query, limit};
use crate::rest::problem::{Code, Problem};

/// Which part.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// Those older than this one: `next` of the part before.
    before: Option<ListingId>,
    /// How many at most.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<usize>,
}

/// The answer; `next` is the `before` of the next page.
#[derive(Serialize, ToSchema)]
pub struct Listings {
    listings: Vec<ListingView>,
    #[schema(required)]
    next: Option<ListingId>,
}

/// Answers with a page.
#[utoipa::path(
    get,
    path = "/v1/accounts/{id}/listings",
    tag = "listings",
    operation_id = "listListings",
    summary = "A seller's listings, the newest first",
    description = "Drafts are among them for the seller alone. What another system keeps comes behind all others, in no \
                   order. A part may have fewer than `limit`, as long as there is a `next`.",
    params(("id" = UserId, Path, description = "The seller"), Page),
    responses(
        (status = 200, description = "A part of them", body = Listings),
    ),
    extensions(("x-codes" = json!(["account.not_found"]))),
    security((), ("bearer" = ["listings:read"])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    MaybeCaller(caller): MaybeCaller,
    Path(seller): Path<UserId>,
    Query(page): Query<Page>,
) -> Result<Json<Listings>, Problem> {
    let limit = limit(page.limit)?;
    let viewer = caller.map(|caller| caller.bearer());
    let page = rest.listings.list_by_seller(viewer, seller, page.before, limit).await?;
    let page = page.ok_or(Code::AccountNotFound)?;
    let now = rest.listings.now();
    let listings = page.listings.into_iter().map(|listing| ListingView::at(now, listing));
    Ok(Json(Listings { listings: listings.collect(), next: page.next }))
}
