//! How the server treats a socket.

use super::section::{RangeOr, section};

section! {
    /// Sockets at /v1/socket.
    pub struct Socket = "socket" {
        /// Time for the first frame, in milliseconds.
        hello_timeout_ms: u64 = 10_000, 100..=120_000;
        /// Longest silence of a connection before it is asked for a sign of life, in milliseconds.
        heartbeat_ms: u64 = 30_000, 1_000..=600_000;
        /// Most sockets at a time.
        connections_max: u64 = 0, RangeOr(1..=10_000_000, 0, "as many as the listener accepts");
    }
}
