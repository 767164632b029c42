//! Inbox rows: from columns, and what people change about theirs.

use std::collections::HashMap;
use std::sync::Arc;

use barterline_domain::chat::{Chat, Role};
use barterline_domain::event::{Event, Seq, SmallState};
use barterline_domain::ids::{ChatId, DeviceId, UserId};
use barterline_domain::marks::{Marks, Visibility};
use barterline_domain::personal::{Personal, PersonalChange};
use scylla::DeserializeRow;
use scylla::value::{CqlTimestamp, CqlValue};
use uuid::Uuid;

use super::Store;
use super::read::{column, decode_chat, number};
use crate::chat_log::{Committed, Range};
use crate::error::StoreError;
use crate::inbox::{InboxRow, MarkMoved, PersonalMoved, Unread};
use crate::record::chat_rows::read_event;
use crate::record::index::Side;
use crate::record::sealing::{Sealing, Unread as CannotRead};
use crate::scylla::columns::{Id as _, time, timestamp};
use crate::scylla::statements::{Write, WriteBatch};

/// For how long the delivered mark of one device is kept after it last moved: 180 days.
pub(super) const DEVICE_TTL_S: i32 = 180 * 24 * 3_600;

/// Looks for a mark of unknown outcome, one every 16 s, until it is given up: a write that is on its
/// way for minutes is not.
const LOOKS: u32 = 16;
/// Marks of unknown outcome that are remembered.
const UNSHOWN_MAX: usize = 10_000;

/// Marks that may have been written, and were not told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unshown {
    wanted: Marks,
    visibility: Visibility,
    looks: u32,
}

/// What is unread in a row is counted from these.
#[derive(DeserializeRow)]
struct CountColumns {
    chat: Uuid,
    opened: Option<Vec<u8>>,
    buyer_messages: Option<i64>,
    seller_messages: Option<i64>,
    read_messages: Option<i64>,
    unread: Option<bool>,
}

/// The columns of a row, in the order of the statements.
#[derive(DeserializeRow)]
pub(super) struct InboxColumns {
    chat: Uuid,
    opened: Option<Vec<u8>>,
    head: Option<i64>,
    last: Option<Vec<u8>>,
    buyer_messages: Option<i64>,
    seller_messages: Option<i64>,
    delivered: Option<HashMap<Uuid, i64>>,
    read: Option<i64>,
    read_messages: Option<i64>,
    peer_delivered: Option<i64>,
    peer_read: Option<i64>,
    muted_until: Option<CqlTimestamp>,
    archived: Option<bool>,
    pinned: Option<bool>,
    unread: Option<bool>,
    hidden: Option<Vec<i64>>,
    hidden_through: Option<i64>,
    pub changed: Option<i64>,
}

impl InboxColumns {
    fn head(&self) -> Seq {
        seq(self.head)
    }

    /// The person's marks: the furthest of their devices.
    fn marks(&self) -> Marks {
        let delivered = self.delivered.iter().flat_map(HashMap::values).max().copied();
        Marks::new(seq(delivered), seq(self.read))
    }

    pub fn peer_marks(&self) -> Marks {
        Marks { delivered: seq(self.peer_delivered), read: seq(self.peer_read) }
    }

    /// As far as it does not take the last event.
    fn state(&self) -> SmallState {
        small_state(self.buyer_messages, self.seller_messages)
    }

    fn is_flagged_unread(&self) -> bool {
        self.unread.unwrap_or(false)
    }

    fn personal(&self) -> Personal {
        let hidden_through = seq(self.hidden_through);
        // A set comes in its order.
        let hidden = self.hidden.iter().flatten().map(|seq| number(*seq));
        Personal {
            muted_until: self.muted_until.and_then(timestamp).filter(|at| at.as_millis() > 0),
            archived: self.archived.unwrap_or(false),
            pinned: self.pinned.unwrap_or(false),
            unread: self.is_flagged_unread(),
            hidden_through,
            hidden: hidden.filter(|seq| *seq > hidden_through).collect(),
        }
    }

