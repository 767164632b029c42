//! Prepared statements, each of a kind that says what may be done with it.
//!
//! Made once when a store is opened. The text names keyspaces in braces: `{users}.accounts`.

use std::ops::{ControlFlow, Deref};
use std::time::Duration;

use scylla::client::execution_profile::ExecutionProfile;
use scylla::deserialize::row::DeserializeRow;
use scylla::errors::ExecutionError;
use scylla::response::PagingState;
use scylla::response::query_result::QueryResult;
use scylla::serialize::row::SerializeRow;
use scylla::statement::Statement;
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::prepared::PreparedStatement;
use scylla::value::{CqlValue, Row};
use tokio::time::{Instant, timeout_at};

use super::error::{never_happened, unread, unwritten};
use super::metrics::{Kind, Metrics};
use super::session::Database;
use crate::error::StoreError;

/// Times that a change is tried while others are faster, or while nobody knows.
const TRIES: u32 = 8;
/// And for how long, all attempts and looks together: whoever waits hears within 5 s (G10).
pub const CHANGE_TIMEOUT: Duration = Duration::from_secs(3);
/// Rows that are in memory at a time where there can be many.
const PAGE_ROWS: i32 = 1_000;

/// A read of what most copies have.
pub struct Read(Reading);

/// A read that takes part in the order of conditional writes: what it sees is settled, and what it
/// does not see, and was sent before, can no longer be half done.
pub struct SerialRead(Reading);

/// A write that may be made twice. Never into a partition with conditional writes.
pub struct Write(Prepared);

/// A write on a condition. Sent once.
pub struct Conditional(Prepared);

/// An addition to a counter. Sent once, as sending it twice would be adding it twice; nobody finds out
/// whether one of unknown outcome was made.
pub struct Addition(Prepared);

/// What came of a conditional write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The condition held, and it is written.
    Applied,
    /// The condition did not hold; nothing changed.
    Refused,
    /// Nobody knows, until a [`SerialRead`] has looked.
    Unknown,
}

/// A change that is tried until its outcome is settled: read, write on the condition of what was
/// read, read again.
pub struct Tries {
    operation: &'static str,
    deadline: Instant,
    left: u32,
    unsettled: bool,
}

/// Conditional statements of one partition, written together or not at all. Sent once.
pub struct ConditionalBatch(Together);

/// Writes of one partition that may be made twice, each with its own stamp, sent together.
pub struct WriteBatch(Together);

struct Together {
    database: Database,
    kind: Kind,
    batch: Batch,
    values: Vec<Vec<CqlValue>>,
}

impl Together {
    fn new(database: &Database, profile: &ExecutionProfile, kind: Kind) -> Self {
        // One partition is one copy's own commit: a log of the batch would only cost.
        let mut batch = Batch::new(BatchType::Unlogged);
        batch.set_is_idempotent(kind == Kind::Write);
        batch.set_execution_profile_handle(Some(profile.clone().into_handle()));
        Self { database: database.clone(), kind, batch, values: Vec::new() }
    }

    fn add(&mut self, prepared: &Prepared, values: Vec<CqlValue>) {
        self.batch.append_statement(prepared.statement.clone());
        self.values.push(values);
    }

    async fn execute(&self) -> Result<QueryResult, ExecutionError> {
        let began = Instant::now();
        let result = self.database.session().batch(&self.batch, &self.values).await;
        self.database.metrics().ended(self.kind, began, &result);
        result
    }
}

impl ConditionalBatch {
    /// Nothing so far.
    pub fn new(database: &Database) -> Self {
        Self(Together::new(database, &database.profiles().once, Kind::Conditional))
    }

    /// Adds a statement with its values.
    pub fn add(&mut self, statement: &Conditional, values: Vec<CqlValue>) {
        self.0.add(&statement.0, values);
    }

    /// Writes all of it if every condition holds. An error means that nothing changed.
    pub async fn run(&self, operation: &'static str) -> Result<Answer, StoreError> {
        let _passage = self.0.database.gate().enter(operation)?;
        settled(self.0.database.metrics(), operation, self.0.execute().await)
    }
}

impl WriteBatch {
    /// Nothing so far.
    pub fn new(database: &Database) -> Self {
        Self(Together::new(database, &database.profiles().repeatable, Kind::Write))
    }

