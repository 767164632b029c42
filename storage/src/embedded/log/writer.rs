//! Taking records, and committing them in groups: one sync for everything that waits.

use std::hash::BuildHasher as _;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use tokio::sync::Notify;

use super::disk::SegmentFile;
use super::group::{
    GROUP_BYTES_MAX, GROUP_HEADER_BYTES, Link, SEGMENT_HEADER_BYTES, SegmentHeader, seal,
};
use super::state::{Group, Op, Shared, State, refused};
use crate::chat_log::{APPEND_BYTES_MAX, Append, AppendError, Committed, event_bytes};
use crate::error::StoreError;
use crate::record::amend::Aspect;
use crate::record::chat_log::{RECORD_BYTES_MAX, RECORD_HEADER_BYTES, put_event};
use crate::record::index::Amendment;

impl State {
    /// The group that takes the next record, with room for the largest one.
    pub fn open_group(&mut self, segment_bytes: u64) -> &mut Group {
        self.open_group_for(RECORD_BYTES_MAX + RECORD_HEADER_BYTES, segment_bytes)
    }

    /// The group that takes the next `room` bytes: a group lies in one segment.
    fn open_group_for(&mut self, room: usize, segment_bytes: u64) -> &mut Group {
        let next = match self.groups.back() {
            Some(group) => {
                let end = group.start + group.bytes.len() as u64;
                let fits = end % segment_bytes + room as u64 <= segment_bytes
                    && group.bytes.len() + room <= GROUP_BYTES_MAX;
                (!fits).then_some(end)
            }
            None => Some(self.next_start),
        };
        if let Some(end) = next {
            let start = group_start(end, segment_bytes, room);
            let bytes = vec![0; GROUP_HEADER_BYTES];
            self.groups.push_back(Group { start, bytes, ops: Vec::new() });
        }
        self.groups.back_mut().expect("a group was just pushed if there was none")
    }

    /// Appends the events of `append` to the open group, or says why not. `sealed` is what they say, where
    /// it is sealed; nothing where nothing is.
    pub fn take_append(&mut self, append: Append, sealed: &[Option<Vec<u8>>], segment_bytes: u64) {
        let salts = self.salts.clone();
        let Append { chat, expected_head, events } = append;
        let room: usize = events.iter().map(|event| event_bytes(&event.kind)).sum();
        let refusal = match (self.refusal(), self.chats.get(&chat.id)) {
            (Some(reason), _) => Some(AppendError::Unavailable(reason)),
            _ if room > APPEND_BYTES_MAX => {
                Some(AppendError::Unavailable("more than one append may hold".to_owned()))
            }
            (None, None) => Some(AppendError::Unavailable("no such chat".to_owned())),
            (None, Some(entry)) if entry.taken.head != expected_head => {
                Some(AppendError::Conflict { head: entry.row.tail.head })
            }
            (None, Some(_)) => None,
        };
        if let Some(error) = refusal {
            let op = Op::Refused(refused(chat, events, error));
            self.open_group(segment_bytes).ops.push(op);
            return;
        }
        let mut tail = self.chats[&chat.id].taken;
        let mut end = 0;
        let mut amends = Vec::new();
        let group = self.open_group_for(room, segment_bytes);
        let before = group.bytes.len();
        for (index, event) in events.iter().enumerate() {
            debug_assert_eq!(event.seq, tail.head.next());
            let position = group.start + group.bytes.len() as u64;
            if let Some((target, aspect)) = Aspect::of(event) {
                amends.push((target, aspect, Amendment { seq: event.seq, position }));
            }
            let sealed = sealed.get(index).and_then(Option::as_deref);
            let salt = salts.hash_one((chat.id, position)) as u32;
            put_event(&mut group.bytes, (chat.id, event), (tail.back(), salt), sealed);
            tail = tail.after(event.seq, event.after, position);
            end = group.start + group.bytes.len() as u64;
        }
        debug_assert!(group.bytes.len() - before <= room, "an event takes more than was reckoned");
        let id = chat.id;
        let outcome = crate::chat_log::AppendOutcome { chat, events, result: Ok(()) };
        group.ops.push(Op::Append { outcome, tail, end, amends });
        if let Some(entry) = self.chats.get_mut(&id) {
            entry.taken = tail;
        }
    }
}

/// Where a group begins that follows `end`: right there, or in the next segment.
fn group_start(end: u64, segment_bytes: u64, room: usize) -> u64 {
    let offset = end % segment_bytes;
    let fits = offset + (GROUP_HEADER_BYTES + room) as u64 <= segment_bytes;
    match offset {
        // The segment is full to the last byte, or the log is empty.
        0 => end + SEGMENT_HEADER_BYTES,
        _ if fits => end,
        _ => end - offset + segment_bytes + SEGMENT_HEADER_BYTES,
    }
}

impl Shared {
    /// Asks for the open group to be committed, once the tasks that are ready now have run: they
    /// may have more for it.
    pub fn ask_for_commit(&self, state: &mut State) {
        if !state.kicked {
            state.kicked = true;
            self.kick.notify_one();
        }
    }

