//! What a load run asks of the server before it starts: accounts and rooms without a password hash
//! each (admin listener, `--load-test` only), and listings as anybody would make them.

use std::net::SocketAddr;

use anyhow::ensure;
use barterline_domain::ids::{ChatId, ListingId};
use serde::{Deserialize, Serialize};

use crate::http;

/// Most rooms or accounts in one request.
const BATCH_MAX: usize = 1_000;

/// An account with a token.
#[derive(Debug, Clone, Deserialize)]
pub struct Account {
    /// Access token.
    pub token: String,
}

/// A listing, its seller, a buyer, and the chat between them.
#[derive(Debug, Deserialize)]
pub struct Room {
    /// The chat.
    pub chat: ChatId,
    /// Opened it.
    pub buyer: Account,
    /// Owns the listing.
    pub seller: Account,
}

#[derive(Serialize)]
struct Count {
    count: usize,
}

/// The admin listener of a server.
#[derive(Debug, Clone)]
pub struct Admin {
    address: SocketAddr,
    token: Option<String>,
}

impl Admin {
    /// The listener at `address`; load-test routes on loopback ask for no token.
    pub fn new(address: SocketAddr, token: Option<String>) -> Self {
        Self { address, token }
    }

    /// Makes accounts.
    pub async fn accounts(&self, count: usize) -> anyhow::Result<Vec<Account>> {
        #[derive(Deserialize)]
        struct Made {
            accounts: Vec<Account>,
        }
        let mut all = Vec::with_capacity(count);
        while all.len() < count {
            let batch = (count - all.len()).min(BATCH_MAX);
            let made: Made = self.post("/load-test/accounts", batch).await?;
            ensure!(made.accounts.len() == batch, "the server made too few accounts");
            all.extend(made.accounts);
        }
        Ok(all)
    }

    /// Makes rooms.
    pub async fn rooms(&self, count: usize) -> anyhow::Result<Vec<Room>> {
        #[derive(Deserialize)]
        struct Made {
            rooms: Vec<Room>,
        }
        let mut all = Vec::with_capacity(count);
        while all.len() < count {
            let batch = (count - all.len()).min(BATCH_MAX);
            let made: Made = self.post("/load-test/rooms", batch).await?;
            ensure!(made.rooms.len() == batch, "the server made too few rooms");
            all.extend(made.rooms);
        }
        Ok(all)
    }

    async fn post<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        count: usize,
    ) -> anyhow::Result<T> {
        http::post(self.address, path, self.token.as_deref(), &Count { count }).await
    }
}

/// Creates a listing through the public API.
pub async fn create_listing(
    server: SocketAddr,
    seller: &Account,
    title: &str,
    description: &str,
    price_minor: u64,
) -> anyhow::Result<ListingId> {
    #[derive(Serialize)]
    struct Price {
        minor: u64,
        currency: &'static str,
    }
    #[derive(Serialize)]
    struct New<'a> {
        title: &'a str,
        description: &'a str,
        price: Price,
    }
    #[derive(Deserialize)]
    struct Made {
        id: ListingId,
    }
    let new = New { title, description, price: Price { minor: price_minor, currency: "USD" } };
    let made: Made = http::post(server, "/v1/listings", Some(&seller.token), &new).await?;
    Ok(made.id)
}
