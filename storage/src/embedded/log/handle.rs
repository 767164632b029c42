//! What the log does for its two traits.

use std::sync::Arc;

use barterline_domain::chat::{Chat, Role};
use barterline_domain::event::{Event, Seq};
use barterline_domain::ids::{ChatId, DeviceId, UserId};
use barterline_domain::marks::{Marks, Visibility};
use barterline_domain::personal::{Personal, PersonalChange};
use tokio::sync::oneshot;

use super::state::{Log, Op};
use crate::chat_log::{Append, ChatHead, Range};
use crate::embedded::chat_log::{blocking, lost};
use crate::error::StoreError;
use crate::inbox::{InboxPage, InboxRow, Position, Unread};
use crate::record::chat_log::{Change, Mark, put_chat, put_mark, put_personal};
use crate::record::event_kind::seal_kind;
use crate::record::index::{IndexedChat, Tail};

impl Log {
    pub(crate) async fn create_chat(&self, chat: Chat) -> Result<Arc<Chat>, StoreError> {
        let shared = &self.shared;
        let found =
            shared.with_chat(chat.id, |state, id| Arc::clone(&state.chats[&id].row.chat))?;
        if let Some(found) = found {
            return Ok(found);
        }
        let (reply, outcome) = oneshot::channel();
        {
            let mut state = shared.state.lock();
            if let Some(reason) = state.refusal() {
                return Err(StoreError::unavailable("create chat", reason));
            }
            let chat = Arc::new(chat);
            let group = state.open_group(shared.segment_bytes);
            put_chat(&mut group.bytes, &chat);
            let end = group.start + group.bytes.len() as u64;
            group.ops.push(Op::Create { chat, end, reply });
            shared.ask_for_commit(&mut state);
        }
        outcome.await.map_err(lost("create chat"))?
    }

    pub(crate) fn take_append(&self, append: Append) {
        let shared = &self.shared;
        // Before the lock: it takes microseconds.
        let kept = shared.sealing.in_chat(append.chat.id);
        let seals = shared.sealing.seals();
        let sealed = append.events.iter().filter(|_| seals).map(|event| seal_kind(event, kept));
        let sealed: Vec<_> = sealed.collect();
        let mut state = shared.state.lock();
        if !state.chats.contains_key(&append.chat.id) {
            drop(state);
            // Evicted since the room was loaded: rare, and small.
            let _ = shared.with_chat(append.chat.id, |_, _| ());
            state = shared.state.lock();
        }
        state.take_append(append, &sealed, shared.segment_bytes);
        shared.ask_for_commit(&mut state);
    }

    pub(crate) fn chat_head(&self, chat: ChatId) -> Result<Option<ChatHead>, StoreError> {
        self.shared.with_chat(chat, |state, id| {
            let row = &state.chats[&id].row;
            let Tail { head, state, .. } = row.tail;
            ChatHead { chat: Arc::clone(&row.chat), head, state }
        })
    }

    fn indexed(&self, chat: ChatId) -> Result<Option<IndexedChat>, StoreError> {
        self.shared.with_chat(chat, |state, id| state.chats[&id].row.clone())
    }

    pub(crate) fn read_events(
        &self,
        chat: ChatId,
        range: Range,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        let tail = self.shared.with_chat(chat, |state, id| state.chats[&id].row.tail)?;
        tail.map_or(Ok(Vec::new()), |tail| self.shared.events(chat, &tail, range, limit))
    }

    pub(crate) fn original_event(
        &self,
        chat: ChatId,
        seq: Seq,
    ) -> Result<Option<Event>, StoreError> {
        let tail = self.shared.with_chat(chat, |state, id| state.chats[&id].row.tail)?;
        tail.map_or(Ok(None), |tail| self.shared.original(chat, &tail, seq))
    }

    pub(crate) fn member_chat(
        &self,
        user: UserId,
        chat: ChatId,
    ) -> Result<Option<Arc<Chat>>, StoreError> {
        if !self.shared.is_member(user, chat)? {
            return Ok(None);
        }
        self.shared.with_chat(chat, |state, id| Arc::clone(&state.chats[&id].row.chat))
    }