    /// The person's side of the chat, of which the other is shown this much.
    pub fn side(&self, shown: Marks) -> Side {
        let delivered = self.delivered.iter().flatten();
        let delivered = delivered.map(|(id, seq)| (DeviceId::from_column(*id), number(*seq)));
        let mut side = Side {
            delivered: delivered.collect(),
            read: seq(self.read),
            read_messages: self.read_messages.unwrap_or(0).cast_unsigned(),
            shown,
            personal: self.personal(),
            changed: self.changed.unwrap_or(0).cast_unsigned(),
        };
        side.normalise();
        side
    }

    /// The chat of the row; `None` when only marks of it are here.
    fn chat(&self) -> Result<Option<Arc<Chat>>, StoreError> {
        chat_of(self.chat, self.opened.as_deref())
    }

    fn last(&self, sealing: &Sealing) -> Result<Option<Event>, StoreError> {
        let kept = sealing.in_chat(ChatId::from_column(self.chat));
        let read = |bytes: &Vec<u8>| read_event(self.head(), bytes, kept);
        match self.last.as_ref().map(read).transpose() {
            // One damaged event takes the preview of its chat along, not everybody's inbox.
            Err(CannotRead::Malformed) => {
                tracing::error!(chat = %self.chat, "an inbox row's last event is damaged");
                Ok(None)
            }
            last => {
                last.map_err(|unread| unread.or(|| StoreError::corrupt("read a row", self.chat)))
            }
        }
    }
}

fn small_state(buyer_messages: Option<i64>, seller_messages: Option<i64>) -> SmallState {
    let count = |cell: Option<i64>| cell.unwrap_or(0).cast_unsigned();
    SmallState {
        buyer_messages: count(buyer_messages),
        seller_messages: count(seller_messages),
        ..SmallState::default()
    }
}

/// Messages by the other person above the read mark.
fn unread_messages(state: SmallState, role: Role, read_messages: Option<i64>) -> u64 {
    let read = read_messages.unwrap_or(0).cast_unsigned();
    state.messages_by(role.other()).saturating_sub(read)
}

fn chat_of(chat: Uuid, opened: Option<&[u8]>) -> Result<Option<Arc<Chat>>, StoreError> {
    let chat = ChatId::from_column(chat);
    opened.map(|bytes| decode_chat("read the inbox", chat, bytes)).transpose()
}

fn seq(cell: Option<i64>) -> Seq {
    number(cell.unwrap_or(0))
}

impl Store {
    /// One row as it is stored.
    pub(super) async fn row_columns(
        &self,
        user: UserId,
        chat: ChatId,
    ) -> Result<Option<InboxColumns>, StoreError> {
        self.inbox.row.row("read the inbox", (user.to_column(), chat.to_column())).await
    }

    /// The head that a row has. `None` while it does not say of which chat it is: marks can come first.
    pub(in crate::scylla) async fn head_for(
        &self,
        user: UserId,
        chat: ChatId,
    ) -> Result<Option<Seq>, StoreError> {
        let key = (user.to_column(), chat.to_column());
        let row = self.inbox.row_head.row::<(Option<Vec<u8>>, Option<i64>)>("read a head", key);
        Ok(row.await?.and_then(|(opened, head)| opened.map(|_| seq(head))))
    }

    /// When each row of a person last changed, of those that are `wanted`: 24 bytes a row, whatever
    /// was said there.
    pub(in crate::scylla) async fn changes(
        &self,
        user: UserId,
        wanted: impl Fn(u64) -> bool + Send + Sync,
    ) -> Result<Vec<(u64, ChatId)>, StoreError> {
        let mut changes = Vec::new();
        let take = |rows: Vec<(Uuid, Option<i64>)>| {
            let changed = |cell: Option<i64>| cell.unwrap_or(0).cast_unsigned();
            let rows = rows.into_iter().map(|(chat, cell)| (changed(cell), chat));
            let rows = rows.filter(|(changed, _)| wanted(*changed));
            changes.extend(rows.map(|(changed, chat)| (changed, ChatId::from_column(chat))));
            Ok(())
        };
        self.inbox.changes.pages("read the inbox", (user.to_column(),), take).await?;
        Ok(changes)
    }

