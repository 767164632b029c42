//! Reports by id, and by time.

use std::ops::Bound::{Excluded, Included};

use async_trait::async_trait;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::ReportId;
use redb::TableDefinition;

use super::engine::{Engine, failed, table as open};
use super::table::{self, Rows, find, find_in, put};
use crate::bulk::{Item, Page, Place};
use crate::error::StoreError;
use crate::reports::{Report, Reports};

const REPORTS: Rows = TableDefinition::new("reports");
const BY_TIME: TableDefinition<'static, &[u8; 24], ()> = TableDefinition::new("reports_by_time");

/// Reports by id, and by time.
pub struct EmbeddedReports(pub Engine);

fn by_time(at: Timestamp, id: [u8; 16]) -> [u8; 24] {
    let mut key = [0; 24];
    key[..8].copy_from_slice(&at.as_millis().to_be_bytes());
    key[8..].copy_from_slice(&id);
    key
}

#[async_trait]
impl Reports for EmbeddedReports {
    async fn insert(&self, report: Report) -> Result<bool, StoreError> {
        let insert = move |write: &redb::WriteTransaction| {
            let key = report.id.as_bytes();
            if find_in::<Report>(write, REPORTS, key)?.is_some() {
                return Ok(false);
            }
            put_report(write, &report)?;
            Ok(true)
        };
        self.0.write(insert).await
    }

    async fn find(&self, id: ReportId) -> Result<Option<Report>, StoreError> {
        self.0.read(|read| find(read, REPORTS, id.as_bytes()))
    }

    async fn list(
        &self,
        before: Option<(Timestamp, ReportId)>,
        limit: usize,
    ) -> Result<Vec<Report>, StoreError> {
        self.0.read(|read| {
            let Some(index) = open(read, BY_TIME)? else { return Ok(Vec::new()) };
            let last = [0xff; 24];
            let before = before.map(|(at, id)| by_time(at, *id.as_bytes()));
            let to = before.as_ref().map_or(Included(&last), Excluded);
            let range = index.range::<&[u8; 24]>((Included(&[0; 24]), to)).map_err(failed)?;
            let mut reports = Vec::new();
            for row in range.rev().take(limit) {
                let (key, _) = row.map_err(failed)?;
                reports.extend(find(read, REPORTS, &key.value()[8..])?);
            }
            Ok(reports)
        })
    }
}

/// A page of them, for an archive.
pub(super) fn page(engine: &Engine, after: Option<&Place>) -> Result<Page, StoreError> {
    table::page(engine, REPORTS, after, |_, report| Ok(Item::Report(Box::new(report))))
}

/// One of them, for an archive.
pub(super) fn item(read: &redb::ReadTransaction, id: ReportId) -> Result<Option<Item>, StoreError> {
    Ok(find(read, REPORTS, id.as_bytes())?.map(|report| Item::Report(Box::new(report))))
}

/// Puts one, and where it stands by time.
pub(super) fn put_report(
    write: &redb::WriteTransaction,
    report: &Report,
) -> Result<(), StoreError> {
    let key = report.id.as_bytes();
    put(write, REPORTS, key, report)?;
    let mut index = write.open_table(BY_TIME).map_err(failed)?;
    index.insert(&by_time(report.at, *key), ()).map_err(failed)?;
    Ok(())
}
