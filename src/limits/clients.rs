//! Meters of those who make requests over HTTP, of one kind of request.

use std::net::IpAddr;
use std::time::Duration;

use barterline_domain::clock::Timestamp;
use barterline_domain::ids::UserId;

use super::Scope;
use super::budget::{Budget, Rate};

/// A key that was good counts for itself, and not for its address, until it has asked for nothing for
/// so long: a device may ask once an hour, and have impolite neighbours.
const KEY_KNOWN_FOR: Duration = Duration::from_hours(24);

/// A meter for each client. Each kind has room of its own: strangers at many addresses crowd out nobody who
/// is known.
pub struct Clients {
    /// What is told of them.
    pub scope: Scope,
    pub users: Budget<UserId>,
    pub keys: Budget<[u8; 32]>,
    pub addresses: Budget<IpAddr>,
}

impl Clients {
    pub fn new(scope: Scope, rate: Rate) -> Self {
        Self {
            scope,
            users: Budget::new(rate),
            keys: Budget::new(rate),
            addresses: Budget::new(rate),
        }
    }

    /// What is allowed to each.
    pub fn rate(&self) -> Rate {
        self.users.rate()
    }

    /// Forgets whoever asked for nothing for a while.
    pub fn sweep(&self, now: Timestamp) {
        self.users.sweep(now);
        self.keys.sweep_after(KEY_KNOWN_FOR, now);
        self.addresses.sweep(now);
    }
}
