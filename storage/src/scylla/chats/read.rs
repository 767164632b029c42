//! Reading a log: where it ends, its events by number, and what became of messages.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use barterline_domain::chat::Chat;
use barterline_domain::event::{Event, Seq, SmallState};
use barterline_domain::ids::ChatId;
use barterline_domain::message::EventKind;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{BUCKET_EVENTS, Store, bucket_of};
use crate::chat_log::Range;
use crate::error::StoreError;
use crate::record::amend::{Aspect, amend};
use crate::record::chat_rows::{read_chat, read_event};
use crate::record::sealing::Sealing;
use crate::scylla::columns::Id as _;

/// Messages that are looked for at a time.
const LOOKS_AT_ONCE: usize = 8;

/// Where a bucket ends.
#[derive(Debug, Clone)]
pub(super) struct End {
    pub head: Seq,
    pub epoch: u32,
    /// The event at the head; none in a chat where nothing was said.
    pub last: Option<Event>,
    /// The chat, if it is its first bucket.
    pub opened: Option<Vec<u8>>,
}

impl End {
    pub fn state(&self) -> SmallState {
        self.last.as_ref().map(|last| last.after).unwrap_or_default()
    }
}

type EndColumns = (Option<i64>, Option<i32>, Option<Vec<u8>>, Option<i64>, Option<Vec<u8>>);

impl Store {
    /// Where a bucket ends, at SERIAL; `None` if there is nothing in it.
    pub(super) async fn bucket_end(
        &self,
        chat: ChatId,
        bucket: i64,
    ) -> Result<Option<End>, StoreError> {
        let operation = "read the end of a chat";
        let row = self.log.end.row::<EndColumns>(operation, (chat.to_column(), bucket)).await?;
        let Some((Some(head), Some(epoch), opened, seq, event)) = row else { return Ok(None) };
        let damaged = || damaged(operation, chat, head);
        let last = match (seq, event) {
            (Some(seq), Some(event)) if seq == head => Some(
                read_event(number(seq), &event, self.database.sealing().in_chat(chat))
                    .map_err(|unread| unread.or(damaged))?,
            ),
            (None, None) if head == 0 => None,
            _ => return Err(damaged()),
        };
        let epoch = u32::try_from(epoch).map_err(|_| damaged())?;
        Ok(Some(End { head: number(head), epoch, last, opened }))
    }

    /// Where a chat ends, at SERIAL; `None` if there is no such chat.
    pub(super) async fn end_of(&self, chat: ChatId) -> Result<Option<End>, StoreError> {
        let mut bucket = self.last_bucket(chat).await?;
        loop {
            match self.bucket_end(chat, bucket).await? {
                // The bucket was announced, and nothing appended to it yet.
                None if bucket > 0 => bucket -= 1,
                end => return Ok(end),
            }
        }
    }

    /// The last bucket of a chat, or the one after it.
    async fn last_bucket(&self, chat: ChatId) -> Result<i64, StoreError> {
        let operation = "read the end of a chat";
        let row =
            self.log.last_bucket.row::<(Option<i64>,)>(operation, (chat.to_column(),)).await?;
        Ok(row.and_then(|(bucket,)| bucket).unwrap_or(0))
    }

    /// Announces that a chat goes on in `bucket`.
    pub(super) async fn move_end(&self, chat: ChatId, bucket: i64) -> Result<(), StoreError> {
        let values = (bucket, bucket, chat.to_column());
        self.log.move_last_bucket.run("open a bucket", values).await
    }

    /// One event, at SERIAL, as it was appended.
    pub(super) async fn event_serial(
        &self,
        chat: ChatId,
        seq: Seq,
    ) -> Result<Option<Event>, StoreError> {
        let operation = "look for an event";
        let values = (chat.to_column(), bucket_of(seq), column(seq));
        let row = self.log.event.row::<(Option<Vec<u8>>,)>(operation, values).await?;
        let Some((Some(bytes),)) = row else { return Ok(None) };
        let event = read_event(seq, &bytes, self.database.sealing().in_chat(chat));
        event.map(Some).map_err(|unread| unread.or(|| damaged(operation, chat, column(seq))))
    }

    /// The chat itself; `None` if there is no such chat.
    pub(super) async fn chat(&self, chat: ChatId) -> Result<Option<Arc<Chat>>, StoreError> {
        let operation = "read a chat";
        let row = self.log.opened.row::<(Option<Vec<u8>>,)>(operation, (chat.to_column(),)).await?;
        let Some((Some(bytes),)) = row else { return Ok(None) };
        decode_chat(operation, chat, &bytes).map(Some)
    }

    /// The events of a range, ascending, as they were appended.
    pub(in crate::scylla) async fn raw_events(
        &self,
        chat: ChatId,
        range: Range,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        match range {
            Range::After(seq) => self.events_after(chat, seq, limit).await,
            Range::Before(seq) => self.events_before(chat, seq, limit).await,
        }
    }

    async fn events_after(
        &self,
        chat: ChatId,
        mut after: Seq,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        let mut events: Vec<Event> = Vec::new();
        while events.len() < limit {
            let bucket = bucket_of(after.next());
            let left = rows_of(limit - events.len());
            let values = (chat.to_column(), bucket, column(after), left);
            let rows = self.log.after.rows::<(i64, Option<Vec<u8>>)>("read events", values).await?;
            let Some((last, _)) = rows.last() else { break };
            let last = number(*last);
            for row in rows {
                events.push(decode(chat, row, after.next(), self.database.sealing())?);
                after = after.next();
            }
            // Only a full bucket is followed by another.
            if bucket_of(last.next()) == bucket {
                break;
            }
        }
        Ok(events)
    }

