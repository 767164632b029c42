//! `POST /v1/listings`: puts something up for sale.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::MediaId;
use barterline_domain::listing::ListingText;
use barterline_domain::listing::details::Condition;
use serde::Deserialize;
use utoipa::ToSchema;

use super::said::{PlaceAsked, Values, category, given, once};
use super::{ListingView, Price, tagged};
use crate::rest::Rest;
use crate::rest::extract::{Body, Caller};
use crate::rest::problem::Problem;
use crate::services::listings::{Offer, Said};
use crate::services::to_the_end;

/// The request. A draft that is misspelt must not be for sale.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewListing)]
pub struct Request {
    #[schema(min_length = 1, max_length = 120, examples("City bike"))]
    title: String,
    #[serde(default)]
    #[schema(max_length = 10_000)]
    description: String,
    price: Price,
    /// One of `GET /v1/catalogue`.
    #[schema(max_length = 163, examples("vehicles/bicycles"))]
    category: Option<String>,
    /// What the category's attributes are, by their keys: texts, numbers, `true` or `false`, a choice, or a
    /// list of choices.
    #[serde(default, deserialize_with = "once")]
    #[schema(value_type = BTreeMap<String, serde_json::Value>)]
    attributes: Values,
    condition: Option<Condition>,
    place: Option<PlaceAsked>,
    /// Files of the caller's for the purpose `listing`, in the order in which they are shown, each once.
    #[serde(default)]
    #[schema(max_items = 20)]
    photos: Vec<MediaId>,
    /// Whether nobody else is to see it yet: it is put up for sale by the status `active`.
    #[serde(default)]
    draft: bool,
    /// Until when it is for sale, if not as long as is usual.
    expires_at: Option<Timestamp>,
}

/// Answers 201 with the listing.
#[utoipa::path(
    post,
    path = "/v1/listings",
    tag = "listings",
    operation_id = "createListing",
    summary = "Put something up for sale",
    request_body = Request,
    responses(
        (
            status = 201,
            description = "The listing",
            body = ListingView,
            headers(
                ("ETag" = String, description = "The version, for `If-Match` and `If-None-Match`"),
            ),
        ),
    ),
    extensions(("x-codes" = json!([
        "listing.title_invalid", "listing.description_too_long", "listing.price_invalid",
        "listing.category_unknown", "listing.attributes_invalid", "listing.place_invalid",
        "listing.expiry_invalid", "listing.photos_invalid", "listing.photo_not_found",
        "listing.photo_not_ready", "listing.photo_used",
    ]))),
    security(("bearer" = ["listings:write"])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Body(request): Body<Request>,
) -> Result<Response, Problem> {
    let (listings, seller) = (rest.listings.clone(), caller.bearer());
    let offer: Offer = request.try_into()?;
    // Its photos are taken before it is there.
    let listing = to_the_end(async move { listings.create(seller, offer).await }).await?;
    Ok((StatusCode::CREATED, tagged(listing, rest.listings.now())).into_response())
}

impl TryFrom<Request> for Offer {
    type Error = Problem;

    fn try_from(request: Request) -> Result<Self, Problem> {
        Ok(Self {
            text: ListingText::choose(&request.title, request.description)?,
            price: request.price.try_into()?,
            said: Said {
                category: request.category.map(category).transpose()?,
                attributes: given(request.attributes)?,
                condition: request.condition,
                place: request.place.map(TryInto::try_into).transpose()?,
                photos: request.photos,
            },
            is_draft: request.draft,
            expires_at: request.expires_at,
        })
    }
}
