//! `/v1/listings`

pub mod create;
pub mod edit;
pub mod list_by_seller;
pub mod read;

use axum::Json;
use axum::http::header::ETAG;
use axum::response::{IntoResponse, Response};
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{ListingId, UserId};
use barterline_domain::listing::{Listing, ListingStatus};
use barterline_domain::money::{AmountTooLarge, Currency, Money};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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

/// A listing as anybody sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = Listing)]
pub struct ListingView {
    id: ListingId,
    seller: UserId,
    title: String,
    description: String,
    price: Money,
    status: ListingStatus,
    version: u64,
    created_at: Timestamp,
    changed_at: Timestamp,
}

impl From<Listing> for ListingView {
    fn from(listing: Listing) -> Self {
        Self {
            id: listing.id,
            seller: listing.seller,
            title: listing.text.title().to_owned(),
            description: listing.text.description().to_owned(),
            price: listing.price,
            status: listing.status,
            version: listing.version,
            created_at: listing.created_at,
            changed_at: listing.changed_at,
        }
    }
}

/// A listing with its version as entity tag.
fn tagged(listing: Listing) -> Response {
    ([(ETAG, etag(listing.version))], Json(ListingView::from(listing))).into_response()
}
