//! `GET /v1/accounts/{id}/listings`: a seller's listings, newest first.

use axum::Json;
use axum::extract::State;
use barterline_domain::ids::{ListingId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ListingView;
use crate::rest::Rest;
use crate::rest::extract::{Path, Query, limit};
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
    params(("id" = UserId, Path, description = "The seller"), Page),
    responses(
        (status = 200, description = "A part of them", body = Listings),
    ),
    extensions(("x-codes" = json!(["account.not_found"]))),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Path(seller): Path<UserId>,
    Query(page): Query<Page>,
) -> Result<Json<Listings>, Problem> {
    let limit = limit(page.limit)?;
    let listings = rest.listings.list_by_seller(seller, page.before, limit).await?;
    let listings = listings.ok_or(Code::AccountNotFound)?;
    let next = listings.last().filter(|_| listings.len() == limit).map(|listing| listing.id);
    Ok(Json(Listings { listings: listings.into_iter().map(Into::into).collect(), next }))
}
