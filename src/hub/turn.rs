//! The delivery of one committed group: which connections got something, and memory that is used
//! again from group to group.

use std::sync::Arc;

use barterline_domain::chat::Role;
use barterline_domain::event::{Author, Event};
use barterline_domain::ids::ChatId;
use barterline_protocol::{Encoding, Outgoing, push};
use bytes::Bytes;

use super::ring::Entry;
use super::slot::Slot;
use crate::wire::{self, outgoing};

/// Buffers kept for the next turn: what a large group touches at once.
const SPARE_MAX: usize = 1_024;
/// Buffers that grew beyond this are given back.
const SPARE_BYTES_MAX: usize = 4 * 1024;

/// One delivery.
#[derive(Default)]
pub struct Turn {
    /// Inbox position before the group.
    pub position_before: u64,
    touched: Vec<Arc<Slot>>,
    spare: Vec<Vec<u8>>,
    scratch: Vec<u8>,
}

impl Turn {
    /// Encodes an event once, for everybody; once more for the other side if something of it is
    /// withheld.
    pub fn encode(&mut self, chat: ChatId, event: &Event) -> Entry {
        let amended = event.amended.as_ref();
        let differs = event.withheld || amended.is_some_and(|amended| amended.withheld.is_some());
        let own = match event.author {
            Author::Seller => Role::Seller,
            Author::Buyer | Author::System => Role::Buyer,
        };
        if !differs {
            return Entry::new(event, self.message(wire::event(chat, event)), None);
        }
        let message = self.message(wire::event_for(own, chat, event));
        let other = self.message(wire::event_for(own.other(), chat, event));
        Entry::new(event, message, Some(other))
    }

    fn message(&mut self, event: push::Event) -> Bytes {
        self.scratch.clear();
        outgoing::put(&mut self.scratch, Encoding::MsgPack, None, &Outgoing::Event(event));
        Bytes::copy_from_slice(&self.scratch)
    }

    /// Notes a connection that has something to be written.
    pub fn touch(&mut self, slot: &Arc<Slot>) {
        self.touched.push(Arc::clone(slot));
    }

    /// An empty buffer.
    pub fn buffer(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    /// Writes once to every connection that got something.
    pub fn flush(&mut self) {
        for slot in self.touched.drain(..) {
            let mut buffer = slot.flush();
            if self.spare.len() < SPARE_MAX && (1..=SPARE_BYTES_MAX).contains(&buffer.capacity()) {
                buffer.clear();
                self.spare.push(buffer);
            }
        }
    }
}