    /// Adds a write with its values.
    pub fn add(&mut self, statement: &Write, values: Vec<CqlValue>) {
        self.0.add(&statement.0, values);
    }

    /// Writes all of it.
    pub async fn run(&self, operation: &'static str) -> Result<(), StoreError> {
        let _passage = self.0.database.gate().enter(operation)?;
        written(self.0.database.metrics(), operation, self.0.execute().await)
    }
}

struct Prepared {
    database: Database,
    kind: Kind,
    statement: PreparedStatement,
}

/// What a row is made from.
pub trait Columns: for<'a> DeserializeRow<'a, 'a> {}

impl<T: for<'a> DeserializeRow<'a, 'a>> Columns for T {}

impl Read {
    /// Prepares a read.
    pub async fn prepare(database: &Database, text: &str) -> Result<Self, StoreError> {
        Ok(Self(Reading(Prepared::new(database, text, Kind::Read).await?)))
    }
}

impl SerialRead {
    /// Prepares a read with serial consistency.
    pub async fn prepare(database: &Database, text: &str) -> Result<Self, StoreError> {
        let mut prepared = Prepared::new(database, text, Kind::SerialRead).await?;
        prepared.statement.set_consistency(database.profiles().serial);
        Ok(Self(Reading(prepared)))
    }
}

/// What both kinds of reads do.
pub struct Reading(Prepared);

impl Reading {
    /// Reads all rows: the statement bounds how many there can be.
    pub async fn rows<R: Columns>(
        &self,
        operation: &'static str,
        values: impl SerializeRow + Sync,
    ) -> Result<Vec<R>, StoreError> {
        let result = self.0.execute(values).await.map_err(|error| unread(operation, error))?;
        self.rows_of(operation, result)
    }

    /// Reads all rows, however many there are: each page is taken before the next is asked for.
    pub async fn pages<R: Columns>(
        &self,
        operation: &'static str,
        values: impl SerializeRow + Sync,
        mut take: impl FnMut(Vec<R>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let Prepared { database, kind, statement } = &self.0;
        let mut from = PagingState::start();
        loop {
            let began = Instant::now();
            let page = database.session().execute_single_page(statement, &values, from).await;
            database.metrics().ended(*kind, began, &page);
            let (page, next) = page.map_err(|error| unread(operation, error))?;
            take(self.rows_of(operation, page)?)?;
            match next.into_paging_control_flow() {
                ControlFlow::Continue(next) => from = next,
                ControlFlow::Break(()) => return Ok(()),
            }
        }
    }

    fn rows_of<R: Columns>(
        &self,
        operation: &'static str,
        result: QueryResult,
    ) -> Result<Vec<R>, StoreError> {
        let damaged = || StoreError::corrupt(operation, self.0.statement.get_statement());
        let rows = result.into_rows_result().map_err(|_| damaged())?;
        let rows = rows.rows::<R>().map_err(|_| damaged())?;
        rows.collect::<Result<_, _>>().map_err(|_| damaged())
    }

    /// Reads the row there is, if there is one.
    pub async fn row<R: Columns>(
        &self,
        operation: &'static str,
        values: impl SerializeRow + Sync,
    ) -> Result<Option<R>, StoreError> {
        Ok(self.rows(operation, values).await?.into_iter().next())
    }
}

impl Deref for Read {
    type Target = Reading;

    fn deref(&self) -> &Reading {
        &self.0
    }
}

impl Deref for SerialRead {
    type Target = Reading;

    fn deref(&self) -> &Reading {
        &self.0
    }
}

impl Write {
    /// Prepares a write.
    pub async fn prepare(database: &Database, text: &str) -> Result<Self, StoreError> {
        Ok(Self(Prepared::new(database, text, Kind::Write).await?))
    }

    /// Writes.
    pub async fn run(
        &self,
        operation: &'static str,
        values: impl SerializeRow + Sync,
    ) -> Result<(), StoreError> {
        let _passage = self.0.database.gate().enter(operation)?;
        written(self.0.database.metrics(), operation, self.0.execute(values).await)
    }
}

impl Conditional {
    /// Prepares a conditional write.
    pub async fn prepare(database: &Database, text: &str) -> Result<Self, StoreError> {
        Ok(Self(Prepared::new(database, text, Kind::Conditional).await?))
    }

