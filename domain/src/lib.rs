//! What the words of Barterline mean: values that are valid once they exist, and nothing else.
//!
//! No I/O, no async, no clock is read here: time, randomness and ids come in as parameters. Every
//! other crate may use this one; it uses none of them.

pub mod clock;
pub mod ids;
pub mod text;

pub mod account;
pub mod catalogue;
pub mod listing;
pub mod money;
pub mod place;

pub mod bearer;
pub mod chat;
pub mod event;
pub mod marks;
pub mod media;
pub mod message;
pub mod personal;

#[cfg(feature = "openapi")]
mod openapi;
