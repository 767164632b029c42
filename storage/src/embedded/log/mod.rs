//! The hot log: one append-only file in segments, committed in groups, trusted only as far as its
//! checksums go.
//!
//! - A **record** is one fact (a chat opened, an event, a mark). A **group** is what one sync made
//!   durable: header, records, checksum, its number and its predecessor's checksum. A **position**
//!   is a byte in the log as a whole, over all segments; it never changes.
//! - The **index** (another file) says where each chat's log ends. It follows from the log: what it
//!   lacks since its last checkpoint is replayed when the store is opened.
//! - Records are never changed, but for words that were taken back: they are overwritten by a record of the
//!   same length and checksum. Words may be sealed, each event's by itself.
//! - Nothing is reported before the sync that covers it. After a write or sync error nothing is
//!   appended any more; reads go on.

mod amend;
pub(crate) mod bulk;
mod checkpoint;
pub mod disk;
mod erase;
pub mod group;
mod handle;
mod index;
mod open;
mod reader;
mod state;
mod writer;

pub use open::{FIRST_EPOCH, Opened, Options};
pub use state::Log;

#[cfg(test)]
mod power_cut;
