//! What keeps a stranger from doing harm; docs/security.md names each of these.

mod answers;
mod connections;
mod input;
mod log;
mod origins;
mod proxies;
mod rates;