    /// What a person has not read. See [`crate::inbox::Inbox::unread`].
    pub(in crate::scylla) async fn count_unread(&self, user: UserId) -> Result<Unread, StoreError> {
        let mut unread = Unread::default();
        let take = |rows: Vec<CountColumns>| {
            for row in rows {
                let Some(chat) = chat_of(row.chat, row.opened.as_deref())? else { continue };
                let Some(role) = chat.participants.role_of(user) else { continue };
                let state = small_state(row.buyer_messages, row.seller_messages);
                let messages = unread_messages(state, role, row.read_messages);
                unread.add(messages, row.unread.unwrap_or(false));
            }
            Ok(())
        };
        self.inbox.counts.pages("count what is unread", (user.to_column(),), take).await?;
        Ok(unread)
    }

    /// A row as it is read; `None` if the person takes no part in its chat.
    pub(super) async fn inbox_row(
        &self,
        user: UserId,
        columns: &InboxColumns,
    ) -> Result<Option<InboxRow>, StoreError> {
        let Some(chat) = columns.chat()? else { return Ok(None) };
        let Some(role) = chat.participants.role_of(user) else { return Ok(None) };
        let mut last = columns.last(self.database.sealing())?;
        let state = last.as_ref().map_or_else(|| columns.state(), |last| last.after);
        self.amend(chat.id, last.as_mut_slice()).await?;
        Ok(Some(InboxRow {
            role,
            head: columns.head(),
            state,
            last,
            marks: columns.marks(),
            peer_marks: columns.peer_marks(),
            personal: columns.personal(),
            unread: unread_messages(state, role, columns.read_messages),
            changed: columns.changed.unwrap_or(0).cast_unsigned(),
            chat,
        }))
    }

    /// Moves marks. See [`crate::inbox::Inbox::mark`].
    pub(in crate::scylla) async fn move_marks(
        &self,
        user: UserId,
        id: ChatId,
        device: DeviceId,
        wanted: Marks,
        visibility: Visibility,
    ) -> Result<Option<Marks>, StoreError> {
        let _turn = self.turns.take(id).await;
        let Some(row) = self.row_columns(user, id).await? else { return Ok(None) };
        let Some(chat) = row.chat()? else { return Ok(None) };
        let Some(role) = chat.participants.role_of(user) else { return Ok(None) };
        let noted = self.unshown.lock().get(&(user, id)).copied();
        if let Some(noted) = noted {
            self.show_what_stands(&chat, role, row.marks(), noted).await?;
        }
        let head = row.head();
        let wanted = Marks::new(wanted.delivered.min(head), wanted.read.min(head));
        let stored = row.delivered.as_ref().and_then(|all| all.get(&device.to_column()));
        let before = row.marks();
        let delivers = wanted.delivered > seq(stored.copied());
        let reads = wanted.read > before.read;
        if !delivers && !reads {
            return Ok(Some(before));
        }
        let key = [CqlValue::Uuid(user.to_column()), CqlValue::Uuid(id.to_column())];
        let mut writes = WriteBatch::new(&self.database);
        if delivers {
            let delivered = column(wanted.delivered);
            let cells = [
                CqlValue::Int(DEVICE_TTL_S),
                CqlValue::BigInt(delivered),
                CqlValue::Uuid(device.to_column()),
                CqlValue::BigInt(delivered),
            ];
            writes.add(&self.inbox.delivered, cells.into_iter().chain(key.clone()).collect());
        }
        if reads {
            let messages = self.messages_up_to(&row, id, role.other(), wanted.read).await?;
            let read = column(wanted.read);
            let cells = [read, read, messages.cast_signed()].map(CqlValue::BigInt);
            writes.add(&self.inbox.read, cells.into_iter().chain(key.clone()).collect());
            if row.is_flagged_unread() {
                let cells = [CqlValue::BigInt(self.database.stamp()), CqlValue::Boolean(false)];
                writes.add(&self.inbox.unread, cells.into_iter().chain(key).collect());
            }
        }
        self.touch(&mut writes, user, id);
        // Until it is told: whatever happens from here on, it may stand.
        self.note_unshown(user, id, Unshown { wanted, visibility, looks: LOOKS });
        writes.run("mark").await?;
        let marks = before.merge(wanted);
        self.show_and_tell(&chat, role, marks, wanted, visibility).await?;
        Ok(Some(marks))
    }

