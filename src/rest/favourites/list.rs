//! `GET /v1/favourites`

use axum::Json;
use axum::extract::State;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::ListingId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::rest::Rest;
use crate::rest::extract::{Caller, Query, limit};
use crate::rest::listings::ListingView;
use crate::rest::problem::Problem;

/// Which part.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// Those behind this listing: `next` of the part before.
    after: Option<ListingId>,
    /// How many at most.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<usize>,
}

/// A listing that the caller likes.
#[derive(Serialize, ToSchema)]
#[schema(as = Favourite)]
pub struct FavouriteView {
    since: Timestamp,
    listing: ListingView,
}

/// The answer; `next` is the `after` of the next page.
#[derive(Serialize, ToSchema)]
pub struct Favourites {
    favourites: Vec<FavouriteView>,
    #[schema(required)]
    next: Option<ListingId>,
}

/// Answers with a page.
#[utoipa::path(
    get,
    path = "/v1/favourites",
    tag = "listings",
    operation_id = "listFavourites",
    summary = "What the caller likes, the last first",
    description = "Behind a listing that was taken away meanwhile the list begins anew.",
    params(Page),
    responses((status = 200, description = "A part of it", body = Favourites)),
    security(("bearer" = ["listings:read"])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Query(page): Query<Page>,
) -> Result<Json<Favourites>, Problem> {
    let limit = limit(page.limit)?;
    let page = rest.favourites.list(caller.bearer(), page.after, limit).await?;
    let now = rest.listings.now();
    let favourites = page.favourites.into_iter().map(|(favourite, listing)| FavouriteView {
        since: favourite.since,
        listing: ListingView::at(now, listing),
    });
    Ok(Json(Favourites { favourites: favourites.collect(), next: page.next }))
}
