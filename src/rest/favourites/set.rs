//! `PUT` and `DELETE /v1/favourites/{id}`

use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::ids::ListingId;

use crate::rest::Rest;
use crate::rest::extract::{Caller, Path};
use crate::rest::problem::Problem;

/// Answers 204, also where it was there.
#[utoipa::path(
    put,
    path = "/v1/favourites/{id}",
    tag = "listings",
    operation_id = "addFavourite",
    summary = "Add a listing to what the caller likes",
    params(("id" = ListingId, Path, description = "The listing")),
    responses((status = 204, description = "It is there")),
    extensions(("x-codes" = json!(["listing.not_found", "favourites.full"]))),
    security(("bearer" = ["listings:write"])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Path(listing): Path<ListingId>,
) -> Result<StatusCode, Problem> {
    rest.favourites.add(caller.bearer(), listing).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Answers 204, also where it was not there.
#[utoipa::path(
    delete,
    path = "/v1/favourites/{id}",
    tag = "listings",
    operation_id = "removeFavourite",
    summary = "Take a listing from what the caller likes",
    params(("id" = ListingId, Path, description = "The listing")),
    responses((status = 204, description = "It is not there")),
    security(("bearer" = ["listings:write"])),
)]
pub async fn remove(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Path(listing): Path<ListingId>,
) -> Result<StatusCode, Problem> {
    rest.favourites.remove(caller.bearer(), listing).await?;
    Ok(StatusCode::NO_CONTENT)
}
