//! `/v1/favourites`

pub mod list;
pub mod set;
