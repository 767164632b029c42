//! Who has which chat on screen: the only ones who hear of typing and presence. Leased, so that a
//! client that forgets to say so is forgotten itself.

use std::sync::{Arc, Weak};

use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{ChatId, UserId};
use dashmap::DashMap;

use super::slot::Slot;

/// Watches by the person who is watched.
#[derive(Default)]
pub struct Watches {
    watched: DashMap<UserId, Vec<Watch>>,
}

struct Watch {
    chat: ChatId,
    slot: Weak<Slot>,
    until: Timestamp,
}

/// Watches of one person at a time: more than devices that others have.
const WATCHES_MAX: usize = 256;

impl Watches {
    /// Has `slot` watch what `watched` does in `chat`, until then.
    pub fn add(&self, watched: UserId, chat: ChatId, slot: &Arc<Slot>, until: Timestamp) {
        let mut watches = self.watched.entry(watched).or_default();
        watches.retain(|watch| !watch.is_of(chat, slot.id));
        if watches.len() == WATCHES_MAX {
            watches.remove(0);
        }
        watches.push(Watch { chat, slot: Arc::downgrade(slot), until });
    }

    /// Ends a watch.
    pub fn remove(&self, watched: UserId, chat: ChatId, slot: &Slot) {
        self.watched.remove_if_mut(&watched, |_, watches| {
            watches.retain(|watch| !watch.is_of(chat, slot.id));
            watches.is_empty()
        });
    }

    /// Everybody who watches somebody now, with the chat.
    pub fn of(&self, watched: UserId, now: Timestamp) -> Vec<(ChatId, Arc<Slot>)> {
        let mut found = Vec::new();
        self.watched.remove_if_mut(&watched, |_, watches| {
            watches.retain(|watch| match watch.slot.upgrade() {
                Some(slot) if now < watch.until => {
                    found.push((watch.chat, slot));
                    true
                }
                Some(_) | None => false,
            });
            watches.is_empty()
        });
        found
    }

    /// Forgets watches that are over.
    pub fn sweep(&self, now: Timestamp) {
        self.watched.retain(|_, watches| {
            watches.retain(|watch| now < watch.until && watch.slot.strong_count() > 0);
            !watches.is_empty()
        });
    }
}

impl Watch {
    fn is_of(&self, chat: ChatId, slot: u64) -> bool {
        self.chat == chat && self.slot.upgrade().is_none_or(|known| known.id == slot)
    }
}
