//! Accounts and rooms for a load test, without the cost of a password hash each. Only with
//! `--load-test`, which serves loopback addresses only.

use axum::extract::{Request as HttpRequest, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use barterline_domain::bearer::Bearer;
use barterline_domain::ids::{ChatId, ListingId, UserId};
use barterline_domain::listing::ListingText;
use barterline_domain::money::{Currency, Money};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use tower_service::Service;

use super::Admin;
use crate::rest::Rest;
use crate::rest::extract::Body;
use crate::rest::problem::{Code, Problem};
use crate::services::listings::Offer;

/// Most accounts or rooms in one call.
const COUNT_MAX: usize = 1_000;
/// Rooms that are made at a time: they share their syncs, and a cluster answers each in its time.
const ROOMS_AT_ONCE: usize = 64;

/// The routes.
pub fn routes(rest: Rest) -> Router {
    Router::new()
        .route("/load-test/accounts", post(accounts))
        .route("/load-test/rooms", post(rooms))
        .fallback(async || Problem::from(Code::RouteNotFound))
        .method_not_allowed_fallback(async || Problem::from(Code::RouteMethod))
        .with_state(rest)
}

/// Answers what the fixed routes do not: the routes for load tests, where they are offered.
pub async fn fallback(State(admin): State<Admin>, request: HttpRequest) -> Response {
    match admin.0.load_test.get() {
        Some(routes) => {
            // A router is always ready and answers everything.
            let answer = routes.clone().call(request).await;
            answer.unwrap_or_else(|never| match never {})
        }
        None => Problem::from(Code::RouteNotFound).into_response(),
    }
}

#[derive(Deserialize)]
struct Request {
    count: usize,
    /// What the rooms are about; every room gets one of its own.
    listing: Option<About>,
}

#[derive(Deserialize)]
struct About {
    title: String,
    #[serde(default)]
    description: String,
    price: Money,
}

impl Request {
    fn count(&self) -> Result<usize, Problem> {
        let sound = (1..=COUNT_MAX).contains(&self.count);
        sound.then_some(self.count).ok_or_else(|| Problem::invalid("count must be 1 to 1000"))
    }

    fn text(&self) -> Result<ListingText, Problem> {
        let about = self.listing.as_ref();
        let title = about.map_or("A bicycle for load tests", |about| &about.title);
        let description = about.map(|about| about.description.clone()).unwrap_or_default();
        Ok(ListingText::parse(title, description)?)
    }

    fn price(&self) -> Result<Money, Problem> {
        if let Some(about) = &self.listing {
            return Ok(about.price);
        }
        let euro = Currency::parse("EUR").map_err(|error| Problem::invalid(error.to_string()))?;
        Ok(Money { minor: 12_300, currency: euro })
    }
}

#[derive(Serialize)]
struct Account {
    user: UserId,
    token: String,
}

#[derive(Serialize)]
struct Opened {
    accounts: Vec<Account>,
}

#[derive(Serialize)]
struct Room {
    chat: ChatId,
    listing: ListingId,
    buyer: Account,
    seller: Account,
}

#[derive(Serialize)]
struct Rooms {
    rooms: Vec<Room>,
}

async fn accounts(
    State(rest): State<Rest>,
    Body(request): Body<Request>,
) -> Result<Json<Opened>, Problem> {
    let opened = rest.accounts.open_for_load(request.count()?).await?;
    let accounts = opened.into_iter().map(|(user, token)| Account { user, token }).collect();
    Ok(Json(Opened { accounts }))
}

async fn rooms(
    State(rest): State<Rest>,
    Body(request): Body<Request>,
) -> Result<Json<Rooms>, Problem> {
    let text = request.text()?;
    let price = request.price()?;
    let mut opened = rest.accounts.open_for_load(2 * request.count()?).await?.into_iter();
    let pairs = std::iter::from_fn(|| opened.next().zip(opened.next()));
    let made = pairs.map(|(buyer, seller)| room(&rest, text.clone(), price, buyer, seller));
    let rooms = stream::iter(made).buffered(ROOMS_AT_ONCE).try_collect().await?;
    Ok(Json(Rooms { rooms }))
}

async fn room(
    rest: &Rest,
    text: ListingText,
    price: Money,
    buyer: (UserId, String),
    seller: (UserId, String),
) -> Result<Room, Problem> {
    let listing = rest.listings.create(Bearer::served(seller.0), Offer::plain(text, price)).await?;
    let chat = rest.chats.open(Bearer::served(buyer.0), listing.id).await?.row.chat.id;
    let account = |(user, token)| Account { user, token };
    Ok(Room { chat, listing: listing.id, buyer: account(buyer), seller: account(seller) })
}