    pub(crate) fn head_for(&self, user: UserId, chat: ChatId) -> Result<Option<Seq>, StoreError> {
        if !self.shared.is_member(user, chat)? {
            return Ok(None);
        }
        self.shared.with_chat(chat, |state, id| state.chats[&id].row.tail.head)
    }

    pub(crate) fn inbox_row(
        &self,
        user: UserId,
        chat: ChatId,
    ) -> Result<Option<InboxRow>, StoreError> {
        if !self.shared.is_member(user, chat)? {
            return Ok(None);
        }
        self.indexed(chat)?.map_or(Ok(None), |row| self.inbox_row_of(user, row))
    }

    fn inbox_row_of(&self, user: UserId, row: IndexedChat) -> Result<Option<InboxRow>, StoreError> {
        let Some(role) = row.chat.participants.role_of(user) else {
            return Ok(None);
        };
        let tail = row.tail;
        let before_last = Seq(tail.head.0.saturating_sub(1));
        let last = self.shared.events(row.chat.id, &tail, Range::After(before_last), 1);
        let last = match last {
            Ok(mut last) => last.pop(),
            // One damaged event takes the preview of its chat along, not everybody's inbox.
            Err(error @ StoreError::Corrupt { .. }) => {
                tracing::error!(%error, chat = %row.chat.id, "the newest event of a chat is damaged");
                None
            }
            Err(error) => return Err(error),
        };
        let unread = unread_messages(&row, role);
        Ok(Some(InboxRow {
            role,
            head: tail.head,
            state: tail.state,
            last,
            marks: row.side(role).marks(),
            peer_marks: row.side(role.other()).shown,
            personal: row.side(role).personal.clone(),
            unread,
            changed: row.changed_for(role),
            chat: row.chat,
        }))
    }

    /// The rows of `user` whose last change is `wanted`, at most `limit`, by that change.
    pub(crate) fn inbox_page(
        &self,
        user: UserId,
        limit: usize,
        wanted: impl Fn(u64) -> bool,
        newest_first: bool,
    ) -> Result<InboxPage, StoreError> {
        let mut rows = Vec::new();
        for chat in self.shared.chats_of(user)? {
            let Some(row) = self.indexed(chat)? else { continue };
            let Some(role) = row.chat.participants.role_of(user) else { continue };
            let changed = row.changed_for(role);
            if wanted(changed) {
                rows.push((changed, row));
            }
        }
        rows.sort_by_key(|(changed, _)| *changed);
        if newest_first {
            rows.reverse();
        }
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more { rows.last().map(|(changed, _)| *changed) } else { None };
        let mut page = InboxPage { rows: Vec::with_capacity(rows.len()), next };
        for (_, row) in rows {
            page.rows.extend(self.inbox_row_of(user, row)?);
        }
        Ok(page)
    }

    /// How many chats `user` has.
    pub(crate) fn count_of(&self, user: UserId) -> Result<usize, StoreError> {
        Ok(self.shared.chats_of(user)?.len())
    }

    /// What `user` has not read, of all their chats.
    pub(crate) fn unread_of(&self, user: UserId) -> Result<Unread, StoreError> {
        let mut unread = Unread::default();
        for chat in self.shared.chats_of(user)? {
            let Some(row) = self.indexed(chat)? else { continue };
            let Some(role) = row.chat.participants.role_of(user) else { continue };
            unread.add(unread_messages(&row, role), row.side(role).personal.unread);
        }
        Ok(unread)
    }

