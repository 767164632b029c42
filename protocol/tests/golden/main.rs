//! Holds the crate, `vectors/` and the documents to one another.
//!
//! `UPDATE_GOLDEN=1 cargo test -p barterline-protocol --test golden` fills in the bytes of new
//! vectors and rewrites the generated blocks of docs/protocol.md. Bytes that stand are never
//! rewritten: a vector does not change its meaning.

mod documents;
mod files;
mod hostile;
mod properties;
mod vectors;
