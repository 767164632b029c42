//! What a device is told.

use barterline_domain::event::Seq;
use barterline_domain::ids::{ChatId, UserId};

/// One alert for one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Who is to be alerted.
    pub recipient: UserId,
    /// The provider's name for the device. A secret: never logged.
    pub device_token: String,
    /// Newer alerts of one chat replace older ones on the device.
    pub chat: ChatId,
    /// The event it is about.
    pub seq: Seq,
    /// Whose name stands above it.
    pub title: String,
    /// What it says.
    pub preview: String,
}