    /// The kicker's loop, until the log is closed.
    pub async fn run_kicker(kick: Arc<Notify>, shared: Weak<Self>) {
        loop {
            kick.notified().await;
            // Comes back after the ready tasks and one poll of the sockets.
            tokio::task::yield_now().await;
            let Some(shared) = shared.upgrade() else {
                return;
            };
            shared.seal();
        }
    }

    /// Lets the committer take what waits.
    pub fn seal(&self) {
        self.state.lock().sealed = true;
        self.wake.notify_one();
    }

    /// The committer's loop; returns when the store is closing and nothing waits.
    pub fn run_committer(&self) {
        let mut committer = Committer {
            shared: self,
            file: None,
            #[cfg(feature = "fault-ack-before-write")]
            held: None,
        };
        while let Some(group) = self.next_group() {
            committer.commit(group);
        }
    }

    fn next_group(&self) -> Option<Group> {
        let mut state = self.state.lock();
        loop {
            if state.groups.is_empty() {
                if state.stopping {
                    return None;
                }
                state.sealed = false;
                state.kicked = false;
            } else if state.sealed || state.stopping {
                break;
            }
            self.wake.wait(&mut state);
        }
        let group = state.groups.pop_front()?;
        if state.groups.is_empty() {
            let end = group.start + group.bytes.len() as u64;
            // A group of refusals only writes nothing and takes no place.
            let written = group.bytes.len() > GROUP_HEADER_BYTES;
            state.next_start = if written { end } else { group.start };
            if !written && group.start % self.segment_bytes == SEGMENT_HEADER_BYTES {
                state.next_start = group.start - SEGMENT_HEADER_BYTES;
            }
        }
        Some(group)
    }
}

struct Committer<'a> {
    shared: &'a Shared,
    file: Option<(u64, Arc<dyn SegmentFile>)>,
    /// Planted fault: the group whose outcomes have left and which is not written yet.
    #[cfg(feature = "fault-ack-before-write")]
    held: Option<Group>,
}

impl Committer<'_> {
    fn commit(&mut self, mut group: Group) {
        #[cfg(feature = "fault-ack-before-write")]
        let written = self.write_the_one_before(&mut group);
        #[cfg(not(feature = "fault-ack-before-write"))]
        let written = self.write(&mut group);
        let end = group.start + group.bytes.len() as u64;
        let committed = match written {
            Ok(Some(link)) => self.shared.apply(group, end, link),
            Ok(None) => self.shared.refuse_all(group, None),
            Err(error) => self.shared.refuse_all(group, Some(error)),
        };
        // Nobody listens when the server is going away; what is durable stays so.
        let _ = self.shared.outcomes.blocking_send(committed);
    }

    /// Writes and syncs a group; `None` if there was nothing to write.
    fn write(&mut self, group: &mut Group) -> Result<Option<Link>, String> {
        if group.bytes.len() == GROUP_HEADER_BYTES {
            return Ok(None);
        }
        let previous = {
            let state = self.shared.state.lock();
            if let Some(reason) = &state.failed {
                return Err(reason.clone());
            }
            state.link
        };
        let start = group.start - group.start % self.shared.segment_bytes;
        if group.start + group.bytes.len() as u64 > start + self.shared.segment_bytes {
            // Never again a byte behind the end of its segment, whatever the reckoning before.
            return Err(format!("a group runs past {}", self.shared.disk.place(start)));
        }
        let link = seal(&mut group.bytes, previous);
        let file = self.segment(start).map_err(|error| self.named(start, "create", &error))?;
        file.write_all_at(&group.bytes, group.start - start)
            .map_err(|error| self.named(start, "write", &error))?;
        file.sync().map_err(|error| self.named(start, "sync", &error))?;
        Ok(Some(link))
    }

    #[cfg(feature = "fault-ack-before-write")]
    fn write_the_one_before(&mut self, group: &mut Group) -> Result<Option<Link>, String> {
        let mut late = Group { start: group.start, bytes: group.bytes.clone(), ops: Vec::new() };
        if late.bytes.len() == GROUP_HEADER_BYTES {
            return Ok(None);
        }
        let previous = self.shared.state.lock().link;
        let link = seal(&mut late.bytes, previous);
        if let Some(held) = self.held.replace(late) {
            let start = held.start - held.start % self.shared.segment_bytes;
            let file = self.segment(start).map_err(|error| error.to_string())?;
            file.write_all_at(&held.bytes, held.start - start).map_err(|e| e.to_string())?;
        }
        Ok(Some(link))
    }

    fn named(&self, start: u64, what: &str, error: &std::io::Error) -> String {
        format!("cannot {what} {}: {error}", self.shared.disk.place(start))
    }

    /// The segment that starts at `start`, created if the log has just come there.
    fn segment(&mut self, start: u64) -> std::io::Result<Arc<dyn SegmentFile>> {
        if let Some((open, file)) = &self.file
            && *open == start
        {
            return Ok(Arc::clone(file));
        }
        let file = self.shared.segment_or_create(start)?;
        self.file = Some((start, Arc::clone(&file)));
        Ok(file)
    }
}