    async fn events_before(
        &self,
        chat: ChatId,
        before: Seq,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        let mut events: Vec<Event> = Vec::new();
        let Some(last) = before.0.checked_sub(1) else { return Ok(events) };
        let mut bucket = bucket_of(Seq(last)).min(self.last_bucket(chat).await?);
        while events.len() < limit && bucket >= 0 {
            let left = rows_of(limit - events.len());
            let values = (chat.to_column(), bucket, column(before), left);
            let rows =
                self.log.before.rows::<(i64, Option<Vec<u8>>)>("read events", values).await?;
            for row in rows {
                let expected = events.last().map_or(row.0, |newer| column(newer.seq) - 1);
                events.push(decode(chat, row, number(expected), self.database.sealing())?);
            }
            bucket -= 1;
        }
        events.reverse();
        Ok(events)
    }

    /// Merges into `events`, ascending and without a gap, what later events made of them.
    pub(in crate::scylla) async fn amend(
        &self,
        chat: ChatId,
        events: &mut [Event],
    ) -> Result<(), StoreError> {
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(()) };
        let mut found = self.amendments(chat, first.seq, last.seq).await?;
        let gone = |by: &Vec<(Aspect, Event)>| by.iter().any(|(a, _)| *a == Aspect::Presence);
        let mut known: HashMap<_, _> = found.iter().map(|(seq, by)| (*seq, gone(by))).collect();
        let (first, last) = (first.seq, last.seq);
        let elsewhere: BTreeSet<Seq> = events.iter().filter_map(edited).collect();
        let elsewhere = elsewhere.into_iter().filter(|target| !(first..=last).contains(target));
        let look = async |target| Ok::<_, StoreError>((target, self.is_gone(chat, target).await?));
        let looked = stream::iter(elsewhere).map(look).buffer_unordered(LOOKS_AT_ONCE);
        known.extend(looked.try_collect::<Vec<_>>().await?);
        for event in events {
            match event.kind {
                EventKind::Message(_) => {
                    if let Some(by) = found.remove(&event.seq) {
                        amend(event, by);
                    }
                }
                EventKind::Edit { target, .. } => {
                    if known.get(&target).is_some_and(|gone| *gone) {
                        event.empty();
                    }
                }
                EventKind::Delete { .. }
                | EventKind::Reaction { .. }
                | EventKind::Note(_)
                | EventKind::Listing(_) => {}
            }
        }
        Ok(())
    }

    /// The events that amend the messages `first` to `last`, by message.
    pub(super) async fn amendments(
        &self,
        chat: ChatId,
        first: Seq,
        last: Seq,
    ) -> Result<HashMap<Seq, Vec<(Aspect, Event)>>, StoreError> {
        type Columns = (i64, i8, i64, Option<Vec<u8>>);
        let operation = "read what became of messages";
        let mut found: HashMap<_, Vec<_>> = HashMap::new();
        for bucket in bucket_of(first)..=bucket_of(last) {
            let values = (chat.to_column(), bucket, column(first), column(last));
            for row in self.log.amendments.rows::<Columns>(operation, values).await? {
                let (target, aspect, seq, event) = row;
                let damaged = || damaged(operation, chat, target);
                let aspect = Aspect::from_code(aspect.cast_unsigned()).map_err(|_| damaged())?;
                let kept = self.database.sealing().in_chat(chat);
                let event = read_event(number(seq), &event.unwrap_or_default(), kept)
                    .map_err(|unread| unread.or(damaged))?;
                found.entry(number(target)).or_default().push((aspect, event));
            }
        }
        Ok(found)
    }

    /// Whether a message was taken back.
    pub(super) async fn is_gone(&self, chat: ChatId, seq: Seq) -> Result<bool, StoreError> {
        let aspect = Aspect::Presence.code().cast_signed();
        let values = (chat.to_column(), bucket_of(seq), column(seq), aspect);
        let row = self.log.aspect.row::<(Option<i64>,)>("look for a message", values).await?;
        Ok(row.is_some())
    }
}

/// The message that an event edits.
fn edited(event: &Event) -> Option<Seq> {
    let EventKind::Edit { target, .. } = event.kind else { return None };
    Some(target)
}

/// Reads a stored chat.
pub(super) fn decode_chat(
    operation: &'static str,
    chat: ChatId,
    bytes: &[u8],
) -> Result<Arc<Chat>, StoreError> {
    let read = read_chat(bytes).map(Arc::new);
    read.map_err(|_| StoreError::corrupt(operation, format!("chat {chat}")))
}

/// Reads an event, which must have the number `expected`: a gap is damage.
fn decode(
    chat: ChatId,
    (seq, bytes): (i64, Option<Vec<u8>>),
    expected: Seq,
    sealing: &Sealing,
) -> Result<Event, StoreError> {
    let damaged = || damaged("read events", chat, column(expected));
    if number(seq) != expected {
        return Err(damaged());
    }
    read_event(expected, &bytes.unwrap_or_default(), sealing.in_chat(chat))
        .map_err(|unread| unread.or(damaged))
}

fn damaged(operation: &'static str, chat: ChatId, seq: i64) -> StoreError {
    StoreError::corrupt(operation, format!("chat_log, chat {chat}, number {seq}"))
}

/// A number as its column has it.
pub(super) const fn column(seq: Seq) -> i64 {
    seq.0.cast_signed()
}

/// The number in a column.
pub(super) const fn number(column: i64) -> Seq {
    Seq(column.cast_unsigned())
}

/// So many rows, as a statement's limit: no bucket has more than it holds.
fn rows_of(events: usize) -> i32 {
    i32::try_from(events.min(BUCKET_EVENTS as usize)).unwrap_or(i32::MAX)
}
