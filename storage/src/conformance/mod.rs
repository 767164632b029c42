//! The laws of each trait, to be run on every backend. Each law starts with a fresh store.

pub mod bulk;
pub mod chat_log;
pub mod inbox;

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

pub mod mutants;
pub mod samples;
