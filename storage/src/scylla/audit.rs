//! What staff and the system did, by number, in buckets of as many.
//!
//! An entry is appended on the condition that its number is free, and only behind one that was read
//! with serial consistency: so numbers have no gaps, and each hash follows the one before it. Which
//! bucket is the last is remembered, and looked for from there.

use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use tokio::sync::Mutex;

use super::session::Database;
use super::statements::{Conditional, Read, SerialRead, Tries, Write};
use crate::audit::{Audit, AuditEntry, AuditRecord};
use crate::error::StoreError;
use crate::record::rows::Row as _;

/// Entries of a bucket.
const BUCKET: i64 = 4_096;

/// What staff and the system did.
pub struct ScyllaAudit {
    append: Conditional,
    tail: SerialRead,
    settled: SerialRead,
    begun: Read,
    page: Read,
    import: Write,
    /// A bucket that has entries, or the first.
    bucket: AtomicI64,
    /// This process appends one after another: else each would be in the way of the others.
    turn: Mutex<()>,
}

impl ScyllaAudit {
    /// Prepares the statements.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        Ok(Self {
            append: Conditional::prepare(
                database,
                "INSERT INTO {operations}.audit (bucket, number, record) VALUES (?, ?, ?) \
                 IF NOT EXISTS",
            )
            .await?,
            tail: SerialRead::prepare(
                database,
                "SELECT record FROM {operations}.audit WHERE bucket = ? \
                 ORDER BY number DESC LIMIT 1",
            )
            .await?,
            settled: SerialRead::prepare(
                database,
                "SELECT record FROM {operations}.audit WHERE bucket = ? AND number = ?",
            )
            .await?,
            begun: Read::prepare(
                database,
                "SELECT number FROM {operations}.audit WHERE bucket = ? LIMIT 1",
            )
            .await?,
            page: Read::prepare(
                database,
                "SELECT record FROM {operations}.audit WHERE bucket = ? AND number > ? LIMIT ?",
            )
            .await?,
            import: Write::prepare(
                database,
                "INSERT INTO {operations}.audit (bucket, number, record) VALUES (?, ?, ?) \
                 USING TIMESTAMP ?",
            )
            .await?,
            bucket: AtomicI64::new(0),
            turn: Mutex::new(()),
        })
    }

    /// Puts one from an archive.
    pub(super) async fn import(&self, entry: &AuditEntry, stamp: i64) -> Result<(), StoreError> {
        let operation = "import an entry of the audit";
        let number = stored(operation, entry.number)?;
        self.import.run(operation, (number / BUCKET, number, entry.to_bytes(), stamp)).await
    }

    /// The entry of a number.
    pub(super) async fn find(&self, number: u64) -> Result<Option<AuditEntry>, StoreError> {
        let below = number.checked_sub(1);
        let found = self.list(below, 1).await?.into_iter().next();
        Ok(found.filter(|entry| entry.number == number))
    }

    /// The last entry, as every append before left it.
    async fn last(&self, operation: &'static str) -> Result<Option<AuditEntry>, StoreError> {
        let mut bucket = self.bucket.load(Ordering::Relaxed);
        loop {
            let row = self.tail.row::<(Vec<u8>,)>(operation, (bucket,)).await?;
            let Some(last) = row.map(read).transpose()? else { return Ok(None) };
            if stored(operation, last.number)? % BUCKET < BUCKET - 1 {
                return Ok(Some(last));
            }
            let newest = self.last_begun(operation, bucket).await?;
            if newest == bucket {
                return Ok(Some(last));
            }
            bucket = newest;
            self.bucket.fetch_max(bucket, Ordering::Relaxed);
        }
    }

    /// The last bucket from `known` on that has entries: all before it have some.
    async fn last_begun(&self, operation: &'static str, known: i64) -> Result<i64, StoreError> {
        let begun = async |bucket: i64| {
            Ok::<_, StoreError>(self.begun.row::<(i64,)>(operation, (bucket,)).await?.is_some())
        };
        let (mut last, mut step) = (known, 1);
        while begun(last + step).await? {
            last += step;
            step *= 2;
        }
        while step > 1 {
            step /= 2;
            if begun(last + step).await? {
                last += step;
            }
        }
        Ok(last)
    }
}

#[async_trait]
impl Audit for ScyllaAudit {
    async fn append(&self, record: AuditRecord) -> Result<AuditEntry, StoreError> {
        let operation = "append to the audit";
        let record = record.checked()?;
        let mut tries = Tries::new(operation);
        let _turn = tries.after(async { Ok(self.turn.lock().await) }).await?;
        loop {
            let last = tries.after(self.last(operation)).await?;
            let entry = AuditEntry::behind(last.as_ref(), record.clone());
            let number = stored(operation, entry.number)?;
            let bytes = entry.to_bytes();
            let values = (number / BUCKET, number, &bytes);
            if tries.settle(self.append.run(operation, values)).await? {
                return Ok(entry);
            }
            if tries.unsettled() {
                let settled = self.settled.row(operation, (number / BUCKET, number));
                let stands: Option<(Vec<u8>,)> = tries.after(settled).await?;
                if stands.is_some_and(|(stands,)| stands == bytes) {
                    return Ok(entry);
                }
            }
        }
    }

    async fn list(&self, after: Option<u64>, limit: usize) -> Result<Vec<AuditEntry>, StoreError> {
        let operation = "list the audit";
        // Behind the last number that there can be is nothing.
        let Ok(mut after) = after.map_or(Ok(-1), i64::try_from) else { return Ok(Vec::new()) };
        let mut listed = Vec::new();
        while listed.len() < limit {
            let Some(next) = after.checked_add(1) else { break };
            let bucket = next / BUCKET;
            let left = i32::try_from(limit - listed.len()).unwrap_or(i32::MAX);
            let rows = self.page.rows::<(Vec<u8>,)>(operation, (bucket, after, left)).await?;
            let before = listed.len();
            for row in rows {
                listed.push(read(row)?);
            }
            let Some(last) = listed.get(before..).and_then(<[AuditEntry]>::last) else { break };
            after = stored(operation, last.number)?;
        }
        Ok(listed)
    }
}

/// A number as it is stored: none comes near the end.
fn stored(operation: &'static str, number: u64) -> Result<i64, StoreError> {
    let damaged = |_| StoreError::corrupt(operation, format!("entry {number} of the audit"));
    i64::try_from(number).map_err(damaged)
}

fn read((record,): (Vec<u8>,)) -> Result<AuditEntry, StoreError> {
    AuditEntry::from_bytes(&record)
        .map_err(|_| StoreError::corrupt("read the audit", "table audit"))
}
