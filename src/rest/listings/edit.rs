//! `PATCH /v1/listings/{id}`: changes what is given; with `If-Match` only that version.

use axum::extract::State;
use axum::response::Response;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{ListingId, MediaId};
use barterline_domain::listing::details::Condition;
use barterline_domain::listing::{EndReason, ListingStatus};
use serde::Deserialize;
use utoipa::ToSchema;

use super::said::{
    Nullable, PlaceAsked, Values, category, even_null, given, not_null, once_or_absent,
};
use super::{ListingView, Price, tagged};
use crate::rest::Rest;
use crate::rest::extract::{Body, Caller, IfMatch, Path};
use crate::rest::problem::Problem;
use crate::services::listings::Edit;
use crate::services::to_the_end;

/// The request: what is absent stays. A field that is misspelt must not look as if it had been changed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ListingEdit)]
pub struct Request {
    #[schema(min_length = 1, max_length = 120)]
    title: Option<String>,
    #[schema(max_length = 10_000)]
    description: Option<String>,
    price: Option<Price>,
    /// `null` takes it away, with its attributes.
    #[schema(value_type = Option<String>, max_length = 163)]
    #[serde(default, deserialize_with = "even_null")]
    category: Nullable<String>,
    /// All of them: what is left out goes.
    #[schema(value_type = Option<BTreeMap<String, serde_json::Value>>, nullable = false)]
    #[serde(default, deserialize_with = "once_or_absent")]
    attributes: Option<Values>,
    #[schema(value_type = Option<Condition>)]
    #[serde(default, deserialize_with = "even_null")]
    condition: Nullable<Condition>,
    #[schema(value_type = Option<PlaceAsked>)]
    #[serde(default, deserialize_with = "even_null")]
    place: Nullable<PlaceAsked>,
    /// All of them, in the order in which they are shown: what is left out goes.
    #[schema(value_type = Option<Vec<MediaId>>, nullable = false, max_items = 20)]
    #[serde(default, deserialize_with = "not_null")]
    photos: Option<Vec<MediaId>>,
    status: Option<ListingStatus>,
    /// Why it is sold or withdrawn.
    reason: Option<EndReason>,
    /// Until when it is for sale; `null`: as long as is usual, from now.
    #[schema(value_type = Option<Timestamp>)]
    #[serde(default, deserialize_with = "even_null")]
    expires_at: Nullable<Timestamp>,
}

/// Answers with the listing as it is now.
#[utoipa::path(
    patch,
    path = "/v1/listings/{id}",
    tag = "listings",
    operation_id = "editListing",
    summary = "Change what is given of a listing of the caller's",
    params(("id" = ListingId, Path, description = "The listing"), IfMatch),
    request_body = Request,
    responses(
        (
            status = 200,
            description = "The listing as it is now",
            body = ListingView,
            headers(
                ("ETag" = String, description = "The version, for `If-Match` and `If-None-Match`"),
            ),
        ),
    ),
    extensions(("x-codes" = json!([
        "listing.title_invalid", "listing.description_too_long", "listing.price_invalid",
        "listing.category_unknown", "listing.attributes_invalid", "listing.place_invalid",
        "listing.expiry_invalid", "listing.reason_invalid", "listing.photos_invalid",
        "listing.photo_not_found", "listing.photo_not_ready", "listing.photo_used", "listing.external",
        "listing.status_final", "listing.not_yours", "listing.not_found", "listing.version_changed",
    ]))),
    security(("bearer" = ["listings:write"])),
)]
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
        category: request.category.map(|it| it.map(category).transpose()).transpose()?,
        attributes: request.attributes.map(given).transpose()?,
        condition: request.condition,
        place: request.place.map(|it| it.map(TryInto::try_into).transpose()).transpose()?,
        photos: request.photos,
        status: request.status,
        reason: request.reason,
        expires_at: request.expires_at,
        if_version,
    };
    let (listings, seller) = (rest.listings.clone(), caller.bearer());
    // Its photos are taken before it names them.
    let edited = to_the_end(async move { listings.edit(seller, listing, &edit).await });
    let listing = edited.await?;
    Ok(tagged(listing, rest.listings.now()))
}
