//! `PATCH /v1/listings/{id}`: changes what is given; with `If-Match` only that version.

use axum::extract::State;
use axum::response::Response;
use barterline_domain::ids::ListingId;
use barterline_domain::listing::ListingStatus;
use serde::Deserialize;

use super::{Price, tagged};
use crate::rest::Rest;
use crate::rest::extract::{Body, Caller, IfMatch, Path};
use crate::rest::problem::Problem;
use crate::services::listings::Edit;

/// The request: what is absent stays.
#[derive(Deserialize)]
pub struct Request {
    title: Option<String>,
    description: Option<String>,
    price: Option<Price>,
    status: Option<ListingStatus>,
}

/// Answers with the listing as it is now.
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
    Ok(tagged(rest.listings.edit(caller.user, listing, &edit).await?))
}