    /// Writes if the condition holds. An error means that nothing changed.
    pub async fn run(
        &self,
        operation: &'static str,
        values: impl SerializeRow + Sync,
    ) -> Result<Answer, StoreError> {
        let _passage = self.0.database.gate().enter(operation)?;
        settled(self.0.database.metrics(), operation, self.0.execute(values).await)
    }
}

impl Addition {
    /// Prepares an addition.
    pub async fn prepare(database: &Database, text: &str) -> Result<Self, StoreError> {
        Ok(Self(Prepared::new(database, text, Kind::Addition).await?))
    }

    /// Adds.
    pub async fn run(
        &self,
        operation: &'static str,
        values: impl SerializeRow + Sync,
    ) -> Result<(), StoreError> {
        let _passage = self.0.database.gate().enter(operation)?;
        match self.0.execute(values).await {
            Ok(_) => Ok(()),
            Err(error) if never_happened(&error) => Err(unread(operation, error)),
            Err(error) => {
                tracing::debug!(operation, %error, "nobody knows whether this was added");
                self.0.database.metrics().lost_sight(Kind::Addition);
                Err(StoreError::Unknown { operation })
            }
        }
    }
}

/// What came of a write that may be made twice.
fn written(
    metrics: &Metrics,
    operation: &'static str,
    result: Result<QueryResult, ExecutionError>,
) -> Result<(), StoreError> {
    let written = result.map(|_| ()).map_err(|error| unwritten(operation, &error));
    if matches!(written, Err(StoreError::Unknown { .. })) {
        metrics.lost_sight(Kind::Write);
    }
    written
}

/// What came of a conditional statement or batch that was sent once.
fn settled(
    metrics: &Metrics,
    operation: &'static str,
    result: Result<QueryResult, ExecutionError>,
) -> Result<Answer, StoreError> {
    match result {
        Ok(result) => {
            let answer = applied(operation, result)?;
            if answer == Answer::Refused {
                metrics.conflicted();
            }
            Ok(answer)
        }
        Err(error) if never_happened(&error) => Err(unread(operation, error)),
        Err(error) => {
            tracing::debug!(operation, %error, "a conditional write has no known outcome");
            metrics.lost_sight(Kind::Conditional);
            Ok(Answer::Unknown)
        }
    }
}

/// What a conditional statement or batch answered. The column is found by its name: Cassandra sends
/// it alone when the condition held, Scylla always sends the old row as well.
fn applied(operation: &'static str, result: QueryResult) -> Result<Answer, StoreError> {
    let damaged = || StoreError::corrupt(operation, "the answer to a conditional write");
    let rows = result.into_rows_result().map_err(|_| damaged())?;
    let (column, _) = rows.column_specs().get_by_name("[applied]").ok_or_else(damaged)?;
    let row = rows.first_row::<Row>().map_err(|_| damaged())?;
    match row.columns.get(column) {
        Some(Some(CqlValue::Boolean(true))) => Ok(Answer::Applied),
        Some(Some(CqlValue::Boolean(false))) => Ok(Answer::Refused),
        _ => Err(damaged()),
    }
}

impl Tries {
    /// Nothing was tried yet.
    pub fn new(operation: &'static str) -> Self {
        let deadline = Instant::now() + CHANGE_TIMEOUT;
        Self { operation, deadline, left: TRIES, unsettled: false }
    }

    /// The next step of the same change, which has what is left of its time.
    #[must_use]
    pub fn next_step(&self) -> Self {
        Self { left: TRIES, unsettled: false, ..*self }
    }

    /// Whether an attempt may have been applied without anybody knowing.
    pub fn unsettled(&self) -> bool {
        self.unsettled
    }

    /// Makes an attempt: `true` when it was applied, `false` when the caller has to read and decide
    /// again. After too many, or too long, or an error, it says what can have happened.
    pub async fn settle(
        &mut self,
        attempt: impl Future<Output = Result<Answer, StoreError>>,
    ) -> Result<bool, StoreError> {
        // One that is cut short may yet be applied.
        let answer = timeout_at(self.deadline, attempt).await.unwrap_or(Ok(Answer::Unknown));
        let answer = answer.map_err(|error| self.meaning(error))?;
        self.unsettled |= answer == Answer::Unknown;
        if answer == Answer::Applied {
            return Ok(true);
        }
        self.left -= 1;
        if self.left > 0 && Instant::now() < self.deadline {
            return Ok(false);
        }
        let busy = StoreError::unavailable(self.operation, "others change the same all the time");
        Err(self.meaning(busy))
    }

