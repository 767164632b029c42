//! `GET /v1/accounts/{id}/listings`: a seller's listings, newest first.

use axum::Json;
use axum::extract::State;
use barterline_domain::ids::{ListingId, UserId};
use serde::{Deserialize, Serialize};

use super::ListingView;
use crate::rest::Rest;
use crate::rest::extract::{Path, Query, limit};
use crate::rest::problem::{Code, Problem};

/// Which part.
#[derive(Deserialize)]
pub struct Page {
    before: Option<ListingId>,
    limit: Option<usize>,
}

/// The answer; `next` is the `before` of the next page.
#[derive(Serialize)]
pub struct Listings {
    listings: Vec<ListingView>,
    next: Option<ListingId>,
}

/// Answers with a page.
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
