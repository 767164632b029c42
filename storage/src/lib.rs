//! What is durable: a trait for each aggregate, its backends, and the laws they keep.
//!
//! # The contract
//! - A trait speaks domain types only, and of one aggregate only. The one exception is the chat log,
//!   whose append carries the inbox along: both stand in one atomic group.
//! - `Ok` of a write means durable. An error means that nothing changed, except where it says
//!   [`error::StoreError::Unknown`].
//! - Absence is `None`, never an error.
//!
//! # How to add an aggregate
//! 1. The trait, in a file of its own, with its contract in words.
//! 2. `embedded/` and every other backend: the same file name.
//! 3. `record/`: its stored encoding, versioned. Nothing else is serialised for disk.
//! 4. `conformance/`: a law for each sentence of the contract, and in `conformance/mutants/` a store
//!    that breaks it. `tests/contract.rs` holds the two together.
//! 5. [`bulk`]: how it moves from store to store.
//! 6. [`stores::Stores`] and [`stores::AGGREGATES`]: a test fails for an aggregate that is missing
//!    from export, erasure, backup or the laws.

pub mod bulk;
pub mod error;
pub mod gate;
pub mod health;
pub mod stores;
pub mod turns;

pub mod chat_log;
pub mod inbox;

#[cfg(feature = "conformance")]
pub mod conformance;
pub mod embedded;
pub mod record;
pub mod scylla;

pub mod accounts;
pub mod api_keys;
pub mod audit;
pub mod blocks;
pub mod codes;
pub mod credentials;
pub mod favourites;
pub mod identities;
pub mod listing_views;
pub mod listings;
pub mod media;
pub mod reports;
pub mod saved_searches;
pub mod sessions;
pub mod user_state;
