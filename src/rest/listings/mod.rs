//! Listings: putting up, looking, changing.

mod create;
mod edit;
mod read;

use axum::Router;
use axum::http::header::ETAG;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{ListingId, UserId};
use barterline_domain::listing::{self, ListingStatus};
use barterline_domain::money::{Currency, Money};
use serde::{Deserialize, Serialize};

use super::Edge;
use super::extract::etag;
use super::problem::{Code, Problem};

/// Routes under /v1/listings.
pub fn routes() -> Router<Edge> {
    Router::new()
        .route("/", post(create::handle))
        .route("/{id}", get(read::handle).patch(edit::handle))
}

/// A listing as everybody sees it.
#[derive(Debug, Serialize)]
pub struct Listing {
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

/// A price that a client names.
#[derive(Debug, Deserialize)]
pub struct Price {
    minor: u64,
    currency: Currency,
}

impl From<listing::Listing> for Listing {
    fn from(listing: listing::Listing) -> Self {
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

impl IntoResponse for Listing {
    fn into_response(self) -> Response {
        ([(ETAG, etag(self.version))], axum::Json(self)).into_response()
    }
}

impl TryFrom<Price> for Money {
    type Error = Problem;

    fn try_from(price: Price) -> Result<Self, Problem> {
        Self::new(price.minor, price.currency)
            .map_err(|error| Problem::with_detail(Code::Invalid, error.to_string()))
    }
}
