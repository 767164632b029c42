//! Searches that people keep, by person.

use std::cmp::Reverse;

use async_trait::async_trait;
use barterline_domain::ids::{SavedSearchId, UserId};
use scylla::DeserializeRow;
use scylla::value::CqlTimestamp;
use uuid::Uuid;

use super::columns::{Id as _, time, timestamp};
use super::session::Database;
use super::statements::{Conditional, Read, SerialRead, Tries, Write};
use crate::error::StoreError;
use crate::saved_searches::{SavedSearch, SavedSearches};

const FIND: &str = "SELECT id, name, query, created_at FROM {listings}.saved_searches \
                    WHERE user_id = ? AND id = ?";

/// Searches that people keep, by person.
pub struct ScyllaSavedSearches {
    insert: Conditional,
    replace: Conditional,
    delete: Conditional,
    find: Read,
    settled: SerialRead,
    list: Read,
    import: Write,
    import_removal: Write,
}

#[derive(DeserializeRow)]
struct Columns {
    id: Uuid,
    name: String,
    query: String,
    created_at: CqlTimestamp,
}

impl ScyllaSavedSearches {
    /// Prepares the statements.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        Ok(Self {
            insert: Conditional::prepare(
                database,
                "INSERT INTO {listings}.saved_searches (user_id, id, name, query, created_at) \
                 VALUES (?, ?, ?, ?, ?) IF NOT EXISTS",
            )
            .await?,
            replace: Conditional::prepare(
                database,
                "UPDATE {listings}.saved_searches SET name = ?, query = ?, created_at = ? \
                 WHERE user_id = ? AND id = ? IF EXISTS",
            )
            .await?,
            delete: Conditional::prepare(
                database,
                "DELETE FROM {listings}.saved_searches WHERE user_id = ? AND id = ? IF EXISTS",
            )
            .await?,
            find: Read::prepare(database, FIND).await?,
            settled: SerialRead::prepare(database, FIND).await?,
            list: Read::prepare(
                database,
                "SELECT id, name, query, created_at FROM {listings}.saved_searches \
                 WHERE user_id = ?",
            )
            .await?,
            import: Write::prepare(
                database,
                "INSERT INTO {listings}.saved_searches (user_id, id, name, query, created_at) \
                 VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?",
            )
            .await?,
            import_removal: Write::prepare(
                database,
                "DELETE FROM {listings}.saved_searches USING TIMESTAMP ? WHERE user_id = ? AND \
                 id = ?",
            )
            .await?,
        })
    }

    /// Puts one from an archive.
    pub(super) async fn import(
        &self,
        user: UserId,
        search: &SavedSearch,
        stamp: i64,
    ) -> Result<(), StoreError> {
        let (name, query) = (search.name.as_str(), search.query.as_str());
        let (user, id) = (user.to_column(), search.id.to_column());
        let values = (user, id, name, query, time(search.created), stamp);
        self.import.run("import a saved search", values).await
    }

    /// Takes one away again.
    pub(super) async fn import_removal(
        &self,
        user: UserId,
        search: SavedSearchId,
        stamp: i64,
    ) -> Result<(), StoreError> {
        let values = (stamp, user.to_column(), search.to_column());
        self.import_removal.run("import the end of a saved search", values).await
    }
}

#[async_trait]
impl SavedSearches for ScyllaSavedSearches {
    async fn put(&self, user: UserId, search: SavedSearch) -> Result<(), StoreError> {
        let operation = "keep a search";
        let (user, id) = (user.to_column(), search.id.to_column());
        let (name, query) = (search.name.as_str(), search.query.as_str());
        let created = time(search.created);
        let mut tries = Tries::new(operation);
        loop {
            let settled = self.settled.row::<Columns>(operation, (user, id));
            let stands = tries.after(settled).await?;
            let stands = stands.map(|columns| read(operation, columns)).transpose()?;
            if stands.as_ref() == Some(&search) {
                return Ok(());
            }
            let attempt = async {
                match stands {
                    None => self.insert.run(operation, (user, id, name, query, created)).await,
                    Some(_) => self.replace.run(operation, (name, query, created, user, id)).await,
                }
            };
            if tries.settle(attempt).await? {
                return Ok(());
            }
        }
    }

    async fn remove(&self, user: UserId, search: SavedSearchId) -> Result<bool, StoreError> {
        let operation = "forget a search";
        let key = (user.to_column(), search.to_column());
        let mut tries = Tries::new(operation);
        loop {
            if tries.settle(self.delete.run(operation, key)).await? {
                return Ok(true);
            }
            if tries.after(self.settled.row::<Columns>(operation, key)).await?.is_none() {
                // An attempt of unknown outcome counts as one that found it.
                return Ok(tries.unsettled());
            }
        }
    }

    async fn find(
        &self,
        user: UserId,
        search: SavedSearchId,
    ) -> Result<Option<SavedSearch>, StoreError> {
        let operation = "find a saved search";
        let key = (user.to_column(), search.to_column());
        let row = self.find.row::<Columns>(operation, key).await?;
        row.map(|columns| read(operation, columns)).transpose()
    }

    async fn list(&self, user: UserId) -> Result<Vec<SavedSearch>, StoreError> {
        let operation = "list saved searches";
        let rows = self.list.rows::<Columns>(operation, (user.to_column(),)).await?;
        let all = rows.into_iter().map(|columns| read(operation, columns));
        let mut all = all.collect::<Result<Vec<_>, _>>()?;
        all.sort_unstable_by_key(|search| Reverse(search.id));
        Ok(all)
    }
}

fn read(operation: &'static str, columns: Columns) -> Result<SavedSearch, StoreError> {
    let Columns { id, name, query, created_at } = columns;
    let damaged = || StoreError::corrupt(operation, format!("table saved_searches, key {id}"));
    let created = timestamp(created_at).ok_or_else(damaged)?;
    Ok(SavedSearch { id: SavedSearchId::from_column(id), name, query, created })
}
