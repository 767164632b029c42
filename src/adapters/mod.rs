//! Things outside the house that somebody else keeps: behind a trait each.

pub mod blobs;
pub mod breached_passwords;
pub mod openid;
pub mod opensearch;
pub mod scanner;
pub mod sources;

mod tls;
