//! Codes by the hash of their secret.

use async_trait::async_trait;
use barterline_domain::clock::Timestamp;
use uuid::Uuid;

use super::session::Database;
use super::statements::{Conditional, SerialRead, Tries};
use crate::codes::{Code, CodeHash, CodePurpose, Codes};
use crate::error::StoreError;
use crate::record::rows::Row as _;

/// Seconds that a row outlives its code, whose end is told by another clock.
const GRACE_S: u64 = 24 * 60 * 60;

/// What stands of a code: it may be ending.
type Columns = (Option<Vec<u8>>, Option<Uuid>, Option<i32>);

/// Codes by the hash of their secret.
pub struct ScyllaCodes {
    insert: Conditional,
    take: Conditional,
    settled: SerialRead,
}

impl ScyllaCodes {
    /// Prepares the statements.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        Ok(Self {
            insert: Conditional::prepare(
                database,
                "INSERT INTO {credentials}.codes (hash, record, taker) VALUES (?, ?, ?) \
                 IF NOT EXISTS USING TTL ?",
            )
            .await?,
            take: Conditional::prepare(
                database,
                "UPDATE {credentials}.codes USING TTL ? SET taker = ? WHERE hash = ? IF taker = ?",
            )
            .await?,
            settled: SerialRead::prepare(
                database,
                "SELECT record, taker, TTL(record) FROM {credentials}.codes WHERE hash = ?",
            )
            .await?,
        })
    }
}

#[async_trait]
impl Codes for ScyllaCodes {
    async fn insert(&self, code: Code) -> Result<(), StoreError> {
        let operation = "insert a code";
        let lives_ms = code.expires_at.as_millis().saturating_sub(code.created_at.as_millis());
        let ttl_s = i32::try_from(lives_ms / 1_000 + GRACE_S).map_err(|_| {
            StoreError::unavailable(operation, "it is to live longer than the database can say")
        })?;
        let record = code.to_bytes();
        let mut tries = Tries::new(operation);
        loop {
            let values = (&code.hash[..], &record, Uuid::nil(), ttl_s);
            if tries.settle(self.insert.run(operation, values)).await? {
                return Ok(());
            }
            let settled = self.settled.row::<Columns>(operation, (&code.hash[..],));
            if let Some((stands, _, _)) = tries.after(settled).await? {
                let ours = tries.unsettled() && stands.as_ref() == Some(&record);
                let taken = StoreError::unavailable(operation, "its hash is taken");
                return if ours { Ok(()) } else { Err(taken) };
            }
        }
    }

    async fn take(
        &self,
        hash: CodeHash,
        purpose: CodePurpose,
        now: Timestamp,
    ) -> Result<Option<Code>, StoreError> {
        let operation = "take a code";
        // Names this call, so that its own attempt is told from another's.
        let taker = Uuid::new_v4();
        let mut tries = Tries::new(operation);
        loop {
            let settled = self.settled.row::<Columns>(operation, (&hash[..],));
            let Some((Some(record), Some(stands), Some(ttl_s))) = tries.after(settled).await?
            else {
                return Ok(None);
            };
            let damaged = |_| StoreError::corrupt(operation, "table codes");
            let code = Code::from_bytes(&record).map_err(damaged)?;
            if stands == taker {
                return Ok(Some(code));
            }
            if stands != Uuid::nil() || code.purpose != purpose || now >= code.expires_at {
                return Ok(None);
            }
            // Ends together with the rest of the row; nothing would be never.
            let values = (ttl_s.max(1), taker, &hash[..], Uuid::nil());
            if tries.settle(self.take.run(operation, values)).await? {
                return Ok(Some(code));
            }
        }
    }
}
