//! Where everything is kept.

use std::path::PathBuf;

use super::section::{Any, section};

section! {
    /// The embedded store.
    pub struct Storage = "storage" {
        /// Directory of everything that is kept. One server at a time.
        data: PathBuf = PathBuf::from("./data"), Any("a directory that the server may write");
        /// Bytes of a segment of the chat log. The same for the life of a data directory.
        segment_bytes: u64 = 64 * 1024 * 1024, 1024 * 1024..=4 * 1024 * 1024 * 1024;
    }
}
