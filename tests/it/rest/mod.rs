//! REST, a file for each resource, as in src/rest.

mod accounts;
mod bodies;
mod chats;
mod listings;
mod reports;
mod sessions;
mod staff;
mod suspension;
mod sync;
