//! Who takes part, and on how many devices.

/// Rooms of two, and the devices of each participant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crowd {
    /// Rooms.
    pub rooms: usize,
    /// Devices of each participant.
    pub devices: usize,
}
