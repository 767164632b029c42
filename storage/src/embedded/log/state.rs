//! What the log keeps in memory, and the handle that everything shares.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::RandomState;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use barterline_domain::chat::Chat;
use barterline_domain::event::Seq;
use barterline_domain::ids::{ChatId, UserId};
use barterline_domain::marks::Marks;
use parking_lot::{Condvar, Mutex, RwLock};
use tokio::sync::{Notify, mpsc, oneshot};

use super::disk::{Disk, SegmentFile};
use super::group::Link;
use super::index::{Amendments, Edits, Index};
use crate::chat_log::{AppendError, AppendOutcome, Committed};
use crate::error::StoreError;
use crate::record::amend::Aspect;
use crate::record::chat_log::{Change, ImportedSide, Mark};
use crate::record::index::{Amendment, IndexedChat, Side, Tail};
use crate::record::sealing::Sealing;

/// The embedded chat store. Cheap to clone; the last handle that goes closes it.
#[derive(Clone)]
pub struct Log {
    pub(super) shared: Arc<Shared>,
    pub(super) _threads: Arc<super::open::Threads>,
}

/// What handles and threads share.
pub(super) struct Shared {
    pub state: Mutex<State>,
    /// Wakes the committer.
    pub wake: Condvar,
    /// Wakes the kicker, which wakes the committer once the ready tasks have run.
    pub kick: Arc<Notify>,
    pub disk: Box<dyn Disk>,
    pub segment_bytes: u64,
    pub sealing: Sealing,
    pub segments: RwLock<Vec<(u64, Arc<dyn SegmentFile>)>>,
    /// Held while a segment is made.
    pub creating: Mutex<()>,
    /// Held while the index is brought up to the log: an older checkpoint must not follow a newer.
    pub checkpointing: Mutex<()>,
    /// Held while records are overwritten.
    pub erasing: Mutex<()>,
    /// Something is to be overwritten.
    pub erases: AtomicBool,
    pub index: Index,
    pub outcomes: mpsc::Sender<Committed>,
    /// End of the newest durable group.
    pub durable: AtomicU64,
    pub epoch: u32,
}

/// A chat in memory: what the index keeps, and how far appends have been taken.
pub(super) struct Entry {
    /// Durable.
    pub row: IndexedChat,
    /// Where the log will end once all that was taken is durable.
    pub taken: Tail,
    /// Stands in `State::dirty`.
    pub dirty: bool,
}

impl Entry {
    pub fn new(row: IndexedChat) -> Self {
        Self { taken: row.tail, row, dirty: false }
    }

    /// Whether the entry can be read back from the index as it is.
    pub fn is_clean(&self) -> bool {
        !self.dirty && self.taken.head == self.row.tail.head
    }
}

/// What one record of a group changes once the group is durable.
pub(super) enum Op {
    /// An append, with the tail after its last event and what it changes about earlier messages.
    Append { outcome: AppendOutcome, tail: Tail, end: u64, amends: Vec<(Seq, Aspect, Amendment)> },
    /// An append that was refused before it reached the log; told in order with the others.
    Refused(AppendOutcome),
    /// A chat was opened.
    Create { chat: Arc<Chat>, end: u64, reply: oneshot::Sender<Result<Arc<Chat>, StoreError>> },
    /// Marks moved.
    Mark { mark: Mark, end: u64, reply: oneshot::Sender<Result<(), StoreError>> },
    /// Something personal changed.
    Personal { change: Change, end: u64, reply: oneshot::Sender<Result<(), StoreError>> },
    /// Everything before is settled.
    Settled(oneshot::Sender<()>),
    /// A side was imported.
    Side { side: ImportedSide, end: u64, reply: oneshot::Sender<Result<(), StoreError>> },
}

/// Records that one sync will cover.
pub(super) struct Group {
    /// Position of its header.
    pub start: u64,
    /// Header (free until sealed) and records.
    pub bytes: Vec<u8>,
    pub ops: Vec<Op>,
}

pub(super) struct State {
    pub chats: HashMap<ChatId, Entry>,
    /// Memberships that the index does not have yet.
    pub fresh: BTreeSet<(UserId, ChatId)>,
    /// Chats that changed since the last checkpoint.
    pub dirty: Vec<ChatId>,
    /// Amendments that the index does not have yet.
    pub amendments: Amendments,
    /// And all edits that it does not have: by message, where they stand.
    pub edits: Edits,
    /// Makes what nobody can guess: its keys are of the system, and kept nowhere.
    pub salts: RandomState,
    /// Counts evictions: who read the index without the lock reads again when it moved.
    pub evictions: u64,
    /// Groups to be written, the last one still open.
    pub groups: VecDeque<Group>,
    /// Where the next group starts, when `groups` is empty.
    pub next_start: u64,
    /// The open group may be taken.
    pub sealed: bool,
    /// The kicker has been asked, or the committer is at work.
    pub kicked: bool,
    /// Start, end and link of the newest durable group.
    pub start: u64,
    pub position: u64,
    pub link: Link,
    /// Bytes committed since the last checkpoint.
    pub since_checkpoint: u64,
    /// Why nothing is appended any more.
    pub failed: Option<String>,
    pub stopping: bool,
    /// Why nothing is taken until further notice.
    pub held: Option<&'static str>,
}

/// Most bytes that wait for the committer; beyond, appends are refused. About a second of a fast
/// disk.
const WAITING_BYTES_MAX: usize = 64 << 20;

