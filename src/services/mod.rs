//! The rules: one door for both edges.
//!
//! A service decides who may do what. It knows no frame and no HTTP status, and asks another
//! service through a small trait, never through that one's store.

pub mod accounts;
pub mod listings;

pub mod chats;
