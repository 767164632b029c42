//! What kind of server it is, and what it has: read from its own tables.

use std::collections::HashMap;

use scylla::statement::Statement;

use super::super::error::unread;
use super::super::session::Database;
use super::super::statements::{Columns, Read};
use super::Replication;
use crate::error::StoreError;

const OPERATION: &str = "read the schema";
/// Conditional writes work on tablets from release 2025.4 of ScyllaDB on, and counters from this one.
const TABLETS_TAKE_EVERYTHING: (u32, u32) = (2026, 1);

/// The server's kind.
pub struct Server {
    /// Of ScyllaDB: year or major release, and minor release. `None`: Cassandra.
    scylla: Option<(u32, u32)>,
}

impl Server {
    /// Asks the server.
    pub async fn of(database: &Database) -> Result<Self, StoreError> {
        let text = "SELECT table_name FROM system_schema.tables \
                    WHERE keyspace_name = ? AND table_name = ?";
        // Only ScyllaDB has this table.
        if read::<(String,)>(database, text, ("system", "versions")).await?.is_none() {
            return Ok(Self { scylla: None });
        }
        let text = "SELECT version FROM system.versions WHERE key = ?";
        let version = read::<(String,)>(database, text, ("local",)).await?;
        Ok(Self { scylla: version.as_ref().and_then(|(version,)| release(version)) })
    }

    /// The statement that makes a keyspace.
    pub fn create_keyspace(&self, keyspace: &str, replication: &Replication) -> String {
        let copies = replication.0.iter().map(|(name, copies)| format!(", '{name}': {copies}"));
        let copies: String = copies.collect();
        let tablets =
            if self.tablets_must_be_off() { " AND tablets = {'enabled': false}" } else { "" };
        format!(
            "CREATE KEYSPACE IF NOT EXISTS {keyspace} \
             WITH replication = {{'class': 'NetworkTopologyStrategy'{copies}}}{tablets}"
        )
    }

    /// Whether keyspaces have tablets by default that would refuse conditional writes or counters. It
    /// cannot be changed later. Releases before tablets do not know the word.
    fn tablets_must_be_off(&self) -> bool {
        let had_tablets = |release: (u32, u32)| {
            // 6.x is the last line that does not count years; 2024.1 is older than it.
            if release.0 < 2000 { release >= (6, 0) } else { release >= (2024, 2) }
        };
        self.scylla.is_some_and(|release| {
            had_tablets(release) && (release.0 < 2000 || release < TABLETS_TAKE_EVERYTHING)
        })
    }
}

/// Whether there is such a table.
pub async fn has_table(
    database: &Database,
    keyspace: &str,
    table: &str,
) -> Result<bool, StoreError> {
    let text = "SELECT table_name FROM system_schema.tables \
                WHERE keyspace_name = ? AND table_name = ?";
    Ok(read::<(String,)>(database, text, (keyspace, table)).await?.is_some())
}

/// How many copies a keyspace keeps, by datacenter in order; `None` when there is no such.
pub async fn replication(
    database: &Database,
    keyspace: &str,
) -> Result<Option<Replication>, StoreError> {
    let text = "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?";
    let found = read::<(HashMap<String, String>,)>(database, text, (keyspace,)).await?;
    Ok(found.map(|(options,)| {
        let copies = options.into_iter().filter(|(name, _)| name != "class");
        let mut copies: Vec<_> =
            copies.map(|(name, copies)| (name, copies.parse().unwrap_or(0))).collect();
        copies.sort();
        Replication(copies)
    }))
}

/// Changes the schema, and waits until every node that is there has taken it up.
pub async fn change(database: &Database, text: &str) -> Result<(), StoreError> {
    let mut statement = Statement::new(text);
    let profile = database.profiles().schema.clone();
    statement.set_execution_profile_handle(Some(profile.into_handle()));
    let changed = database.session().query_unpaged(statement, ()).await;
    changed.map_err(|error| unread("change the schema", error))?;
    // Also when there was nothing to change: another process may have made it a moment ago, and only
    // one node know of it.
    agreed(database).await
}

/// Waits until every node that is there has the same schema.
pub async fn agreed(database: &Database) -> Result<(), StoreError> {
    let agreed = database.session().await_schema_agreement().await;
    agreed.map(|_| ()).map_err(|error| unread("wait for the nodes to agree on the schema", error))
}

async fn read<R: Columns>(
    database: &Database,
    text: &str,
    values: impl scylla::serialize::row::SerializeRow + Sync,
) -> Result<Option<R>, StoreError> {
    Read::prepare(database, text).await?.row(OPERATION, values).await
}

/// Reads `2025.1.0-…` and `6.2.1`.
fn release(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split(['.', '-']).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tablets_are_off_where_they_refuse_something() {
        for (version, off) in [
            ("5.4.9", false),
            ("6.0.0-rc1", true),
            ("6.2.3", true),
            ("2024.1.5", false),
            ("2024.2.0", true),
            ("2025.3.2-0.20250901", true),
            ("2025.4.0", true),
            ("2026.1.0", false),
        ] {
            let server = Server { scylla: release(version) };
            assert_eq!(server.tablets_must_be_off(), off, "{version}");
            let copies = Replication(vec![("east".to_owned(), 3)]);
            let made = server.create_keyspace("k", &copies);
            assert!(made.contains("{'class': 'NetworkTopologyStrategy', 'east': 3}"), "{made}");
            assert_eq!(made.contains("tablets"), off, "{made}");
        }
        assert!(!Server { scylla: None }.tablets_must_be_off());
    }
}
