//! What handlers take: the caller, a sound body, a page, a version.

mod bearer;
mod body;
mod page;
mod version;

pub use bearer::Caller;
pub use body::Body;
pub use page::{Path, Query, limit};
pub use version::{IfMatch, etag, is_unchanged};
