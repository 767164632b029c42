//! `/v1/favourites`

pub mod list;
pub mod set;
pub mod stats;
