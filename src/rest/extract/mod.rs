//! What handlers take out of a request, each with its own refusal.

mod id;
mod json;
mod page;
mod principal;
mod version;

pub use self::id::Id;
pub use self::json::Json;
pub use self::page::{Limit, Page, Query};
pub use self::principal::Caller;
pub use self::version::{IfMatch, etag, is_unchanged};
