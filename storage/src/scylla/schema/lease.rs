//! Who may change the schema, and how far it has come: one row.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::SchemaError;
use crate::error::StoreError;
use crate::scylla::session::Database;
use crate::scylla::statements::{Conditional, Read, SerialRead, Tries};

/// The table's name, in the keyspace for operations.
pub const TABLE: &str = "schema_steps";

const OPERATION: &str = "change the schema";
/// The one row.
const PART: &str = "schema";
/// Between two looks at who has the lease.
const PAUSE: Duration = Duration::from_millis(500);
/// Looks at the row before it is given up: nodes that take up a schema are late with all else.
const LOOKS: u32 = 10;
/// A lease that is younger is not renewed yet. With a statement of a minute (session.rs) behind it
/// there are 30 s left of the two minutes.
const YOUNG: Duration = Duration::from_secs(30);

/// The right to change the schema. It ends by itself, by the database's own clock, two minutes after
/// it was taken or renewed.
pub struct Lease {
    holder: Uuid,
    renew: Conditional,
    first: Conditional,
    next: Conditional,
    give_back: Conditional,
    read: SerialRead,
    renewed: Instant,
}

/// The statement that makes the table. Nobody holds a lease yet, so several may say it at once: with
/// an id that follows from its name they all make the same table.
///
/// A partition is the one row; every write is conditional.
pub fn create_table(keyspace: &str) -> String {
    let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{keyspace}.{TABLE}").as_bytes());
    format!(
        "CREATE TABLE IF NOT EXISTS {keyspace}.{TABLE} \
         (part text PRIMARY KEY, version int, holder uuid) WITH id = '{id}'"
    )
}

/// Steps made, whoever is at work.
pub async fn version(database: &Database) -> Result<u32, StoreError> {
    let text = "SELECT version FROM {operations}.schema_steps WHERE part = ?";
    let read = SerialRead::prepare(database, text).await?;
    let row = patiently(async || read.row(OPERATION, (PART,)).await).await?;
    Ok(count(row.and_then(|(version,)| version)))
}

impl Lease {
    /// Waits for the lease.
    pub async fn take(database: &Database, patience: Duration) -> Result<Self, SchemaError> {
        let conditional = |text| Conditional::prepare(database, text);
        let take = conditional(
            "UPDATE {operations}.schema_steps USING TTL 120 SET holder = ? WHERE part = ? \
             IF holder = null",
        )
        .await?;
        // Who waits looks without taking part in the order of writes, and keeps nobody up.
        let watch =
            Read::prepare(database, "SELECT holder FROM {operations}.schema_steps WHERE part = ?")
                .await?;
        let mut lease = Self {
            // The driver names every session anew.
            holder: database.session().session_id(),
            renew: conditional(
                "UPDATE {operations}.schema_steps USING TTL 120 SET holder = ? WHERE part = ? \
                 IF holder = ?",
            )
            .await?,
            first: conditional(
                "UPDATE {operations}.schema_steps SET version = ? WHERE part = ? \
                 IF holder = ? AND version = null",
            )
            .await?,
            next: conditional(
                "UPDATE {operations}.schema_steps SET version = ? WHERE part = ? \
                 IF holder = ? AND version = ?",
            )
            .await?,
            give_back: conditional(
                "DELETE holder FROM {operations}.schema_steps WHERE part = ? IF holder = ?",
            )
            .await?,
            read: SerialRead::prepare(
                database,
                "SELECT version, holder FROM {operations}.schema_steps WHERE part = ?",
            )
            .await?,
            renewed: Instant::now(),
        };
        let end = Instant::now() + patience;
        loop {
            let seen = patiently(async || watch.row(OPERATION, (PART,)).await).await?;
            if seen.and_then(|(holder,): (Option<Uuid>,)| holder).is_none() {
                lease.renewed = Instant::now();
                // What came of it is looked up in every case: an attempt that failed may have
                // succeeded.
                let _ = take.run(OPERATION, (lease.holder, PART)).await;
                if lease.row().await?.1 == Some(lease.holder) {
                    return Ok(lease);
                }
            }
            if Instant::now() >= end {
                return Err(SchemaError::Busy);
            }
            sleep(PAUSE).await;
        }
    }

    /// Steps made.
    pub async fn version(&self) -> Result<u32, StoreError> {
        Ok(count(self.row().await?.0))
    }

    /// Begins the lease anew, if it is not young. Fails when it has ended.
    pub async fn renew(&mut self) -> Result<(), StoreError> {
        if self.renewed.elapsed() < YOUNG {
            return Ok(());
        }
        self.renewed = Instant::now();
        let mut tries = Tries::new(OPERATION);
        while !tries.settle(self.renew.run(OPERATION, (self.holder, PART, self.holder))).await? {
            self.still_held(&tries).await?;
        }
        Ok(())
    }

    /// Writes down that the step with this number was made.
    pub async fn made(&mut self, number: u32) -> Result<(), StoreError> {
        let number = i32::try_from(number).unwrap_or(i32::MAX);
        let mut tries = Tries::new(OPERATION);
        loop {
            let before = self.still_held(&tries).await?;
            if before.is_some_and(|version| version >= number) {
                return Ok(());
            }
            let holder = self.holder;
            let attempt = async {
                match before {
                    Some(before) => self.next.run(OPERATION, (number, PART, holder, before)).await,
                    None => self.first.run(OPERATION, (number, PART, holder)).await,
                }
            };
            if tries.settle(attempt).await? {
                return Ok(());
            }
        }
    }

    /// Lets the next one have it.
    pub async fn give_back(self) -> Result<(), StoreError> {
        // Whatever comes of it: the lease ends by itself.
        self.give_back.run(OPERATION, (PART, self.holder)).await.map(|_| ())
    }

    /// The number of steps made, if the lease has not ended.
    async fn still_held(&self, tries: &Tries) -> Result<Option<i32>, StoreError> {
        let (version, holder) = tries.after(self.row()).await?;
        if holder == Some(self.holder) {
            return Ok(version);
        }
        Err(StoreError::unavailable(OPERATION, "another process has taken over; try again"))
    }

    async fn row(&self) -> Result<(Option<i32>, Option<Uuid>), StoreError> {
        let row = patiently(async || self.read.row(OPERATION, (PART,)).await).await?;
        Ok(row.unwrap_or((None, None)))
    }
}

/// Reads again while the database does not answer, though not for ever.
async fn patiently<T>(read: impl AsyncFn() -> Result<T, StoreError>) -> Result<T, StoreError> {
    for _ in 1..LOOKS {
        match read().await {
            Err(StoreError::Unavailable { .. }) => sleep(PAUSE).await,
            outcome => return outcome,
        }
    }
    read().await
}

fn count(version: Option<i32>) -> u32 {
    version.and_then(|version| u32::try_from(version).ok()).unwrap_or(0)
}
