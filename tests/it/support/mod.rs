//! A server to talk to, and words to talk with.

pub mod backend;
mod documented;
pub mod http;
mod inbox;
pub mod mailbox;
pub mod pictures;
pub mod provider;
pub mod socket;
pub mod tls;
pub mod world;

pub(crate) use backend::embedded_only;
pub use http::{Answer, Call};
pub use inbox::Inbox;
pub use socket::Client;
pub use world::{Person, World};
