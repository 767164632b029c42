//! Reports by id, and by time.

use async_trait::async_trait;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::ReportId;
use futures_util::future::{join_all, try_join};
use scylla::value::CqlTimestamp;

use super::columns::{ABOVE_EVERY_ID, Id as _, time, timestamp};
use super::session::Database;
use super::statements::{Conditional, Read, SerialRead, Tries, Write};
use crate::error::StoreError;
use crate::record::rows::Row as _;
use crate::reports::{Report, Reports};

const FIND: &str = "SELECT record FROM {operations}.reports WHERE id = ?";
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// Days that are asked for at once.
const DAYS: i32 = 366;
/// The one partition of days.
const PART: &str = "reports";

/// Reports by id, and by time.
pub struct ScyllaReports {
    insert: Conditional,
    find: Read,
    settled: SerialRead,
    note_day: Write,
    note: Write,
    days: Read,
    of_day: Read,
    import: Write,
}

impl ScyllaReports {
    /// Prepares the statements.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        Ok(Self {
            insert: Conditional::prepare(
                database,
                "INSERT INTO {operations}.reports (id, chat, reporter, reported, at, record) \
                 VALUES (?, ?, ?, ?, ?, ?) IF NOT EXISTS",
            )
            .await?,
            find: Read::prepare(database, FIND).await?,
            settled: SerialRead::prepare(database, FIND).await?,
            note_day: Write::prepare(
                database,
                "INSERT INTO {operations}.report_days (part, day) VALUES (?, ?)",
            )
            .await?,
            note: Write::prepare(
                database,
                "INSERT INTO {operations}.reports_by_day (day, at, report) VALUES (?, ?, ?)",
            )
            .await?,
            days: Read::prepare(
                database,
                "SELECT day FROM {operations}.report_days WHERE part = ? AND day <= ? LIMIT ?",
            )
            .await?,
            of_day: Read::prepare(
                database,
                "SELECT at, report FROM {operations}.reports_by_day \
                 WHERE day = ? AND (at, report) < (?, ?) LIMIT ?",
            )
            .await?,
            import: Write::prepare(
                database,
                "INSERT INTO {operations}.reports (id, chat, reporter, reported, at, record) \
                 VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?",
            )
            .await?,
        })
    }

    /// Writes down that there is this report. Means nothing until the report is there.
    async fn note(&self, operation: &'static str, report: &Report) -> Result<(), StoreError> {
        let (day, at) = (day(report.at), time(report.at));
        let noted = try_join(
            self.note_day.run(operation, (PART, day)),
            self.note.run(operation, (day, at, &report.id.as_bytes()[..])),
        );
        noted.await.map(|_| ())
    }

    /// Puts one from an archive.
    pub(super) async fn import(&self, report: &Report, stamp: i64) -> Result<(), StoreError> {
        let operation = "import a report";
        self.note(operation, report).await?;
        let values = (
            report.id.to_column(),
            report.chat.to_column(),
            report.reporter.to_column(),
            report.reported.to_column(),
            time(report.at),
            report.to_bytes(),
            stamp,
        );
        self.import.run(operation, values).await
    }

    /// The report that a row of the index names, if it is there and of that time: the index is
    /// written first, and a retry may come with another time.
    async fn named(&self, at: CqlTimestamp, id: &[u8]) -> Result<Option<Report>, StoreError> {
        let damaged = |_| StoreError::corrupt("list reports", "table reports_by_day");
        let found = self.find(ReportId::from_bytes(id.try_into().map_err(damaged)?)).await?;
        Ok(found.filter(|report| Some(report.at) == timestamp(at)))
    }

    /// Reports of one day below `before`, newest first.
    async fn of_day(
        &self,
        day: i32,
        mut before: (CqlTimestamp, Vec<u8>),
        limit: usize,
    ) -> Result<Vec<Report>, StoreError> {
        let mut reports = Vec::new();
        while reports.len() < limit {
            let page = limit - reports.len();
            let bound = i32::try_from(page).unwrap_or(i32::MAX);
            let values = (day, before.0, &before.1, bound);
            let named = self.of_day.rows::<(CqlTimestamp, Vec<u8>)>("list reports", values).await?;
            let Some(last) = named.last().cloned() else { break };
            for report in join_all(named.iter().map(|(at, id)| self.named(*at, id))).await {
                reports.extend(report?);
            }
            if named.len() < page {
                break;
            }
            before = last;
        }
        Ok(reports)
    }
}

#[async_trait]
impl Reports for ScyllaReports {
    async fn insert(&self, report: Report) -> Result<bool, StoreError> {
        let operation = "insert a report";
        let (id, at) = (report.id.to_column(), time(report.at));
        // Whatever stands there now, no report came to be.
        let failed = |_| StoreError::unavailable(operation, "the index by day takes no writes");
        self.note(operation, &report).await.map_err(failed)?;
        let record = report.to_bytes();
        let mut tries = Tries::new(operation);
        loop {
            let values = (
                id,
                report.chat.to_column(),
                report.reporter.to_column(),
                report.reported.to_column(),
                at,
                &record,
            );
            if tries.settle(self.insert.run(operation, values)).await? {
                return Ok(true);
            }
            let settled = self.settled.row::<(Vec<u8>,)>(operation, (id,));
            if let Some((stands,)) = tries.after(settled).await? {
                return Ok(tries.unsettled() && stands == record);
            }
        }
    }

    async fn find(&self, id: ReportId) -> Result<Option<Report>, StoreError> {
        let operation = "find a report";
        let row = self.find.row::<(Vec<u8>,)>(operation, (id.to_column(),)).await?;
        let damaged = |_| StoreError::corrupt(operation, format!("table reports, key {id}"));
        row.map(|(record,)| Report::from_bytes(&record).map_err(damaged)).transpose()
    }

    async fn list(
        &self,
        before: Option<(Timestamp, ReportId)>,
        limit: usize,
    ) -> Result<Vec<Report>, StoreError> {
        let top = (CqlTimestamp(i64::MAX), ABOVE_EVERY_ID.to_vec());
        let below = before.map_or(top, |(at, id)| (time(at), id.as_bytes().to_vec()));
        let mut newest = before.map_or(i32::MAX, |(at, _)| day(at));
        let mut reports = Vec::new();
        loop {
            let days = self.days.rows::<(i32,)>("list reports", (PART, newest, DAYS)).await?;
            for (day,) in &days {
                let left = limit - reports.len();
                if left == 0 {
                    return Ok(reports);
                }
                reports.extend(self.of_day(*day, below.clone(), left).await?);
            }
            match days.last() {
                Some((oldest,)) if days.len() == DAYS as usize => newest = oldest - 1,
                _ => return Ok(reports),
            }
        }
    }
}

fn day(at: Timestamp) -> i32 {
    i32::try_from(at.as_millis() / DAY_MS).unwrap_or(i32::MAX)
}
