//! Who takes part, and on how many devices.

use std::time::Duration;

/// Rooms of two, and the devices of each participant.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Crowd {
    /// Rooms.
    pub rooms: usize,
    /// Devices of each participant.
    pub devices: usize,
    /// Each device leaves so often on average, and comes back.
    pub flap: Option<Duration>,
    /// This share of messages is sent twice.
    pub duplicate: f64,
}
