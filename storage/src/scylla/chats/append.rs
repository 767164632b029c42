//! One append: conditional batches on the heads of the buckets it falls in.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use barterline_domain::chat::Chat;
use barterline_domain::event::{Event, Seq};
use barterline_domain::ids::ChatId;
use futures_util::FutureExt as _;
use scylla::value::CqlValue;

use super::read::{End, column};
use super::{BUCKET_EVENTS, Store, back_off, bucket_of, outcome};
use crate::chat_log::{Append, AppendError, event_bytes as reckoned_bytes};
use crate::error::StoreError;
use crate::record::chat_rows::event_bytes;
use crate::scylla::columns::Id as _;
use crate::scylla::statements::{Answer, CHANGE_TIMEOUT, ConditionalBatch};
use crate::turns::Turn;

/// Bytes of one batch: Cassandra refuses more than 50 KiB.
const BATCH_BYTES_MAX: usize = 40 * 1024;
/// How often an append whose outcome is unknown is looked for and tried again.
const ATTEMPTS_MAX: u32 = 4;

/// What became of one batch.
enum Tried {
    Stands,
    Conflict,
    /// Definitely not written.
    Refused(String),
    Unknown,
}

impl Store {
    /// Appends, and tells the outcome. Until then nobody else tells of these events.
    pub(super) async fn carry_out(&self, append: Append) {
        let chat = append.chat.id;
        self.begin_untold(chat, append.expected_head.next());
        let (result, turn) = self.append_in_time(&append).await;
        // After a conflict the hub looks for everything above the head that it knew.
        let told = matches!(result, Ok(()) | Err(AppendError::Conflict { .. }));
        let unknown = result == Err(AppendError::Unknown);
        self.end_untold(chat, told);
        self.tell(vec![outcome(append, result)]).await;
        drop(turn);
        // Whoever appended may leave it at that: what stands is told as soon as that is known.
        if unknown && let Err(error) = self.head(chat).await {
            tracing::debug!(%error, %chat, "an append of unknown outcome is looked for later");
        }
    }

    /// The outcome within the time that a client waits, whatever becomes of it.
    async fn append_in_time(&self, append: &Append) -> (Result<(), AppendError>, Option<Turn<'_>>) {
        let append_all = AssertUnwindSafe(self.append_all(append)).catch_unwind();
        match tokio::time::timeout(CHANGE_TIMEOUT, append_all).await {
            Ok(Ok(ended)) => ended,
            Ok(Err(_)) => {
                // The panic itself was told where it happened.
                tracing::error!(chat = %append.chat.id, "an append ended without an outcome");
                (Err(AppendError::Unknown), None)
            }
            Err(_) => (Err(AppendError::Unknown), None),
        }
    }

    /// Appends the events, or says why not. What is durable has its effects when this returns, and
    /// the turn of its chat is kept until that is told.
    async fn append_all(&self, append: &Append) -> (Result<(), AppendError>, Option<Turn<'_>>) {
        let chat = append.chat.id;
        if let Err(error) = self.mark_dirty(chat, append.expected_head).await {
            return (Err(AppendError::Unavailable(error.to_string())), None);
        }
        let (mut head, mut rest) = (append.expected_head, append.events.as_slice());
        let mut turn = None;
        while let Some(len) = batch_len(rest) {
            let (batch, others) = rest.split_at(len);
            match self.append_batch(&append.chat, head, batch).await {
                Ok(()) => {}
                // A part stands: who appends finds it in the log.
                Err(AppendError::Unavailable(_)) if head > append.expected_head => {
                    return (Err(AppendError::Unknown), None);
                }
                Err(error) => return (Err(error), None),
            }
            if others.is_empty() {
                turn = Some(self.turns.take(chat).await);
            }
            // Without its rows it is not told as appended: who connects now reads them.
            if let Err(error) = self.take_effect(&append.chat, batch).await {
                tracing::warn!(%error, %chat, "an append waits for its effects");
                return (Err(AppendError::Unknown), turn);
            }
            (head, rest) = (batch[len - 1].seq, others);
        }
        (Ok(()), turn)
    }

    /// Appends events of one bucket behind `head`.
    async fn append_batch(
        &self,
        chat: &Arc<Chat>,
        head: Seq,
        events: &[Event],
    ) -> Result<(), AppendError> {
        let first = head.next();
        let opens_bucket = first.0.is_multiple_of(BUCKET_EVENTS);
        if opens_bucket {
            self.open_bucket(chat, head).await?;
        }
        for attempt in 0..ATTEMPTS_MAX {
            let tried = self.try_batch(chat.id, head, opens_bucket, events).await;
            match tried {
                Tried::Stands => return Ok(()),
                Tried::Conflict => {
                    // It may be an earlier attempt of ours that was in the way.
                    if attempt > 0 && self.stand(chat.id, events).await == Some(true) {
                        return Ok(());
                    }
                    return Err(self.conflict(chat).await);
                }
                Tried::Refused(why) if attempt == 0 => return Err(AppendError::Unavailable(why)),
                Tried::Refused(_) | Tried::Unknown => {
                    tokio::time::sleep(back_off(chat.id, attempt)).await;
                    // Absent is no failure for good: the same slot again, until somebody has it.
                    if self.stand(chat.id, events).await == Some(true) {
                        return Ok(());
                    }
                }
            }
        }
        Err(AppendError::Unknown)
    }

