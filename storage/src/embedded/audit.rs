//! What staff and the system did, by number.

use std::ops::Bound;

use async_trait::async_trait;
use redb::{ReadableTable as _, TableDefinition};

use super::engine::{Engine, failed, table as open};
use super::table::{self, Rows, decode, find, put};
use crate::audit::{Audit, AuditEntry, AuditRecord};
use crate::bulk::{Item, Page, Place};
use crate::error::StoreError;

const ENTRIES: Rows = TableDefinition::new("audit");

/// What staff and the system did.
pub struct EmbeddedAudit(pub Engine);

#[async_trait]
impl Audit for EmbeddedAudit {
    async fn append(&self, record: AuditRecord) -> Result<AuditEntry, StoreError> {
        let record = record.checked()?;
        let append = move |write: &redb::WriteTransaction| {
            let last: Option<AuditEntry> = {
                let entries = write.open_table(ENTRIES).map_err(failed)?;
                let last = entries.last().map_err(failed)?;
                last.map(|(key, value)| decode(ENTRIES, key.value(), value.value())).transpose()?
            };
            let entry = AuditEntry::behind(last.as_ref(), record);
            put_entry(write, &entry)?;
            Ok(entry)
        };
        self.0.write(append).await
    }

    async fn list(&self, after: Option<u64>, limit: usize) -> Result<Vec<AuditEntry>, StoreError> {
        self.0.read(|read| {
            let Some(entries) = open(read, ENTRIES)? else { return Ok(Vec::new()) };
            let after = after.map(u64::to_be_bytes);
            let from = after.as_ref().map_or(Bound::Unbounded, |key| Bound::Excluded(&key[..]));
            let range = entries.range::<&[u8]>((from, Bound::Unbounded)).map_err(failed)?;
            let listed = range.take(limit).map(|row| {
                let (key, value) = row.map_err(failed)?;
                decode(ENTRIES, key.value(), value.value())
            });
            listed.collect()
        })
    }
}

/// A page of them, for an archive.
pub(super) fn page(engine: &Engine, after: Option<&Place>) -> Result<Page, StoreError> {
    table::page(engine, ENTRIES, after, |_, entry| Ok(Item::AuditEntry(Box::new(entry))))
}

/// One of them, for an archive.
pub(super) fn item(read: &redb::ReadTransaction, number: u64) -> Result<Option<Item>, StoreError> {
    let found = find(read, ENTRIES, &number.to_be_bytes())?;
    Ok(found.map(|entry| Item::AuditEntry(Box::new(entry))))
}

/// Puts one.
pub(super) fn put_entry(
    write: &redb::WriteTransaction,
    entry: &AuditEntry,
) -> Result<(), StoreError> {
    put(write, ENTRIES, &entry.number.to_be_bytes(), entry)
}
