//! Which files are to be looked at again: by slot and time.
//!
//! A slot is five minutes, so that what was deleted of those before is not read again and again. A look
//! is written before its slot is listed; whoever takes an empty slot off the list looks once more
//! behind that, so that none is left in a slot that nobody reads.

use std::time::Duration;

use barterline_domain::clock::Timestamp;
use barterline_domain::ids::MediaId;
use scylla::value::CqlTimestamp;

use super::columns::{time, timestamp};
use super::session::Database;
use super::statements::{Read, Write};
use crate::bulk::LATEST;
use crate::error::StoreError;
use crate::media::Look;

const SLOT_MS: u64 = 5 * 60 * 1000;
/// A slot that ended so long ago, and is empty, leaves the list: servers are eight minutes apart at most
/// ([`super::clocks::APART_MAX`] on either side), and who writes into it is mostly done.
const KEPT: Duration = Duration::from_mins(20);
/// Slots that are asked for at once.
const SLOTS: i32 = 64;
/// The one partition of slots.
const PART: &str = "looks";

/// The list of looks.
pub struct Looks {
    add: Write,
    take: Write,
    list_slot: Write,
    end_slot: Write,
    slots: Read,
    of_slot: Read,
}

impl Looks {
    /// Prepares the statements.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        let write = |text| Write::prepare(database, text);
        Ok(Self {
            add: write("INSERT INTO {listings}.media_looks (slot, at, media) VALUES (?, ?, ?)")
                .await?,
            take: write(
                "DELETE FROM {listings}.media_looks WHERE slot = ? AND at = ? AND media = ?",
            )
            .await?,
            list_slot: write("INSERT INTO {listings}.media_look_slots (part, slot) VALUES (?, ?)")
                .await?,
            end_slot: write("DELETE FROM {listings}.media_look_slots WHERE part = ? AND slot = ?")
                .await?,
            slots: Read::prepare(
                database,
                "SELECT slot FROM {listings}.media_look_slots \
                 WHERE part = ? AND slot > ? AND slot <= ? LIMIT ?",
            )
            .await?,
            of_slot: Read::prepare(
                database,
                "SELECT at, media FROM {listings}.media_looks \
                 WHERE slot = ? AND at <= ? LIMIT ?",
            )
            .await?,
        })
    }

    /// Puts one on the list.
    pub async fn add(&self, operation: &'static str, look: Look) -> Result<(), StoreError> {
        let Look { at, media } = look;
        self.add.run(operation, (slot(at), time(at), &media.as_bytes()[..])).await?;
        self.list_slot.run(operation, (PART, slot(at))).await
    }

    /// Takes one from the list.
    pub async fn take(&self, operation: &'static str, look: Look) -> Result<(), StoreError> {
        let Look { at, media } = look;
        self.take.run(operation, (slot(at), time(at), &media.as_bytes()[..])).await
    }

    /// At most `limit` that are due, the longest due first.
    pub async fn due(
        &self,
        operation: &'static str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Look>, StoreError> {
        let (mut due, mut after) = (Vec::new(), -1_i32);
        loop {
            let values = (PART, after, slot(now), SLOTS);
            let slots = self.slots.rows::<(i32,)>(operation, values).await?;
            for (slot,) in &slots {
                let left = limit - due.len();
                if left == 0 {
                    return Ok(due);
                }
                let found = self.of_slot(operation, (*slot, now), left).await?;
                if found.is_empty() && is_over(*slot, now) {
                    self.end_or_say(operation, *slot).await;
                }
                due.extend(found);
            }
            match slots.last() {
                Some((newest,)) if slots.len() == SLOTS as usize => after = *newest,
                _ => return Ok(due),
            }
        }
    }

    /// At most `limit` of a slot, up to a time.
    async fn of_slot(
        &self,
        operation: &'static str,
        (slot, until): (i32, Timestamp),
        limit: usize,
    ) -> Result<Vec<Look>, StoreError> {
        let bound = i32::try_from(limit).unwrap_or(i32::MAX);
        let values = (slot, time(until), bound);
        let rows = self.of_slot.rows::<(CqlTimestamp, Vec<u8>)>(operation, values).await?;
        let mut looks = Vec::with_capacity(rows.len());
        for (at, media) in rows {
            let damaged = || StoreError::corrupt(operation, "table media_looks");
            let media: [u8; 16] = media.try_into().map_err(|_| damaged())?;
            let at = timestamp(at).ok_or_else(damaged)?;
            looks.push(Look { at, media: MediaId::from_bytes(media) });
        }
        Ok(looks)
    }

    /// What is due is told whether or not a slot can be ended.
    async fn end_or_say(&self, operation: &'static str, slot: i32) {
        if let Err(error) = self.end(operation, slot).await {
            tracing::debug!(%error, "an empty slot stays on the list of looks");
        }
    }

    /// Takes a slot off the list, and puts it there again if something came to it meanwhile.
    async fn end(&self, operation: &'static str, slot: i32) -> Result<(), StoreError> {
        self.end_slot.run(operation, (PART, slot)).await?;
        if self.of_slot(operation, (slot, LATEST), 1).await?.is_empty() {
            return Ok(());
        }
        self.list_slot.run(operation, (PART, slot)).await
    }
}

/// The slot of a time, since 1970.
fn slot(at: Timestamp) -> i32 {
    i32::try_from(at.as_millis() / SLOT_MS).unwrap_or(i32::MAX)
}

/// Whether a slot ended so long ago that it need not stay on the list.
fn is_over(slot: i32, now: Timestamp) -> bool {
    let next = u64::try_from(slot).unwrap_or(0) + 1;
    now >= Timestamp::from_millis(next * SLOT_MS).plus(KEPT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_over_when_no_clock_may_still_be_in_it() {
        let at = |ms| Timestamp::from_millis(ms);
        assert_eq!((slot(at(0)), slot(at(SLOT_MS - 1)), slot(at(SLOT_MS))), (0, 0, 1));
        assert_eq!(slot(at(u64::MAX)), i32::MAX);
        let end = at(2 * SLOT_MS);
        for (now, over) in [(at(0), false), (end, false), (end.plus(KEPT), true)] {
            assert_eq!(is_over(1, now), over, "{now}");
        }
    }
}
