//! A room's newest events, encoded once.

use std::collections::VecDeque;

use barterline_domain::clock::Timestamp;
use barterline_domain::event::{Author, Event, RequestDigest, Seq};
use barterline_domain::ids::ClientId;
use bytes::Bytes;

/// Events kept. With bodies of the usual size (a ring entry takes about 300 bytes) an active room
/// holds 10 kB; a device that is further behind reads the store.
pub const RING_EVENTS_MAX: usize = 32;

/// What a room remembers of an event: who named it how, and the message as it goes out.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its number.
    pub seq: Seq,
    /// When the server took it.
    pub at: Timestamp,
    /// Who made it.
    pub author: Author,
    /// The author's name for it.
    pub id: ClientId,
    /// Digest of its request.
    pub digest: RequestDigest,
    /// The whole WebSocket message in `MessagePack`. A copy of its own: a slice of a larger buffer
    /// would keep all of that buffer alive in idle rooms.
    pub message: Bytes,
}

impl Entry {
    /// What is remembered of `event`, which goes out as `message`.
    pub fn new(event: &Event, message: Bytes) -> Self {
        Self {
            seq: event.seq,
            at: event.at,
            author: event.author,
            id: event.id,
            digest: event.digest,
            message,
        }
    }
}

/// The newest durable events of a chat, without a gap.
#[derive(Debug, Default)]
pub struct Ring(VecDeque<Entry>);

impl Ring {
    /// Adds the event that follows the newest.
    pub fn push(&mut self, entry: Entry) {
        debug_assert!(self.0.back().is_none_or(|newest| newest.seq.next() == entry.seq));
        if self.0.len() == RING_EVENTS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(entry);
    }

    /// Whether every event above `seq` up to `head` is here.
    pub fn covers(&self, seq: Seq, head: Seq) -> bool {
        seq >= head || self.0.front().is_some_and(|oldest| oldest.seq <= seq.next())
    }

    /// The number of the oldest event here.
    pub fn oldest(&self) -> Option<Seq> {
        self.0.front().map(|oldest| oldest.seq)
    }

    /// The events above `seq`, ascending.
    pub fn above(&self, seq: Seq) -> impl Iterator<Item = &Entry> {
        let oldest = self.0.front().map_or(0, |oldest| oldest.seq.0);
        let skip = (seq.0 + 1).saturating_sub(oldest) as usize;
        self.0.iter().skip(skip)
    }

    /// The event that `author` named `id`, if it lies above `base`.
    pub fn find(&self, base: Seq, author: Author, id: ClientId) -> Option<&Entry> {
        self.above(base).find(|entry| entry.id == id && entry.author == author)
    }
}
