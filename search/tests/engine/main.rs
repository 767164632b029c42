//! The engine through its door.

mod durability;
mod facets;
mod filters;
mod limits;
mod paging;
mod rebuild;
mod suggestions;
mod text;
mod world;
