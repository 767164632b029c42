//! `/v1/listings`

pub mod catalogue;
pub mod create;
pub mod edit;
pub mod history;
pub mod list_by_seller;
pub mod read;
pub mod renew;
pub mod search;
pub mod stats;
pub mod suggest;

pub(in crate::rest) mod said;

use std::collections::BTreeMap;

use axum::Json;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, ETAG};
use axum::response::{IntoResponse, Response};
use barterline_domain::catalogue::attribute::GivenValue;
use barterline_domain::catalogue::category::CategoryId;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{ListingId, MediaId, UserId};
use barterline_domain::listing::details::{Condition, Details, Photo};
use barterline_domain::listing::external::External;
use barterline_domain::listing::{EndReason, Listing, ListingStatus};
use barterline_domain::money::{AmountTooLarge, Currency, Money};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use self::said::PlaceView;
use crate::rest::extract::etag;
use crate::rest::problem::{Code, Problem};

/// A price as clients write it.
#[derive(Deserialize, ToSchema)]
#[schema(as = PriceAsked)]
pub struct Price {
    #[schema(maximum = 9_007_199_254_740_991_u64, examples(12_000))]
    minor: u64,
    #[schema(value_type = Currency, examples("EUR"))]
    currency: String,
}

impl TryFrom<Price> for Money {
    type Error = Problem;

    fn try_from(price: Price) -> Result<Self, Problem> {
        let refuse = |detail: String| Problem::new(Code::Price, detail);
        let currency =
            Currency::parse(&price.currency).map_err(|error| refuse(error.to_string()))?;
        Money::new(price.minor, currency).map_err(|error: AmountTooLarge| refuse(error.to_string()))
    }
}

/// A photo of a thing. Its bytes, in each of its sizes, are at `/v1/media/{id}/content`.
#[derive(Serialize, ToSchema)]
#[schema(as = ListingPhoto)]
pub struct PhotoView {
    id: MediaId,
    /// Pixels across, of the largest size.
    width: u32,
    /// Pixels down.
    height: u32,
}

/// Where a listing is kept, of which this server has a copy.
#[derive(Serialize, ToSchema)]
#[schema(as = ExternalListing)]
pub struct ExternalView {
    /// In which system, by the name that the operator gave it.
    #[schema(examples("shop"))]
    source: String,
    /// What it is called there.
    id: String,
    /// Its page there.
    #[schema(required)]
    url: Option<String>,
}

/// A listing as anybody sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = Listing)]
pub struct ListingView {
    id: ListingId,
    seller: UserId,
    title: String,
    description: String,
    price: Money,
    #[schema(required, value_type = Option<CategoryId>)]
    category: Option<CategoryId>,
    /// What the category's attributes are, by their keys.
    #[schema(value_type = BTreeMap<String, serde_json::Value>)]
    attributes: BTreeMap<String, GivenValue>,
    #[schema(required)]
    condition: Option<Condition>,
    #[schema(required)]
    place: Option<PlaceView>,
    /// What it looks like, in its seller's order.
    #[schema(max_items = 20)]
    photos: Vec<PhotoView>,
    /// `null`: it is kept here.
    #[schema(required)]
    external: Option<ExternalView>,
    status: ListingStatus,
    /// Why it was sold or withdrawn, if that was told.
    #[schema(required)]
    reason: Option<EndReason>,
    /// Until when it is for sale.
    #[schema(required)]
    expires_at: Option<Timestamp>,
    version: u64,
    created_at: Timestamp,
    changed_at: Timestamp,
}

impl From<Photo> for PhotoView {
    fn from(Photo { media, width, height }: Photo) -> Self {
        Self { id: media, width, height }
    }
}

impl From<External> for ExternalView {
    fn from(External { source, id, revision: _, url }: External) -> Self {
        Self { source: source.into(), id: id.into(), url: url.map(Into::into) }
    }
}

impl ListingView {
    /// A listing at this time, at which it may have expired.
    pub fn at(now: Timestamp, listing: Listing) -> Self {
        let status = listing.status_at(now);
        let Details { category, attributes, condition, place, photos, external } = listing.details;
        let said = attributes.into_iter().map(|(key, value)| (key.to_string(), value.into()));
        Self {
            id: listing.id,
            seller: listing.seller,
            title: listing.text.title().to_owned(),
            description: listing.text.description().to_owned(),
            price: listing.price,
            category,
            attributes: said.collect(),
            condition,
            place: place.map(Into::into),
            photos: photos.into_iter().map(Into::into).collect(),
            external: external.map(Into::into),
            status,
            reason: listing.reason,
            expires_at: listing.expires_at,
            version: listing.version,
            created_at: listing.created_at,
            changed_at: listing.changed_at,
        }
    }
}

/// A listing with its version as entity tag.
fn tagged(listing: Listing, now: Timestamp) -> Response {
    let tag = [(ETAG, etag(listing.version))];
    let is_private = !listing.was_for_sale();
    let mut answer = (tag, Json(ListingView::at(now, listing))).into_response();
    if is_private {
        answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    answer
}
