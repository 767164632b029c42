//! What handlers take: the caller, a sound body, a page, a version, a name for a message.

mod bearer;
mod body;
mod idempotency_key;
mod page;
mod version;

pub use bearer::Caller;
pub use body::Body;
pub use idempotency_key::IdempotencyKey;
pub use page::{Path, Query, limit};
pub use version::{IfMatch, etag, is_unchanged};
