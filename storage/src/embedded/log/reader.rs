//! Reading events back by their positions, each checked against its own checksum.

use barterline_domain::event::{Event, Seq};
use barterline_domain::ids::ChatId;
use barterline_domain::message::EventKind;

use super::state::Shared;
use crate::chat_log::Range;
use crate::error::StoreError;
use crate::record::chat_log::{
    Back, FAR, NEAR, RECORD_HEADER_BYTES, Record, read_record, record_len,
};
use crate::record::index::Tail;
use crate::record::sealing::Sealing;

/// What is read at once for one record: most fit.
const FIRST_READ_BYTES: usize = 512;

impl Shared {
    /// Says that what stands at `position` is not what was written.
    pub(super) fn damaged(&self, position: u64) -> StoreError {
        let start = position - position % self.segment_bytes;
        let place = format!("{}, offset {}", self.disk.place(start), position - start);
        StoreError::corrupt("read the chat log", place)
    }

    /// Reads the record at `position`.
    fn record(&self, position: u64, sealing: &Sealing) -> Result<Record, StoreError> {
        let bytes = self.record_bytes(position)?;
        read_record(&bytes, sealing).or_else(|_| {
            // It may be overwritten this very moment.
            let _erasing = self.erasing.lock();
            read_record(&self.record_bytes(position)?, sealing)
                .map_err(|unread| unread.or(|| self.damaged(position)))
        })
    }

    /// Reads the bytes of the record at `position`, as they are.
    pub(super) fn record_bytes(&self, position: u64) -> Result<Vec<u8>, StoreError> {
        let start = position - position % self.segment_bytes;
        let offset = position - start;
        let damaged = || self.damaged(position);
        let file = self.segment(start).ok_or_else(damaged)?;
        let failed = |error| StoreError::unavailable("read the chat log", error);
        let mut bytes = vec![0; FIRST_READ_BYTES];
        let n = file.read_at(&mut bytes, offset).map_err(failed)?;
        bytes.truncate(n);
        let len = record_len(&bytes).ok_or_else(damaged)?;
        if len > bytes.len() {
            bytes.resize(len, 0);
            let n = file.read_at(&mut bytes, offset).map_err(failed)?;
            bytes.truncate(n);
        }
        debug_assert!(len >= RECORD_HEADER_BYTES);
        if bytes.len() < len {
            return Err(damaged());
        }
        bytes.truncate(len);
        Ok(bytes)
    }

    /// Reads event `seq` of `chat`, which must stand at `position`.
    pub(super) fn event_at(
        &self,
        chat: ChatId,
        seq: Seq,
        position: u64,
    ) -> Result<(Event, Back), StoreError> {
        self.event_kept(chat, seq, position, &self.sealing)
    }

    fn event_kept(
        &self,
        chat: ChatId,
        seq: Seq,
        position: u64,
        sealing: &Sealing,
    ) -> Result<(Event, Back), StoreError> {
        match self.record(position, sealing)? {
            Record::Event { chat: found, event, back, .. } if found == chat && event.seq == seq => {
                Ok((event, back))
            }
            Record::Event { .. }
            | Record::Chat(_)
            | Record::Mark(_)
            | Record::Personal(_)
            | Record::Side(_) => Err(self.damaged(position)),
        }
    }

    /// Position of event `seq`, found from `tail` backwards.
    pub(super) fn position_of(
        &self,
        chat: ChatId,
        tail: &Tail,
        seq: Seq,
    ) -> Result<u64, StoreError> {
        let floor = |step: u64| tail.head.0 - tail.head.0 % step;
        let (mut at, mut position) = if seq.0 <= floor(FAR) {
            (floor(FAR), tail.far)
        } else if seq.0 <= floor(NEAR) {
            (floor(NEAR), tail.near)
        } else {
            (tail.head.0, tail.position)
        };
        // Where what stands is looked for, nothing has to be opened.
        let sealing = Sealing::without_words();
        while at > seq.0 {
            let (_, back) = self.event_kept(chat, Seq(at), position, &sealing)?;
            let step = if back.far != 0 && at - FAR >= seq.0 {
                position = back.far;
                FAR
            } else if back.near != 0 && at - NEAR >= seq.0 {
                position = back.near;
                NEAR
            } else {
                position = back.previous;
                1
            };
            at -= step;
        }
        Ok(position)
    }

    /// Reads message `seq` as it was first said, unless it was taken back.
    pub fn original(
        &self,
        chat: ChatId,
        tail: &Tail,
        seq: Seq,
    ) -> Result<Option<Event>, StoreError> {
        if seq == Seq::ZERO || seq > tail.head {
            return Ok(None);
        }
        let (event, _) = self.event_at(chat, seq, self.position_of(chat, tail, seq)?)?;
        let stands = matches!(event.kind, EventKind::Message(_)) && !self.is_gone(chat, seq)?;
        Ok(stands.then_some(event))
    }

    /// Reads the events of a range, ascending.
    pub fn events(
        &self,
        chat: ChatId,
        tail: &Tail,
        range: Range,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        let mut events = self.raw_events(chat, tail, range, limit)?;
        self.amend(chat, &mut events)?;
        Ok(events)
    }

    /// Reads the events of a range, ascending, as they were appended.
    pub fn raw_events(
        &self,
        chat: ChatId,
        tail: &Tail,
        range: Range,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        let limit = limit as u64;
        let (first, last) = match range {
            Range::After(seq) => {
                (seq.0.saturating_add(1), seq.0.saturating_add(limit).min(tail.head.0))
            }
            Range::Before(seq) => {
                let last = seq.0.saturating_sub(1).min(tail.head.0);
                ((last + 1).saturating_sub(limit).max(1), last)
            }
        };
        if first > last || limit == 0 {
            return Ok(Vec::new());
        }
        let mut position = self.position_of(chat, tail, Seq(last))?;
        let mut events = Vec::with_capacity((last - first + 1) as usize);
        for seq in (first..=last).rev() {
            let (event, back) = self.event_at(chat, Seq(seq), position)?;
            events.push(event);
            position = back.previous;
        }
        events.reverse();
        Ok(events)
    }
}
