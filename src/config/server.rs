//! Where clients connect, and how long they may take.

use std::net::{Ipv4Addr, SocketAddr};

use super::section::{Any, RangeOr, section};

section! {
    /// The public listener: REST and sockets.
    pub struct Server = "server" {
        /// Address and port; port 0 takes any free one.
        listen: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)), Any("ADDRESS:PORT");
        /// Most connections at a time, sockets included; those beyond wait to be accepted.
        connections_max: u64 = 0,
            RangeOr(16..=10_000_000, 0, "what the file limit allows, less 256 for files");
        /// Time for a request's header, and longest rest between two requests, in milliseconds.
        header_timeout_ms: u64 = 10_000, 100..=600_000;
        /// Time for the body of a request to arrive, and again for its answer, in milliseconds.
        request_timeout_ms: u64 = 30_000, 100..=600_000;
        /// Largest body of a request, in bytes. A listing with the longest description, every
        /// character escaped, takes 120,000.
        body_bytes_max: u64 = 128 * 1024, 1_024..=16 * 1024 * 1024;
        /// How long running requests and sockets may go on after the signal to stop, in milliseconds.
        /// The process ends 2 seconds later at the latest.
        drain_timeout_ms: u64 = 8_000, 0..=60_000;
    }
}