    fn note_unshown(&self, user: UserId, chat: ChatId, unshown: Unshown) {
        let mut all = self.unshown.lock();
        let room = all.len() < UNSHOWN_MAX;
        match all.get_mut(&(user, chat)) {
            // What another device may have moved is still to be found out.
            Some(noted) => {
                let wanted = noted.wanted.merge(unshown.wanted);
                *noted = Unshown { wanted, ..unshown };
            }
            None if room => {
                all.insert((user, chat), unshown);
            }
            None => tracing::warn!(%chat, "too many marks wait to be shown: one is shown later"),
        }
    }

    /// Shows the other person what they may see of marks that moved by `wanted`, and tells of it.
    async fn show_and_tell(
        &self,
        chat: &Arc<Chat>,
        role: Role,
        marks: Marks,
        wanted: Marks,
        visibility: Visibility,
    ) -> Result<(), StoreError> {
        let shown = self.show(chat, role, wanted, visibility).await?;
        {
            let key = (chat.participants.user(role), chat.id);
            let mut all = self.unshown.lock();
            if all.get(&key).is_some_and(|noted| marks.merge(noted.wanted) == marks) {
                all.remove(&key);
            }
        }
        let moved = MarkMoved { chat: Arc::clone(chat), role, marks, shown };
        self.tell_all(Committed { marks: vec![moved], ..Committed::default() }).await;
        Ok(())
    }

    /// Shows and tells of a mark of unknown outcome as much as stands of it.
    async fn show_what_stands(
        &self,
        chat: &Arc<Chat>,
        role: Role,
        marks: Marks,
        unshown: Unshown,
    ) -> Result<(), StoreError> {
        let Unshown { wanted, visibility, looks } = unshown;
        if marks.merge(wanted) == marks {
            return self.show_and_tell(chat, role, marks, wanted, visibility).await;
        }
        // It may be on its way.
        let key = (chat.participants.user(role), chat.id);
        match looks.checked_sub(1) {
            Some(looks) => self.note_unshown(key.0, key.1, Unshown { looks, ..unshown }),
            None => drop(self.unshown.lock().remove(&key)),
        }
        Ok(())
    }

    /// Looks for all marks of unknown outcome.
    pub(super) async fn show_unshown(&self) {
        let all: Vec<_> = self.unshown.lock().keys().copied().collect();
        for (user, chat) in all {
            if let Err(error) = self.look_for_mark(user, chat).await {
                tracing::debug!(%error, %chat, "a mark of unknown outcome is looked for later");
            }
        }
    }

    async fn look_for_mark(&self, user: UserId, id: ChatId) -> Result<(), StoreError> {
        let _turn = self.turns.take(id).await;
        // It may have been told meanwhile.
        let Some(unshown) = self.unshown.lock().get(&(user, id)).copied() else { return Ok(()) };
        let Some(row) = self.row_columns(user, id).await? else { return Ok(()) };
        let Some(chat) = row.chat()? else { return Ok(()) };
        let Some(role) = chat.participants.role_of(user) else { return Ok(()) };
        self.show_what_stands(&chat, role, row.marks(), unshown).await
    }

