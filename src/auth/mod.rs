//! Who is speaking: access tokens, their keys, and the principal they stand for.
//!
//! Verifies and signs; stores no password and opens no store. Whether a session was ended since is
//! the question of [`crate::services::accounts`].

pub mod principal;

pub mod token;

pub mod keyring;