    /// The first append to a bucket: only behind a bucket that is full, read at SERIAL. Whoever
    /// looks for the end of the chat finds the new bucket before there is anything in it.
    async fn open_bucket(&self, chat: &Arc<Chat>, head: Seq) -> Result<(), AppendError> {
        let unavailable = |error: StoreError| AppendError::Unavailable(error.to_string());
        let end = self.bucket_end(chat.id, bucket_of(head)).await.map_err(unavailable)?;
        match end {
            Some(end) if end.epoch != self.epoch => Err(other_epoch(end.epoch)),
            Some(end) if end.head == head => {
                self.move_end(chat.id, bucket_of(head.next())).await.map_err(unavailable)
            }
            Some(_) | None => Err(self.conflict(chat).await),
        }
    }

    async fn try_batch(
        &self,
        chat: ChatId,
        head: Seq,
        opens_bucket: bool,
        events: &[Event],
    ) -> Tried {
        let id = CqlValue::Uuid(chat.to_column());
        let bucket = CqlValue::BigInt(bucket_of(head.next()));
        let last = CqlValue::BigInt(column(events.last().map_or(head, |last| last.seq)));
        let epoch = CqlValue::Int(self.epoch.cast_signed());
        let mut batch = ConditionalBatch::new(&self.database);
        if opens_bucket {
            batch.add(&self.log.first_head, vec![last, epoch, id.clone(), bucket.clone()]);
        } else {
            let expected = CqlValue::BigInt(column(head));
            let values = vec![last, id.clone(), bucket.clone(), expected, epoch];
            batch.add(&self.log.move_head, values);
        }
        for event in events {
            let seq = CqlValue::BigInt(column(event.seq));
            let bytes = CqlValue::Blob(event_bytes(event, self.database.sealing().in_chat(chat)));
            batch.add(&self.log.insert, vec![id.clone(), bucket.clone(), seq, bytes]);
        }
        match batch.run("append").await {
            Ok(Answer::Applied) => Tried::Stands,
            Ok(Answer::Refused) => Tried::Conflict,
            Ok(Answer::Unknown) => Tried::Unknown,
            Err(error) => Tried::Refused(error.to_string()),
        }
    }

    /// Whether events stand in their slots as they are, at SERIAL; `None` if nobody can say.
    async fn stand(&self, chat: ChatId, events: &[Event]) -> Option<bool> {
        for event in events {
            if self.event_serial(chat, event.seq).await.ok()?.as_ref() != Some(event) {
                return Some(false);
            }
        }
        Some(true)
    }

    /// Where the chat ends, for who was not the first.
    async fn conflict(&self, chat: &Arc<Chat>) -> AppendError {
        match self.end_of(chat.id).await {
            Ok(Some(end)) if end.epoch != self.epoch => other_epoch(end.epoch),
            Ok(Some(End { head, last: Some(last), .. })) => {
                // Whoever was faster may not have come to the rows, and who connects now reads them.
                // Those who are connected look for themselves after a conflict.
                let _turn = self.turns.take(chat.id).await;
                match self.catch_up(chat, &last).await {
                    Ok(()) => AppendError::Conflict { head },
                    Err(error) => AppendError::Unavailable(error.to_string()),
                }
            }
            Ok(Some(End { head, last: None, .. })) => AppendError::Conflict { head },
            Ok(None) => AppendError::Unavailable("there is no such chat".to_owned()),
            Err(error) => AppendError::Unavailable(error.to_string()),
        }
    }
}

fn other_epoch(epoch: u32) -> AppendError {
    AppendError::Unavailable(format!("the store was restored: its epoch is {epoch}"))
}

/// How many of the next events go into one batch: those of one bucket, as far as there is room.
/// `None` when nothing is left.
pub(super) fn batch_len(events: &[Event]) -> Option<usize> {
    let bucket = bucket_of(events.first()?.seq);
    let mut bytes = 0;
    let fit = events.iter().take_while(|event| {
        bytes += reckoned_bytes(&event.kind);
        bucket_of(event.seq) == bucket && bytes <= BATCH_BYTES_MAX
    });
    // The largest event alone fits, whatever the reckoning says.
    Some(fit.count().max(1))
}
