//! REST, a file for each resource, as in src/rest.

mod accounts;
mod bodies;
mod chats;
mod listings;
mod sessions;
mod sync;
