//! `GET /v1/accounts/{id}/listings`

use axum::Json;
use axum::extract::State;
use barterline_domain::ids::{ListingId, UserId};
use serde::Deserialize;

use crate::rest::Edge;
use crate::rest::extract::{Id, Limit, Page, Query};
use crate::rest::listings::Listing;
use crate::rest::problem::Problem;

/// Which page.
#[derive(Debug, Deserialize)]
pub struct Request {
    before: Option<ListingId>,
    #[serde(default)]
    limit: Limit,
}

/// Lists a seller's listings, the newest first.
pub async fn handle(
    State(edge): State<Edge>,
    Id(seller): Id<UserId>,
    Query(request): Query<Request>,
) -> Result<Json<Page<Listing, ListingId>>, Problem> {
    let limit = request.limit.get();
    let listings = &edge.services.listings;
    let found = listings.list_by_seller(seller, request.before, limit).await?;
    // A full page may be the last; the next one is empty then.
    let next = found.last().filter(|_| found.len() == limit).map(|last| last.id);
    let items = found.into_iter().map(Listing::from).collect();
    Ok(Json(Page { items, next }))
}
