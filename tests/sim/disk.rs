//! What survives a crash: chats, their logs and marks. The truth that every law is held against.

use std::collections::BTreeMap;
use std::sync::Arc;

use barterline_domain::chat::{Chat, Role};
use barterline_domain::event::{Author, Event, Seq, SmallState};
use barterline_domain::ids::{ChatId, DeviceId, UserId};
use barterline_domain::marks::Marks;
use barterline_domain::message::EventKind;
use barterline_domain::personal::Personal;
use barterline_storage::chat_log::{Append, ChatMoved};
use barterline_storage::inbox::{InboxRow, MarkMoved, Position};

use crate::laws::{Verdict, law};

/// The only epoch: nothing is restored here.
pub const EPOCH: u32 = 1;

#[derive(Default)]
pub struct Disk {
    /// Position of the newest change.
    pub position: u64,
    pub chats: BTreeMap<ChatId, StoredChat>,
    /// Edits of every listing.
    pub edits: u64,
    /// Written by a commit that failed: a restart finds it, or not.
    pub in_doubt: Vec<Append>,
    /// How far below its position a cursor may stand for too much: all the way where outcomes can
    /// be unknown and the inbox have them.
    pub overlap: u64,
    /// The first event of a chat that no outcome has told of.
    pub untold: BTreeMap<ChatId, Seq>,
    /// On their way to a store of many nodes from a server that gave up on them, or is gone: they
    /// land when nobody looks, or never.
    pub late: Vec<Append>,
}

pub struct StoredChat {
    pub chat: Arc<Chat>,
    /// Each event with the position at which the inbox had it.
    pub log: Vec<(Event, u64)>,
    /// Events that the inbox does not have yet.
    unseen: usize,
    /// Every state of each side's marks, with the position of the move.
    pub moves: Vec<(Role, Marks, u64)>,
    delivered: BTreeMap<(UserId, DeviceId), Seq>,
    read: BTreeMap<UserId, Seq>,
    changed: u64,
}

/// Marks that one device of somebody moves.
#[derive(Debug, Clone, Copy)]
pub struct MarkOp {
    pub user: UserId,
    pub chat: ChatId,
    pub device: DeviceId,
    pub marks: Marks,
}

impl StoredChat {
    pub fn head(&self) -> Seq {
        Seq(self.log.len() as u64)
    }

    pub fn event(&self, seq: Seq) -> Option<&Event> {
        let at = usize::try_from(seq.0.checked_sub(1)?).ok()?;
        self.log.get(at).map(|(event, _)| event)
    }

    pub fn state(&self) -> SmallState {
        self.log.last().map(|(event, _)| event.after).unwrap_or_default()
    }

    pub fn marks(&self, role: Role) -> Marks {
        let user = self.chat.participants.user(role);
        let delivered = self.delivered.iter().filter(|((owner, _), _)| *owner == user);
        let delivered = delivered.map(|(_, seq)| *seq).max().unwrap_or_default();
        Marks::new(delivered, self.read.get(&user).copied().unwrap_or_default())
    }

    /// Messages of the other side above `read`, up to `head`.
    pub fn unread(&self, role: Role, read: Seq, head: Seq) -> u64 {
        let by_peer = |(event, _): &&(Event, u64)| {
            event.author == role.other().into() && event.seq > read && event.seq <= head
        };
        self.log.iter().filter(by_peer).count() as u64
    }

    /// The head as the inbox has it.
    fn seen(&self) -> Seq {
        Seq(self.head().0 - self.unseen as u64)
    }

    fn row(&self, user: UserId) -> Option<InboxRow> {
        let role = self.chat.participants.role_of(user)?;
        let (marks, head) = (self.marks(role), self.seen());
        let last = self.event(head).cloned();
        Some(InboxRow {
            chat: Arc::clone(&self.chat),
            role,
            head,
            state: last.as_ref().map(|last| last.after).unwrap_or_default(),
            last,
            marks,
            peer_marks: self.marks(role.other()),
            personal: Personal::default(),
            unread: self.unread(role, marks.read, head),
            changed: self.changed,
        })
    }
}

impl Disk {
    pub fn now(&self) -> Position {
        Position { epoch: EPOCH, position: self.position }
    }

    pub fn row(&self, user: UserId, chat: ChatId) -> Option<InboxRow> {
        self.chats.get(&chat)?.row(user)
    }

    /// The rows of `user`, the oldest change first.
    pub fn rows(&self, user: UserId) -> Vec<InboxRow> {
        let mut rows: Vec<_> = self.chats.values().filter_map(|chat| chat.row(user)).collect();
        rows.sort_by_key(|row| row.changed);
        rows
    }

