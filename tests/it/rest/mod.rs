//! REST, a file for each resource, as in src/rest.

mod accounts;
mod api_keys;
mod archive;
mod bodies;
mod chats;
mod cookies;
pub mod erasure;
mod exchange;
mod favourites;
mod listings;
mod media;
mod openapi;
mod reports;
mod saved_searches;
mod search;
pub mod second_factor;
mod sessions;
mod sign_in;
mod sources;
mod staff;
mod suspension;
mod sync;
mod views;
