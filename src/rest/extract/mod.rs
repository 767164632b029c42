//! What handlers take: the caller, where they are, their language and program, a sound body, a page, a version, a name for a message.

mod bearer;
mod body;
mod from;
mod idempotency_key;
mod language;
mod page;
mod program;
mod version;

pub use bearer::{Caller, CallerWithoutFactor, MaybeCaller, bearer_token};
pub use body::{Body, JsonBytes, json};
pub use from::From;
pub use idempotency_key::{IDEMPOTENCY_KEY, IdempotencyKey};
pub use language::Speaks;
pub use page::{Path, Query, limit};
pub use program::Program;
pub use version::{IfMatch, IfNoneMatch, etag, has_tag, is_unchanged};
