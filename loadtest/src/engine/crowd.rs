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
    /// Further devices, spread over all participants, that do not read during the run.
    pub stalled: usize,
}

impl Crowd {
    /// Devices of one participant at most, the stalled ones included.
    pub fn devices_max(&self) -> usize {
        self.devices + self.stalled.div_ceil((self.rooms * 2).max(1))
    }
}
