//! Accounts and rooms for a load test, without the cost of a password hash each. Only with
//! `--load-test`, which serves loopback addresses only.

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use barterline_domain::ids::{ChatId, ListingId, UserId};
use barterline_domain::listing::ListingText;
use barterline_domain::money::{Currency, Money};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

use crate::rest::Rest;
use crate::rest::extract::Body;
use crate::rest::problem::Problem;

/// Most accounts or rooms in one call.
const COUNT_MAX: usize = 1_000;

/// The routes.
pub fn routes(rest: Rest) -> Router {
    Router::new()
        .route("/load-test/accounts", post(accounts))
        .route("/load-test/rooms", post(rooms))
        .with_state(rest)
}

#[derive(Deserialize)]
struct Request {
    count: usize,
}

impl Request {
    fn count(&self) -> Result<usize, Problem> {
        let sound = (1..=COUNT_MAX).contains(&self.count);
        sound.then_some(self.count).ok_or_else(|| Problem::invalid("count must be 1 to 1000"))
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
    let mut opened = rest.accounts.open_for_load(2 * request.count()?).await?.into_iter();
    let mut pairs = Vec::new();
    while let (Some(buyer), Some(seller)) = (opened.next(), opened.next()) {
        pairs.push(room(&rest, buyer, seller));
    }
    // All at once, so that they share their syncs.
    Ok(Json(Rooms { rooms: try_join_all(pairs).await? }))
}

async fn room(
    rest: &Rest,
    buyer: (UserId, String),
    seller: (UserId, String),
) -> Result<Room, Problem> {
    let text = ListingText::parse("A bicycle for load tests", String::new())?;
    let currency = Currency::parse("EUR").map_err(|error| Problem::invalid(error.to_string()))?;
    let price = Money { minor: 12_300, currency };
    let listing = rest.listings.create(seller.0, text, price).await?;
    let chat = rest.chats.open(buyer.0, listing.id).await?.row.chat.id;
    let account = |(user, token)| Account { user, token };
    Ok(Room { chat, listing: listing.id, buyer: account(buyer), seller: account(seller) })
}
