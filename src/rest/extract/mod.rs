//! What handlers take: the caller, a sound body, a page.

mod bearer;
mod body;
mod page;

pub use bearer::Caller;
pub use body::Body;
pub use page::{Path, Query, limit};
