//! The laws of each trait, to be run on every backend. Each law starts with a fresh store.

pub mod chat_log;
pub mod inbox;

pub mod accounts;
pub mod credentials;
pub mod listings;
pub mod sessions;

pub mod samples;