    /// Shows the other person as much of a move as they may see; gives what they see if it moved.
    async fn show(
        &self,
        chat: &Chat,
        role: Role,
        moved: Marks,
        visibility: Visibility,
    ) -> Result<Option<Marks>, StoreError> {
        let peer = chat.participants.user(role.other());
        let Some(row) = self.row_columns(peer, chat.id).await? else { return Ok(None) };
        let before = row.peer_marks();
        let shown = visibility.show(before, moved);
        if shown == before {
            return Ok(None);
        }
        let mut writes = WriteBatch::new(&self.database);
        let cells =
            [(&self.inbox.peer_delivered, shown.delivered), (&self.inbox.peer_read, shown.read)];
        for (statement, value) in cells {
            let value = CqlValue::BigInt(column(value));
            let key = [CqlValue::Uuid(peer.to_column()), CqlValue::Uuid(chat.id.to_column())];
            writes.add(statement, [value.clone(), value].into_iter().chain(key).collect());
        }
        self.touch(&mut writes, peer, chat.id);
        writes.run("show a mark").await?;
        Ok(Some(shown))
    }

    /// Messages by `role` up to `seq`, which is not above the head.
    async fn messages_up_to(
        &self,
        row: &InboxColumns,
        chat: ChatId,
        role: Role,
        seq: Seq,
    ) -> Result<u64, StoreError> {
        if seq == row.head() {
            return Ok(row.state().messages_by(role));
        }
        let before = Seq(seq.0.saturating_sub(1));
        let event = self.raw_events(chat, Range::After(before), 1).await?.pop();
        Ok(event.map_or(0, |event| event.after.messages_by(role)))
    }

    /// Changes what is a person's alone. See [`crate::inbox::Inbox::change`].
    pub(in crate::scylla) async fn change_personal(
        &self,
        user: UserId,
        id: ChatId,
        change: PersonalChange,
    ) -> Result<Option<Personal>, StoreError> {
        let _turn = self.turns.take(id).await;
        let Some(row) = self.row_columns(user, id).await? else { return Ok(None) };
        let Some(chat) = row.chat()? else { return Ok(None) };
        let Some(role) = chat.participants.role_of(user) else { return Ok(None) };
        let now = self.database.stamp();
        let (statement, stamp, cell): (&Write, _, _) = match change {
            PersonalChange::Mute(until) => {
                // The beginning of time stands for "not muted": a null would be a tombstone.
                let until = until.map_or(0, |until| time(until).0);
                (&self.inbox.muted_until, now, CqlValue::Timestamp(CqlTimestamp(until)))
            }
            PersonalChange::Archive(on) => (&self.inbox.archived, now, CqlValue::Boolean(on)),
            PersonalChange::Pin(on) => (&self.inbox.pinned, now, CqlValue::Boolean(on)),
            PersonalChange::Unread(on) => (&self.inbox.unread, now, CqlValue::Boolean(on)),
            PersonalChange::Hide(seq) => {
                let seq = CqlValue::BigInt(column(seq));
                (&self.inbox.hidden, now, CqlValue::Set(vec![seq]))
            }
            PersonalChange::HideThrough(seq) => {
                (&self.inbox.hidden_through, column(seq), CqlValue::BigInt(column(seq)))
            }
        };
        let mut writes = WriteBatch::new(&self.database);
        let key = [CqlValue::Uuid(user.to_column()), CqlValue::Uuid(id.to_column())];
        writes.add(statement, [CqlValue::BigInt(stamp), cell].into_iter().chain(key).collect());
        self.touch(&mut writes, user, id);
        writes.run("change a chat's settings").await?;
        let mut personal = row.personal();
        personal.apply(change);
        let moved = PersonalMoved { chat, role, personal: personal.clone() };
        self.tell_all(Committed { personal: vec![moved], ..Committed::default() }).await;
        Ok(Some(personal))
    }
}