    /// Makes a read between attempts. Its error says what can have come of them.
    pub async fn after<T>(
        &self,
        read: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let late = |_| Err(StoreError::unavailable(self.operation, "no answer in time"));
        let read = timeout_at(self.deadline, read).await;
        read.unwrap_or_else(late).map_err(|error| self.meaning(error))
    }

    /// An error as what it means for the change.
    fn meaning(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Unavailable { .. } if self.unsettled => {
                StoreError::Unknown { operation: self.operation }
            }
            other => other,
        }
    }
}

impl Prepared {
    async fn new(database: &Database, text: &str, kind: Kind) -> Result<Self, StoreError> {
        let profile = match kind {
            Kind::Read | Kind::Write => &database.profiles().repeatable,
            // Asking several nodes at once would have them compete for the same partition.
            // And each of them would add.
            Kind::SerialRead | Kind::Conditional | Kind::Addition => &database.profiles().once,
        };
        let text = database.keyspaces().fill(text);
        let prepared = database.session().prepare(Statement::new(&text)).await;
        let mut statement =
            prepared.map_err(|error| unread("prepare a statement", format!("{error} ({text})")))?;
        statement.set_execution_profile_handle(Some(profile.clone().into_handle()));
        statement.set_is_idempotent(!matches!(kind, Kind::Conditional | Kind::Addition));
        statement.set_page_size(PAGE_ROWS);
        Ok(Self { database: database.clone(), kind, statement })
    }

    async fn execute(
        &self,
        values: impl SerializeRow + Sync,
    ) -> Result<QueryResult, ExecutionError> {
        let began = Instant::now();
        let result = self.database.session().execute_unpaged(&self.statement, values).await;
        self.database.metrics().ended(self.kind, began, &result);
        result
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::time::sleep;

    use super::*;

    fn unavailable() -> StoreError {
        StoreError::unavailable("try", "nobody is there")
    }

    #[tokio::test]
    async fn an_error_behind_an_unknown_outcome_leaves_it_unknown() {
        let mut tries = Tries::new("try");
        assert!(!tries.settle(ready(Ok(Answer::Refused))).await.expect("go on"));
        let failed = tries.after(ready(Err::<(), _>(unavailable()))).await;
        assert!(matches!(failed, Err(StoreError::Unavailable { .. })), "nothing was written");
        assert!(!tries.settle(ready(Ok(Answer::Unknown))).await.expect("go on"));
        assert!(tries.unsettled());
        let failed = tries.after(ready(Err::<(), _>(unavailable()))).await;
        assert!(matches!(failed, Err(StoreError::Unknown { .. })), "{failed:?}");
        let failed = tries.settle(ready(Err(unavailable()))).await;
        assert!(matches!(failed, Err(StoreError::Unknown { .. })), "{failed:?}");
        assert!(tries.settle(ready(Ok(Answer::Applied))).await.expect("an end"));
    }

    #[tokio::test]
    async fn a_change_is_not_tried_for_ever() {
        let mut tries = Tries::new("try");
        for _ in 1..TRIES {
            assert!(!tries.settle(ready(Ok(Answer::Refused))).await.expect("go on"));
        }
        let refused = tries.settle(ready(Ok(Answer::Refused))).await;
        assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn g10_all_attempts_together_end_in_time() {
        let begun = Instant::now();
        let tries = Tries::new("try");
        let late = tries.after(pending::<Result<(), _>>()).await;
        assert!(matches!(late, Err(StoreError::Unavailable { .. })), "nothing was written");
        assert_eq!(begun.elapsed(), CHANGE_TIMEOUT);

        let (begun, mut tries) = (Instant::now(), Tries::new("try"));
        let slow = async {
            sleep(CHANGE_TIMEOUT / 3).await;
            Ok(Answer::Unknown)
        };
        assert!(!tries.settle(slow).await.expect("go on"));
        assert!(tries.after(ready(Ok(()))).await.is_ok(), "who looks can still answer");
        let late = tries.settle(pending()).await;
        assert!(matches!(late, Err(StoreError::Unknown { .. })), "{late:?}");
        assert_eq!(begun.elapsed(), CHANGE_TIMEOUT);
    }
}