impl Shared {
    /// Finds or creates the segment that starts at `start`.
    pub fn segment_or_create(&self, start: u64) -> std::io::Result<Arc<dyn SegmentFile>> {
        // The committer and the preparing thread come here: the second finds what the first made.
        let _creating = self.creating.lock();
        if let Some(file) = self.segment(start) {
            return Ok(file);
        }
        let file = self.disk.create(start, self.segment_bytes)?;
        let header = SegmentHeader { start, bytes: self.segment_bytes, epoch: self.epoch };
        file.write_all_at(&header.to_bytes(), 0)?;
        file.sync()?;
        let mut segments = self.segments.write();
        let at = segments.partition_point(|(other, _)| *other < start);
        segments.insert(at, (start, Arc::clone(&file)));
        Ok(file)
    }

    /// Finds the segment that starts at `start`.
    pub fn segment(&self, start: u64) -> Option<Arc<dyn SegmentFile>> {
        let segments = self.segments.read();
        let at = segments.binary_search_by_key(&start, |(start, _)| *start).ok()?;
        Some(Arc::clone(&segments[at].1))
    }

    /// Takes in a durable group.
    fn apply(&self, group: Group, end: u64, link: Link) -> Committed {
        let mut committed = Committed { position: end, ..Committed::default() };
        committed.appends.reserve(group.ops.len());
        let mut state = self.state.lock();
        for op in group.ops {
            match op {
                Op::Append { outcome, tail, end, amends } => {
                    let id = outcome.chat.id;
                    for (target, aspect, amendment) in amends {
                        state.amend(id, target, aspect, amendment);
                    }
                    if let Some(entry) = state.chats.get_mut(&id) {
                        entry.row.tail = tail;
                        entry.row.changed = end;
                    }
                    state.touch(id);
                    committed.appends.push(outcome);
                }
                Op::Refused(outcome) => committed.appends.push(outcome),
                Op::Create { chat, end, reply } => {
                    let id = chat.id;
                    let is_new = !state.chats.contains_key(&id);
                    state.insert_chat(chat, end);
                    let first = state.chats.get(&id).map(|entry| Arc::clone(&entry.row.chat));
                    committed.opened.extend(first.clone().filter(|_| is_new));
                    let _ = reply.send(first.ok_or(StoreError::Unknown { operation: "create" }));
                }
                Op::Mark { mark, end, reply } => {
                    let shows = state.apply_mark(&mark, end);
                    if let Some(entry) = state.chats.get(&mark.chat) {
                        committed.marks.push(crate::inbox::MarkMoved {
                            chat: Arc::clone(&entry.row.chat),
                            role: mark.role,
                            marks: entry.row.side(mark.role).marks(),
                            shown: shows.then(|| entry.row.side(mark.role).shown),
                        });
                    }
                    let _ = reply.send(Ok(()));
                }
                Op::Personal { change, end, reply } => {
                    state.apply_change(&change, end);
                    if let Some(entry) = state.chats.get(&change.chat) {
                        committed.personal.push(crate::inbox::PersonalMoved {
                            chat: Arc::clone(&entry.row.chat),
                            role: change.role,
                            personal: entry.row.side(change.role).personal.clone(),
                        });
                    }
                    let _ = reply.send(Ok(()));
                }
                Op::Settled(reply) => {
                    let _ = reply.send(());
                }
                // Nobody is connected while a store is imported.
                Op::Side { side, end, reply } => {
                    state.apply_side(&side, end);
                    let _ = reply.send(Ok(()));
                }
            }
        }
        state.start = group.start;
        state.position = end;
        state.link = link;
        state.since_checkpoint += group.bytes.len() as u64;
        self.durable.store(end, Ordering::Release);
        committed
    }

    /// Refuses everything in a group. After an error the log is closed for appends: what is behind
    /// the failed group fails with it.
    fn refuse_all(&self, group: Group, error: Option<String>) -> Committed {
        let mut state = self.state.lock();
        if let Some(error) = &error
            && state.failed.is_none()
        {
            tracing::error!(%error, "the chat log takes no appends until it is reopened");
            state.failed = Some(error.clone());
        }
        let reason = error.unwrap_or_default();
        let mut committed = Committed { position: state.position, ..Committed::default() };
        for op in group.ops {
            match op {
                Op::Append { outcome, .. } => {
                    // After a failed sync nobody knows what the disk has.
                    committed.appends.push(refused(
                        outcome.chat,
                        outcome.events,
                        AppendError::Unavailable(reason.clone()),
                    ));
                }
                Op::Refused(outcome) => committed.appends.push(outcome),
                Op::Create { reply, .. } => {
                    let _ = reply.send(Err(StoreError::unavailable("create chat", &reason)));
                }
                Op::Settled(reply) => {
                    let _ = reply.send(());
                }
                Op::Mark { reply, .. } | Op::Personal { reply, .. } | Op::Side { reply, .. } => {
                    let _ = reply.send(Err(StoreError::unavailable("write", &reason)));
                }
            }
        }
        committed
    }
}
