//! A room's newest events, encoded once.

use std::collections::VecDeque;

use barterline_domain::chat::Role;
use barterline_domain::clock::Timestamp;
use barterline_domain::event::{Author, Event, Seq};
use barterline_domain::ids::ClientId;
use barterline_domain::message::{EventKind, RequestDigest};
use barterline_protocol::limits::BASE_DISTANCE_MAX;
use bytes::Bytes;

/// Events kept. With bodies of the usual size (a ring entry takes about 300 bytes) an active room
/// holds 10 kB; a device that is further behind reads the store.
pub const RING_EVENTS_MAX: usize = 32;

/// Bytes of events kept: long messages leave the ring sooner.
const RING_BYTES_MAX: usize = 32 * 1024;

/// Names kept of events that have left the ring: as far back as a client may ask, 68 KiB in the
/// longest of busy chats. A retry is told from a new message without reading the store.
const NAMES_MAX: usize = BASE_DISTANCE_MAX as usize;

/// What names an event: an id means something only together with who made it.
pub type Name = (Author, ClientId);

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
    /// It took a message back: what the ring has of that one is forgotten.
    pub deletes: bool,
    /// The whole WebSocket message in `MessagePack`. A copy of its own: a slice of a larger buffer
    /// would keep all of that buffer alive in idle rooms.
    pub message: Bytes,
    /// What the other person gets in its place, if something of it is withheld from one of them.
    pub other: Option<Bytes>,
}

impl Entry {
    /// The message as it goes out to one side.
    pub fn message_for(&self, role: Role) -> &Bytes {
        match &self.other {
            Some(other) if self.author != Author::from(role) => other,
            _ => &self.message,
        }
    }

    /// What it takes of the ring's room.
    fn bytes(&self) -> usize {
        self.message.len() + self.other.as_ref().map_or(0, Bytes::len)
    }

    /// What is remembered of `event`, which goes out as `message`, and as `other` to the side that
    /// did not make it.
    pub fn new(event: &Event, message: Bytes, other: Option<Bytes>) -> Self {
        Self {
            seq: event.seq,
            at: event.at,
            author: event.author,
            id: event.id,
            digest: event.digest,
            deletes: matches!(event.kind, EventKind::Delete { .. }),
            message,
            other,
        }
    }
}

/// The newest durable events of a chat, without a gap, and before them the names of some more.
#[derive(Debug, Default)]
pub struct Ring {
    entries: VecDeque<Entry>,
    /// Bytes of their messages.
    bytes: usize,
    /// The names of the events right before the first entry, ascending.
    names: VecDeque<Name>,
}

impl Ring {
    /// Adds the event that follows the newest.
    pub fn push(&mut self, entry: Entry) {
        debug_assert!(self.entries.back().is_none_or(|newest| newest.seq.next() == entry.seq));
        while self.entries.len() == RING_EVENTS_MAX
            || (self.bytes + entry.bytes() > RING_BYTES_MAX && !self.entries.is_empty())
        {
            self.forget(1);
        }
        if entry.deletes {
            // The body may be in any of them: the store has them without it.
            self.forget(self.entries.len());
        }
        self.bytes += entry.bytes();
        self.entries.push_back(entry);
    }

    /// Keeps only the names of the `count` oldest events.
    fn forget(&mut self, count: usize) {
        for entry in self.entries.drain(..count) {
            self.bytes -= entry.bytes();
            self.names.push_back((entry.author, entry.id));
        }
        let surplus = self.names.len().saturating_sub(NAMES_MAX);
        self.names.drain(..surplus);
    }

    /// Whether every event above `seq` up to `head` is here.
    pub fn covers(&self, seq: Seq, head: Seq) -> bool {
        seq >= head || self.entries.front().is_some_and(|oldest| oldest.seq <= seq.next())
    }

    /// The number of the oldest event here.
    pub fn oldest(&self) -> Option<Seq> {
        self.entries.front().map(|oldest| oldest.seq)
    }

    /// The place before the oldest name that is known; `None` in an empty ring.
    fn names_from(&self) -> Option<Seq> {
        self.oldest().map(|oldest| Seq(oldest.0 - 1 - self.names.len() as u64))
    }

    /// Whether the name of every event above `seq` up to `head` is known.
    pub fn names_cover(&self, seq: Seq, head: Seq) -> bool {
        seq >= head || self.names_from().is_some_and(|from| from <= seq)
    }

    /// The number of the oldest event whose name is known.
    pub fn oldest_name(&self) -> Option<Seq> {
        self.names_from().map(Seq::next)
    }

    /// The number of the event of this name above `base` that has left the ring.
    pub fn find_name(&self, base: Seq, name: Name) -> Option<Seq> {
        let from = self.names_from()?;
        let skip = base.0.saturating_sub(from.0) as usize;
        let at = self.names.iter().skip(skip).position(|known| *known == name)?;
        Some(Seq(from.0 + 1 + (skip + at) as u64))
    }

    /// Takes in the names of the events right before the oldest that is known, ascending.
    pub fn learn_names(&mut self, names: Vec<Name>) {
        for name in names.into_iter().rev() {
            if self.names.len() < NAMES_MAX {
                self.names.push_front(name);
            }
        }
    }

    /// The events above `seq`, ascending.
    pub fn above(&self, seq: Seq) -> impl Iterator<Item = &Entry> {
        let oldest = self.entries.front().map_or(0, |oldest| oldest.seq.0);
        let skip = (seq.0 + 1).saturating_sub(oldest) as usize;
        self.entries.iter().skip(skip)
    }

    /// The event that `author` named `id`, if it lies above `base`.
    pub fn find(&self, base: Seq, author: Author, id: ClientId) -> Option<&Entry> {
        self.above(base).find(|entry| entry.id == id && entry.author == author)
    }
}
