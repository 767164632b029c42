//! WebSocket (RFC 6455), as much of it as a client of many small messages needs, and as cheap: a
//! load generator must cost less a message than the fastest server it measures.
//!
//! No I/O: bytes in, positions and bytes out. The tests' in-process server uses it too, so frames
//! are read with or without a mask.

pub mod frame;
pub mod upgrade;
