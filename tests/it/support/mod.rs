//! A server to talk to, and words to talk with.

pub mod http;
pub mod socket;
pub mod tls;
pub mod world;

pub use http::{Answer, Call};
pub use socket::Client;
pub use world::{Person, World};
