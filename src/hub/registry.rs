//! Who is connected: each user's slots. Knows no socket.

use std::sync::Arc;

use barterline_domain::ids::UserId;
use barterline_protocol::close_code::CloseCode;
use dashmap::DashMap;

use super::slot::Slot;

/// Connections of one user: each costs a write for whatever happens to that user, in the one task
/// that delivers to everybody.
const CONNECTIONS_MAX: usize = 32;

/// Every live connection by its user.
#[derive(Default)]
pub struct Registry {
    users: DashMap<UserId, Vec<Arc<Slot>>>,
}

impl Registry {
    /// Adds a connection, in the place of an older one of the same device; `false` if its user has
    /// too many.
    pub fn add(&self, slot: Arc<Slot>) -> bool {
        let mut slots = self.users.entry(slot.user).or_default();
        for older in slots.iter().filter(|older| older.device == slot.device) {
            older.close(CloseCode::Replaced);
        }
        if slots.len() >= CONNECTIONS_MAX {
            return false;
        }
        // Most people have one device connected: no room for four in advance.
        slots.reserve_exact(1);
        slots.push(slot);
        true
    }

    /// Removes a connection.
    pub fn remove(&self, slot: &Slot) {
        self.users.remove_if_mut(&slot.user, |_, slots| {
            slots.retain(|other| other.id != slot.id);
            slots.is_empty()
        });
    }

    /// Runs `f` on each connection of a user.
    pub fn each_of(&self, user: UserId, mut f: impl FnMut(&Arc<Slot>)) {
        if let Some(slots) = self.users.get(&user) {
            slots.iter().for_each(&mut f);
        }
    }

    /// Runs `f` on every connection.
    pub fn each(&self, mut f: impl FnMut(&Arc<Slot>)) {
        for slots in &self.users {
            slots.iter().for_each(&mut f);
        }
    }
}
