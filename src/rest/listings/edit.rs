//! `PATCH /v1/listings/{id}`

use axum::extract::State;
use barterline_domain::ids::ListingId;
use barterline_domain::listing::ListingStatus;
use serde::Deserialize;

use super::{Listing, Price};
use crate::rest::Edge;
use crate::rest::extract::{Caller, Id, IfMatch, Json};
use crate::rest::problem::Problem;
use crate::services::listings::Edit;

/// What to change; what is absent stays.
#[derive(Debug, Deserialize)]
pub struct Request {
    title: Option<String>,
    description: Option<String>,
    price: Option<Price>,
    status: Option<ListingStatus>,
}

/// Changes a listing of the caller's.
pub async fn handle(
    State(edge): State<Edge>,
    Caller(principal): Caller,
    Id(listing): Id<ListingId>,
    IfMatch(if_version): IfMatch,
    Json(request): Json<Request>,
) -> Result<Listing, Problem> {
    let edit = Edit {
        title: request.title,
        description: request.description,
        price: request.price.map(TryInto::try_into).transpose()?,
        status: request.status,
        if_version,
    };
    let edited = edge.services.listings.edit(&principal, listing, edit);
    Ok(edited.await?.into())
}