    pub fn create(&mut self, chat: Chat) -> Arc<Chat> {
        let position = self.position + 1;
        let stored = self.chats.entry(chat.id).or_insert_with(|| StoredChat {
            chat: Arc::new(chat),
            log: Vec::new(),
            unseen: 0,
            moves: Vec::new(),
            delivered: BTreeMap::new(),
            read: BTreeMap::new(),
            changed: position,
        });
        self.position = self.position.max(stored.changed);
        Arc::clone(&stored.chat)
    }

    /// Writes events that follow the head, and the inbox with them.
    pub fn append(&mut self, chat: ChatId, events: &[Event]) -> Verdict {
        self.land(chat, events)?;
        self.catch_up(chat);
        Ok(())
    }

    /// Writes what the inbox lacks of a chat, to be told.
    pub fn make_up(&mut self, chat: ChatId) -> Option<ChatMoved> {
        let unseen = self.catch_up(chat);
        let untold = self.untold.remove(&chat);
        let from = unseen.into_iter().chain(untold).min()?;
        let stored = &self.chats[&chat];
        Some(ChatMoved { chat: Arc::clone(&stored.chat), from, head: stored.head() })
    }

    /// Writes what the inbox lacks of a chat; gives the first event that it lacked.
    pub fn catch_up(&mut self, chat: ChatId) -> Option<Seq> {
        let stored = self.chats.get_mut(&chat)?;
        let seen = stored.seen();
        let lacking = std::mem::take(&mut stored.unseen);
        for (_, position) in stored.log.iter_mut().rev().take(lacking) {
            self.position += 1;
            *position = self.position;
        }
        if lacking > 0 {
            stored.changed = self.position;
        }
        (lacking > 0).then(|| seen.next())
    }

    /// Chats of which the inbox lacks something, or somebody was not told.
    pub fn lagging(&self) -> Vec<ChatId> {
        let lags = self.chats.iter().filter(|(_, stored)| stored.unseen > 0);
        lags.map(|(id, _)| *id).chain(self.untold.keys().copied()).collect()
    }

    /// Writes events that follow the head. What a store takes on trust, the laws do not.
    pub fn land(&mut self, chat: ChatId, events: &[Event]) -> Verdict {
        let stored = self.chats.get_mut(&chat).expect("appends to chats that exist");
        for event in events {
            let Event { seq, author, id, .. } = *event;
            law("g3_no_gap", seq == stored.head().next(), || {
                format!("number {seq} written after {}", stored.head())
            })?;
            let mut log = stored.log.iter();
            let again = log.find(|(old, _)| old.id == id && old.author == author);
            law("g2_once", again.is_none(), || {
                format!("{id} stands under {:?} and {seq}", again.map(|(old, _)| old.seq))
            })?;
            if let EventKind::Listing(change) = &event.kind {
                let told = stored.state().listing_version;
                law("g3_told_from_where_it_was", change.since() == told, || {
                    format!("{change:?} at {seq}, where {told} was told")
                })?;
            }
            let after = stored.state().after(author, &event.kind, false);
            law("g3_small_state", after == event.after, || {
                format!("{after:?} at {seq}, not {:?}", event.after)
            })?;
            stored.log.push((event.clone(), u64::MAX));
            stored.unseen += 1;
        }
        Ok(())
    }

    /// Merges marks by maximum; `None` where nothing is to be moved.
    pub fn mark(&mut self, op: MarkOp) -> Option<MarkMoved> {
        let stored = self.chats.get_mut(&op.chat)?;
        let role = stored.chat.participants.role_of(op.user)?;
        let head = stored.seen();
        let delivered = stored.delivered.entry((op.user, op.device)).or_default();
        *delivered = op.marks.delivered.min(head).max(*delivered);
        let read = stored.read.entry(op.user).or_default();
        *read = op.marks.read.min(head).max(*read);
        self.position += 1;
        stored.changed = self.position;
        let marks = stored.marks(role);
        stored.moves.push((role, marks, self.position));
        Some(MarkMoved { chat: Arc::clone(&stored.chat), role, marks, shown: Some(marks) })
    }

    /// Opens the disk after a crash: what was in doubt was written to its end, or not at all.
    pub fn reopen(&mut self, written: bool) -> Verdict {
        // Those who were not told are gone as well.
        self.untold.clear();
        for append in std::mem::take(&mut self.in_doubt) {
            let fits = self.chats[&append.chat.id].head() == append.expected_head;
            if written && fits {
                self.append(append.chat.id, &append.events)?;
            }
        }
        Ok(())
    }

    /// Whether `author` has said `id` in `chat`.
    pub fn find(&self, chat: ChatId, author: Author, id: [u8; 16]) -> Option<&Event> {
        let log = &self.chats.get(&chat)?.log;
        let same = |event: &&Event| event.author == author && *event.id.as_bytes() == id;
        log.iter().map(|(event, _)| event).find(same)
    }
}
