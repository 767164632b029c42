//! What sockets are held to.

use super::section::section;

section! {
    /// Sockets.
    pub struct Socket = "socket" {
        /// For `hello` to come, in milliseconds.
        hello_timeout_ms: u64 = 10_000, 100..=60_000;
        /// Between signs of life, in milliseconds. A client that misses three is gone.
        heartbeat_ms: u64 = 30_000, 1_000..=600_000;
        /// How long a socket outlives its access token, in milliseconds: for a new one to come that
        /// is late on a bad network.
        token_grace_ms: u64 = 60_000, 0..=600_000;
    }
}
