//! Where everything is kept.

use std::path::PathBuf;

use super::section::{Any, RangeInSteps, section};

const MIB: u64 = 1024 * 1024;

section! {
    /// The embedded store. Every acknowledged message is synced to disk; there is no switch for
    /// that.
    pub struct Storage = "storage" {
        /// Directory of everything that is kept, made if it is missing. One server's at a time.
        data: PathBuf = PathBuf::from("./data"), Any("a directory");
        /// Bytes of a segment of the chat log. The same for the life of a data directory.
        segment_bytes: u64 = 32 * MIB, RangeInSteps(MIB..=1024 * MIB, MIB);
    }
}
