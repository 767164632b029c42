//! The delivery of one committed group: which connections got something, and memory that is used
//! again from group to group.

use std::sync::Arc;

use barterline_domain::event::Event;
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
    /// Encodes an event once, for everybody; a withheld one once more for those it is withheld
    /// from.
    pub fn encode(&mut self, chat: ChatId, event: &Event) -> Entry {
        let message = self.message(wire::event(chat, event));
        let withheld = event.withheld.then(|| self.message(wire::withheld(chat, event)));
        Entry::new(event, message, withheld)
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
