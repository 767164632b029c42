//! `PATCH /v1/listings/{id}`: changes what is given; with `If-Match` only that version.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::IF_MATCH;
use axum::response::Response;
use barterline_domain::ids::ListingId;
use barterline_domain::listing::ListingStatus;
use serde::Deserialize;

use super::{Price, tagged};
use crate::rest::Rest;
use crate::rest::extract::{Body, Caller, Path};
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
    headers: HeaderMap,
    Body(request): Body<Request>,
) -> Result<Response, Problem> {
    let edit = Edit {
        title: request.title,
        description: request.description,
        price: request.price.map(TryInto::try_into).transpose()?,
        status: request.status,
        if_version: if_match(&headers)?,
    };
    Ok(tagged(rest.listings.edit(caller.user, listing, &edit).await?))
}

fn if_match(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(tag) = headers.get(IF_MATCH) else {
        return Ok(None);
    };
    let version = tag.to_str().ok().and_then(|tag| {
        tag.strip_prefix("\"v").and_then(|rest| rest.strip_suffix('"')).and_then(|v| v.parse().ok())
    });
    version.map(Some).ok_or_else(|| Problem::invalid("If-Match must be an ETag of this listing"))
}
