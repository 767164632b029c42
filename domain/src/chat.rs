//! A chat: one buyer, one listing, and the listing as the buyer saw it.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{ChatId, ListingId, UserId};
use crate::money::Money;

/// Which side of a chat somebody is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Opened the chat.
    Buyer,
    /// Owns the listing.
    Seller,
}

impl Role {
    /// The other side.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Buyer => Self::Seller,
            Self::Seller => Self::Buyer,
        }
    }
}

/// The two people of a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Participants {
    /// Opened the chat.
    pub buyer: UserId,
    /// Owns the listing.
    pub seller: UserId,
}

impl Participants {
    /// The side `user` is on, if any.
    pub fn role_of(&self, user: UserId) -> Option<Role> {
        if user == self.buyer {
            Some(Role::Buyer)
        } else if user == self.seller {
            Some(Role::Seller)
        } else {
            None
        }
    }

    /// The person on one side.
    pub fn user(&self, role: Role) -> UserId {
        match role {
            Role::Buyer => self.buyer,
            Role::Seller => self.seller,
        }
    }
}

/// A listing as the buyer saw it when the chat was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListingSnapshot {
    /// Title at that moment.
    pub title: String,
    /// Price at that moment.
    pub price: Money,
    /// Version of the listing at that moment.
    pub version: u64,
}

/// What never changes about a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chat {
    /// Follows from listing and buyer ([`ChatId::of`]).
    pub id: ChatId,
    /// What it is about.
    pub listing: ListingId,
    /// Who talks.
    pub participants: Participants,
    /// The listing as the buyer saw it.
    pub snapshot: ListingSnapshot,
    /// When it was opened.
    pub opened_at: Timestamp,
}
