//! Stored encodings, versioned. Nothing else in the house is serialised for disk.

pub mod amend;
pub mod archive;
pub mod bytes;
pub mod chat_log;
pub mod chat_rows;
pub mod event_kind;
pub mod index;
mod media;
pub mod rows;
pub mod sealing;
