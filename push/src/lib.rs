//! Who is alerted when nobody is connected: the contract of a pusher, in words that belong to no
//! provider. Knows no rooms and no store.

pub mod alert;
pub mod outcome;
pub mod recording;

use async_trait::async_trait;

pub use alert::Alert;
pub use outcome::Outcome;

/// Hands alerts to devices.
#[async_trait]
pub trait Pusher: Send + Sync {
    /// Tries once to alert one device. Retrying is the caller's business, by the outcome.
    async fn push(&self, alert: Alert) -> Outcome;
}
