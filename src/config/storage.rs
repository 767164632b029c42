//! Where everything is kept.

use std::path::PathBuf;

use super::section::{Any, RangeInSteps, Word, section};

const MIB: u64 = 1024 * 1024;

section! {
    /// Where everything is kept. Every acknowledged message is durable first; there is no switch
    /// for that.
    pub struct Storage = "storage" {
        /// `embedded`: in the data directory, with nothing installed. `scylla`: on the cluster of
        /// `[scylla]`; the data directory has the signing keys only.
        backend: String = "embedded".to_owned(), Word(&["embedded", "scylla"]);
        /// Directory of everything that is kept, made if it is missing. One server's at a time.
        data: PathBuf = PathBuf::from("./data"), Any("a directory");
        /// Bytes of a segment of the chat log. The same for the life of a data directory.
        segment_bytes: u64 = 32 * MIB, RangeInSteps(MIB..=1024 * MIB, MIB);
    }
}
