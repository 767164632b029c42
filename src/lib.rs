//! The Barterline server.

pub mod services;

pub mod auth;

pub mod clock;
pub mod ids;
