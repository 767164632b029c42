//! Marks of chats that are appended to. A node that dies between an append and what follows from it
//! leaves a mark behind, and whoever comes by makes up for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use barterline_domain::clock::Timestamp;
use barterline_domain::event::Seq;
use barterline_domain::ids::ChatId;
use futures_util::{StreamExt as _, stream};
use scylla::value::{CqlTimestamp, CqlValue};
use uuid::Uuid;

use super::Store;
use super::read::{column, number};
use crate::error::StoreError;
use crate::scylla::columns::{Id as _, time};
use crate::scylla::statements::WriteBatch;

/// Parts of an hour's marks.
const SLOTS: u8 = 64;
const HOUR_MS: u64 = 3_600_000;
/// Hours for which a mark is kept: the table's `default_time_to_live`.
const HOURS_KEPT: u64 = 48;
/// A mark this old is written anew before the next append.
const MARK_AGE: Duration = Duration::from_secs(30);
/// A mark this old is looked at: the last append that relied on it, which takes 10 s at most with its
/// effects, is over, if clocks are within a few seconds of each other.
const LOOK_AGE: Duration = Duration::from_mins(1);
/// And once more at this age: no two servers' clocks are as far apart, as none starts that is four
/// minutes from the nodes'.
const SURE_AGE: Duration = Duration::from_mins(10);
/// Stamps of numbers of which the lowest is to stay: this much less the number.
const LOWEST_STAYS: i64 = 1 << 50;
/// Between two looks at a slot. All of them are looked at within 16 s.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Chats that are made up for at a time, beside everything else that the database does.
const REPAIRS_AT_ONCE: usize = 4;
/// Chats whose marks are remembered.
const MARKED_MAX: usize = 100_000;

impl Store {
    /// Sees to it that the chat, which is appended to behind `head`, has a mark that is young enough.
    pub(super) async fn mark_dirty(&self, chat: ChatId, head: Seq) -> Result<(), StoreError> {
        let now = Instant::now();
        let marked = self.marked.lock().get(&chat).copied();
        if marked.is_some_and(|at| now.duration_since(at) < MARK_AGE) {
            return Ok(());
        }
        let at = self.clock.now();
        let hour = hour_column(at.as_millis() / HOUR_MS);
        let key = [
            CqlValue::SmallInt(i16::from(slot(chat))),
            CqlValue::Int(hour),
            CqlValue::Uuid(chat.to_column()),
        ];
        let marked = [CqlValue::BigInt(time(at).0), CqlValue::Timestamp(time(at))];
        let from = [LOWEST_STAYS - column(head), column(head)].map(CqlValue::BigInt);
        let mut writes = WriteBatch::new(&self.database);
        writes.add(&self.dirty.mark, marked.into_iter().chain(key.clone()).collect());
        writes.add(&self.dirty.mark_from, from.into_iter().chain(key).collect());
        writes.run("mark a chat").await?;
        let mut marked = self.marked.lock();
        if marked.len() >= MARKED_MAX {
            marked.retain(|_, at| now.duration_since(*at) < MARK_AGE);
        }
        if marked.len() < MARKED_MAX {
            marked.insert(chat, now);
        }
        Ok(())
    }

    /// Looks at all marks for good, slot by slot: those of two days at first, and of every hour that
    /// could not be looked at.
    pub(super) async fn run_repair(self: Arc<Self>) {
        let mut pace = tokio::time::interval(LOOK_EVERY);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut oldest = (self.clock.now().as_millis() / HOUR_MS).saturating_sub(HOURS_KEPT);
        loop {
            let now = self.clock.now().as_millis() / HOUR_MS;
            let mut all = true;
            for slot in 0..SLOTS {
                pace.tick().await;
                if slot == 0 {
                    self.show_unshown().await;
                }
                for hour in oldest..=now {
                    all &= self.look_at_or_say(slot, hour).await;
                }
            }
            let kept = now.saturating_sub(HOURS_KEPT);
            oldest = if all { now.saturating_sub(1) } else { oldest.max(kept) };
        }
    }

