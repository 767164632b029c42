//! Rows by their keys: what every aggregate in a database file does alike.

use std::fmt::Write as _;
use std::ops::Bound;

use redb::{ReadTransaction, ReadableTable, TableDefinition, TableHandle, WriteTransaction};

use super::engine::{Engine, failed, table};
use crate::bulk::{Item, PAGE_ITEMS, Page, Place};
use crate::error::StoreError;
use crate::record::rows::Row;

/// A table of rows.
pub type Rows = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// Reads the row of `key`.
pub fn find<R: Row>(
    read: &ReadTransaction,
    rows: Rows,
    key: &[u8],
) -> Result<Option<R>, StoreError> {
    let Some(table) = table(read, rows)? else {
        return Ok(None);
    };
    let value = table.get(key).map_err(failed)?;
    value.map(|value| decode(rows, key, value.value())).transpose()
}

/// Reads the row of `key` inside a write.
pub fn find_in<R: Row>(
    write: &WriteTransaction,
    rows: Rows,
    key: &[u8],
) -> Result<Option<R>, StoreError> {
    let table = write.open_table(rows).map_err(failed)?;
    let value = table.get(key).map_err(failed)?;
    value.map(|value| decode(rows, key, value.value())).transpose()
}

/// Writes the row of `key`.
pub fn put<R: Row>(
    write: &WriteTransaction,
    rows: Rows,
    key: &[u8],
    row: &R,
) -> Result<(), StoreError> {
    let mut table = write.open_table(rows).map_err(failed)?;
    table.insert(key, row.to_bytes().as_slice()).map_err(failed)?;
    Ok(())
}

/// Writes rows whose keys are new, all or none. A key that is taken is a refusal.
pub fn put_new<'a, R: Row + 'a>(
    write: &WriteTransaction,
    rows: Rows,
    new: impl Iterator<Item = (&'a [u8], &'a R)> + Clone,
) -> Result<Result<(), StoreError>, StoreError> {
    let mut table = write.open_table(rows).map_err(failed)?;
    for (key, _) in new.clone() {
        if table.get(key).map_err(failed)?.is_some() {
            let taken = format!("{} is taken", place(rows, key));
            return Ok(Err(StoreError::unavailable("insert", taken)));
        }
    }
    for (key, row) in new {
        table.insert(key, row.to_bytes().as_slice()).map_err(failed)?;
    }
    Ok(Ok(()))
}

/// A page of rows by key, for an archive.
pub fn page<R: Row>(
    engine: &Engine,
    rows: Rows,
    after: Option<&Place>,
    item: impl Fn(&[u8], R) -> Result<Item, StoreError>,
) -> Result<Page, StoreError> {
    engine.read(|read| {
        let Some(table) = table(read, rows)? else { return Ok(Page::default()) };
        let from = after.map_or(Bound::Unbounded, |place| Bound::Excluded(&place.0[..]));
        let range = table.range::<&[u8]>((from, Bound::Unbounded)).map_err(failed)?;
        let mut page = Page::default();
        for row in range.take(PAGE_ITEMS) {
            let (key, value) = row.map_err(failed)?;
            let place = Place(key.value().to_vec());
            let row = decode(rows, key.value(), value.value())?;
            page.items.push((place, item(key.value(), row)?));
        }
        page.end();
        Ok(page)
    })
}

/// Reads a row's bytes.
pub fn decode<R: Row>(rows: Rows, key: &[u8], bytes: &[u8]) -> Result<R, StoreError> {
    R::from_bytes(bytes).map_err(|_| StoreError::corrupt("database", place(rows, key)))
}

/// Names a row in an error.
pub fn place(rows: Rows, key: &[u8]) -> String {
    let mut place = format!("table {}, key ", rows.name());
    for byte in key {
        let _ = write!(place, "{byte:02x}");
    }
    place
}
