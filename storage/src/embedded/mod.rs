//! The embedded backend: everything in one data directory, nothing to install.

pub mod chat_log;
pub mod inbox;
pub mod log;