    /// Looks at every mark that is kept.
    pub(super) async fn look_at_all(&self, age: Duration) -> Result<usize, StoreError> {
        let now = self.clock.now().as_millis() / HOUR_MS;
        let mut settled = 0;
        // The clock of who marked may be ahead.
        for hour in now.saturating_sub(HOURS_KEPT)..=now + 1 {
            for slot in 0..SLOTS {
                settled += self.look_at(slot, hour, age).await?;
            }
        }
        Ok(settled)
    }

    /// Whether all of it could be looked at.
    async fn look_at_or_say(&self, slot: u8, hour: u64) -> bool {
        let looked = self.look_at(slot, hour, LOOK_AGE).await;
        looked.inspect_err(|error| tracing::debug!(%error, "marks are looked at later")).is_ok()
    }

    /// Makes up for what is missing behind the marks of a slot that are at least `age` old; gives
    /// how many there were.
    async fn look_at(&self, slot: u8, hour: u64, age: Duration) -> Result<usize, StoreError> {
        type Columns = (Uuid, Option<CqlTimestamp>, Option<i64>, Option<CqlTimestamp>);
        let values = (i16::from(slot), hour_column(hour));
        let marks = self.dirty.list.rows::<Columns>("look at marks", values).await?;
        let now = self.clock.now();
        let due = marks.into_iter().filter_map(|(chat, marked, from, looked)| {
            let marked = marked?;
            let age_now = now.since(Timestamp::from_millis(marked.0.cast_unsigned()));
            // A millisecond more than the mark stands for the second look.
            let (once, sure) = (marked.0, marked.0 + 1);
            let look = if age_now >= SURE_AGE { sure } else { once };
            let seen = looked.is_some_and(|looked| looked.0 >= look);
            let from = number(from.unwrap_or(0));
            (!seen && age_now >= age).then_some((chat, CqlTimestamp(look), from))
        });
        let settle = async |(chat, look, from): (Uuid, CqlTimestamp, Seq)| {
            let id = ChatId::from_column(chat);
            match self.repair(id, from).await {
                Ok(()) => {}
                // One damaged chat, or one that is not answered, is no reason to leave the others.
                Err(error @ StoreError::Corrupt { .. }) => {
                    tracing::error!(%error, chat = %id, "a chat cannot be made up for");
                    return Ok(0);
                }
                Err(error) => {
                    tracing::warn!(%error, chat = %id, "a chat waits to be made up for");
                    return Err(error);
                }
            }
            let values = (look.0, look, i16::from(slot), hour_column(hour), chat);
            self.dirty.settle.run("settle a mark", values).await?;
            Ok(1)
        };
        let settled = stream::iter(due).map(settle).buffer_unordered(REPAIRS_AT_ONCE);
        // All of them are looked at; of errors one is told.
        let settled: Vec<Result<usize, StoreError>> = settled.collect().await;
        settled.into_iter().sum()
    }

    /// Writes again what follows from the appends of a chat above `from`.
    async fn repair(&self, id: ChatId, from: Seq) -> Result<(), StoreError> {
        let Some(end) = self.end_of(id).await? else { return Ok(()) };
        let Some(last) = end.last else { return Ok(()) };
        let Some(chat) = self.chat(id).await? else { return Ok(()) };
        // The rows may be written, and what becomes of messages not.
        self.amend_between(id, from, last.seq).await?;
        self.catch_up_and_tell(&chat, &last).await?;
        self.erase_between(id, from, last.seq).await
    }
}

fn slot(chat: ChatId) -> u8 {
    chat.as_bytes()[0] % SLOTS
}

/// An hour since 1970, as its column has it.
fn hour_column(hour: u64) -> i32 {
    i32::try_from(hour).unwrap_or(i32::MAX)
}
