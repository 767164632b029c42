//! Who is connected: each user's slots. Knows no socket.

use std::sync::Arc;

use barterline_domain::ids::UserId;
use dashmap::DashMap;

use super::slot::Slot;

/// Every live connection by its user.
#[derive(Default)]
pub struct Registry {
    users: DashMap<UserId, Vec<Arc<Slot>>>,
}

impl Registry {
    /// Adds a connection.
    pub fn add(&self, slot: Arc<Slot>) {
        let mut slots = self.users.entry(slot.user).or_default();
        // Most people have one device connected: no room for four in advance.
        slots.reserve_exact(1);
        slots.push(slot);
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