impl State {
    /// Takes in what an event changes about a message.
    pub fn amend(&mut self, chat: ChatId, target: Seq, aspect: Aspect, by: Amendment) {
        if aspect.is_text() {
            self.edits.insert((chat, target, by.seq), by.position);
        }
        self.amendments.insert((chat, target, aspect), by);
    }

    /// Why nothing can be taken now.
    pub fn refusal(&self) -> Option<String> {
        if let Some(reason) = &self.failed {
            return Some(reason.clone());
        }
        if self.stopping {
            return Some("the store is closing".to_owned());
        }
        if let Some(reason) = self.held {
            return Some(reason.to_owned());
        }
        let waiting: usize = self.groups.iter().map(|group| group.bytes.len()).sum();
        (waiting > WAITING_BYTES_MAX).then(|| "too much is waiting for the disk".to_owned())
    }

    /// Marks a chat as changed since the last checkpoint.
    pub fn touch(&mut self, chat: ChatId) {
        if let Some(entry) = self.chats.get_mut(&chat)
            && !entry.dirty
        {
            entry.dirty = true;
            self.dirty.push(chat);
        }
    }

    /// Takes in a chat that was opened at `end`, unless it exists.
    pub fn insert_chat(&mut self, chat: Arc<Chat>, end: u64) {
        let id = chat.id;
        self.fresh.insert((chat.participants.buyer, id));
        self.fresh.insert((chat.participants.seller, id));
        self.chats.entry(id).or_insert_with(|| Entry::new(IndexedChat::new(chat, end)));
        self.touch(id);
    }

    /// Takes in marks that are durable since `end`; gives whether the other person sees any of it.
    pub fn apply_mark(&mut self, mark: &Mark, end: u64) -> bool {
        let Some(entry) = self.chats.get_mut(&mark.chat) else {
            return false;
        };
        let side = entry.row.side_mut(mark.role);
        let known = side.delivered.iter_mut().find(|(device, _)| *device == mark.device);
        if let Some((_, seq)) = known {
            *seq = (*seq).max(mark.delivered);
        } else {
            side.delivered.push((mark.device, mark.delivered));
            side.forget_the_furthest_behind();
        }
        if mark.read > side.read {
            side.read = mark.read;
            side.read_messages = mark.read_messages;
            side.personal.unread = false;
        }
        let moved = Marks::new(mark.delivered, mark.read);
        let shown = mark.visibility.show(side.shown, moved);
        let shows = shown != side.shown;
        side.shown = shown;
        side.changed = end;
        if shows {
            entry.row.side_mut(mark.role.other()).changed = end;
        }
        self.touch(mark.chat);
        shows
    }

    /// Takes in a side as it was imported, durable since `end`.
    pub fn apply_side(&mut self, imported: &ImportedSide, end: u64) {
        let Some(entry) = self.chats.get_mut(&imported.chat) else {
            return;
        };
        *entry.row.side_mut(imported.role) = Side { changed: end, ..imported.side.clone() };
        self.touch(imported.chat);
    }

    /// Takes in a personal change that is durable since `end`.
    pub fn apply_change(&mut self, change: &Change, end: u64) {
        let Some(entry) = self.chats.get_mut(&change.chat) else {
            return;
        };
        let side = entry.row.side_mut(change.role);
        side.personal.apply(change.change);
        side.changed = end;
        self.touch(change.chat);
    }
}

impl Shared {
    /// End of the newest durable group.
    pub fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// Runs `f` on a chat's entry, read from the index if need be; `None` when there is no chat.
    pub fn with_chat<T>(
        &self,
        chat: ChatId,
        f: impl FnOnce(&mut State, ChatId) -> T,
    ) -> Result<Option<T>, StoreError> {
        let mut state = self.state.lock();
        while !state.chats.contains_key(&chat) {
            let evictions = state.evictions;
            drop(state);
            let Some(row) = self.index.chat(chat)? else {
                let mut state = self.state.lock();
                // It may have been created meanwhile.
                return Ok(state.chats.contains_key(&chat).then(|| f(&mut state, chat)));
            };
            state = self.state.lock();
            // A checkpoint in between may have written a newer row.
            if state.evictions == evictions {
                state.chats.entry(chat).or_insert_with(|| Entry::new(row));
            }
        }
        Ok(Some(f(&mut state, chat)))
    }

    /// The chats of `user`, those not yet in the index included.
    pub fn chats_of(&self, user: UserId) -> Result<Vec<ChatId>, StoreError> {
        let mut chats: BTreeSet<ChatId> = {
            let state = self.state.lock();
            let from = (user, ChatId::from_bytes([0; 16]));
            let to = (user, ChatId::from_bytes([0xff; 16]));
            let range = (Bound::Included(from), Bound::Included(to));
            state.fresh.range(range).map(|(_, chat)| *chat).collect()
        };
        chats.extend(self.index.chats_of(user)?);
        Ok(chats.into_iter().collect())
    }

    /// Whether `user` takes part in `chat`. The same look-ups for a chat that does not exist and
    /// for one of other people.
    pub fn is_member(&self, user: UserId, chat: ChatId) -> Result<bool, StoreError> {
        let fresh = self.state.lock().fresh.contains(&(user, chat));
        Ok(fresh || self.index.is_member(user, chat)?)
    }
}

impl Log {
    /// Why nothing is appended any more, if so. Only reopening clears it.
    pub fn failure(&self) -> Option<String> {
        self.shared.state.lock().failed.clone()
    }
}

/// An append that came to nothing.
pub(super) fn refused(
    chat: Arc<Chat>,
    events: Vec<barterline_domain::event::Event>,
    error: AppendError,
) -> AppendOutcome {
    AppendOutcome { chat, events, result: Err(error) }
}