    pub(crate) async fn move_marks(
        &self,
        user: UserId,
        chat: ChatId,
        device: DeviceId,
        wanted: Marks,
        visibility: Visibility,
    ) -> Result<Option<Marks>, StoreError> {
        if !self.shared.is_member(user, chat)? {
            return Ok(None);
        }
        let Some(row) = self.indexed(chat)? else {
            return Ok(None);
        };
        let Some(role) = row.chat.participants.role_of(user) else {
            return Ok(None);
        };
        let head = row.tail.head;
        let wanted = Marks::new(wanted.delivered.min(head), wanted.read.min(head));
        if !moves(&row, role, device, wanted) {
            return Ok(Some(row.side(role).marks()));
        }
        let mark = Mark {
            chat,
            role,
            device,
            delivered: wanted.delivered,
            read: wanted.read,
            read_messages: self.messages_up_to(&row, role.other(), wanted.read).await?,
            visibility,
        };
        let (reply, outcome) = oneshot::channel();
        {
            let shared = &self.shared;
            let mut state = shared.state.lock();
            if let Some(reason) = state.refusal() {
                return Err(StoreError::unavailable("mark", reason));
            }
            let group = state.open_group(shared.segment_bytes);
            put_mark(&mut group.bytes, &mark);
            let end = group.start + group.bytes.len() as u64;
            group.ops.push(Op::Mark { mark, end, reply });
            shared.ask_for_commit(&mut state);
        }
        outcome.await.map_err(lost("mark"))??;
        Ok(self.indexed(chat)?.map(|row| row.side(role).marks()))
    }

    pub(crate) async fn change_personal(
        &self,
        user: UserId,
        chat: ChatId,
        change: PersonalChange,
    ) -> Result<Option<Personal>, StoreError> {
        let Some(row) = self.member_chat(user, chat)? else { return Ok(None) };
        let Some(role) = row.participants.role_of(user) else { return Ok(None) };
        let outcome = self.begin_change(chat, role, change)?;
        outcome.await.map_err(lost("change a chat's settings"))??;
        Ok(self.indexed(chat)?.map(|row| row.side(role).personal.clone()))
    }

    /// Begins a change of one side's own settings: such changes are made in the order they begin in.
    pub(crate) fn begin_change(
        &self,
        chat: ChatId,
        role: Role,
        change: PersonalChange,
    ) -> Result<oneshot::Receiver<Result<(), StoreError>>, StoreError> {
        let shared = &self.shared;
        let (reply, outcome) = oneshot::channel();
        let mut state = shared.state.lock();
        if let Some(reason) = state.refusal() {
            return Err(StoreError::unavailable("change a chat's settings", reason));
        }
        let change = Change { chat, role, change };
        let group = state.open_group(shared.segment_bytes);
        put_personal(&mut group.bytes, &change);
        let end = group.start + group.bytes.len() as u64;
        group.ops.push(Op::Personal { change, end, reply });
        shared.ask_for_commit(&mut state);
        Ok(outcome)
    }

    /// Messages by `role` up to `seq`.
    async fn messages_up_to(
        &self,
        row: &IndexedChat,
        role: Role,
        seq: Seq,
    ) -> Result<u64, StoreError> {
        if seq == Seq::ZERO {
            return Ok(0);
        }
        if seq == row.tail.head {
            return Ok(row.tail.state.messages_by(role));
        }
        let (log, chat, tail) = (self.clone(), row.chat.id, row.tail);
        let event = blocking("read the chat log", move || {
            Ok(log.shared.events(chat, &tail, Range::After(Seq(seq.0 - 1)), 1)?.pop())
        })
        .await?;
        Ok(event.map_or(0, |event| event.after.messages_by(role)))
    }

    pub(crate) fn durable_position(&self) -> Position {
        Position { epoch: self.shared.epoch, position: self.shared.durable() }
    }
}

/// Whether `wanted` is above what is kept for this device and person.
fn moves(row: &IndexedChat, role: Role, device: DeviceId, wanted: Marks) -> bool {
    let side = row.side(role);
    let stored = side.delivered.iter().find(|(known, _)| *known == device);
    let delivered = stored.map_or(Seq::ZERO, |(_, seq)| *seq);
    wanted.delivered > delivered || wanted.read > side.read
}

/// Messages by the other person above the read mark.
fn unread_messages(row: &IndexedChat, role: Role) -> u64 {
    row.tail.state.messages_by(role.other()).saturating_sub(row.side(role).read_messages)
}
