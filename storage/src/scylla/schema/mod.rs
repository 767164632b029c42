//! The tables, step by step: what there is, what is missing, and making it.
//!
//! Steps only add, and every statement can be repeated, so that a step that was cut short is made
//! again from its beginning. One process at a time makes them: a row of the database holds who, on a
//! lease that the database itself ends. (Two nodes of Cassandra that make a table at the same moment
//! may make two of one name: CASSANDRA-10699.) The number of steps made stands in the same row, raised
//! by one on the condition of the number before.

mod grants;
mod keyspaces;
mod lease;
mod server;

use std::time::Duration;

pub use self::grants::grants;
pub use self::keyspaces::{Area, Keyspaces};
use self::lease::Lease;
use self::server::Server;
use super::session::Database;
use crate::error::StoreError;

/// For another process to be done with the schema.
const PATIENCE: Duration = Duration::from_mins(3);

/// A numbered step.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// The file's name in `storage/schema/`.
    pub name: &'static str,
    /// Statements, each with a semicolon behind it; names of keyspaces in braces.
    pub text: &'static str,
}

macro_rules! steps {
    ($($name:literal),+) => {
        &[$(Step { name: $name, text: include_str!(concat!("../../../schema/", $name)) }),+]
    };
}

/// Every step, in order. A step that was released is never edited.
pub const STEPS: &[Step] = steps![
    "0001_people.cql",
    "0002_listings.cql",
    "0003_reports.cql",
    "0004_chats.cql",
    "0005_listing_changes.cql",
    "0006_media.cql",
    "0007_views_and_searches.cql"
];

/// The number of steps this program knows.
pub const KNOWN: u32 = STEPS.len() as u32;

/// How many copies of everything there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replication(pub Vec<(String, u32)>);

/// What `apply` would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Steps made so far.
    pub version: u32,
    /// What is still to be said to the database, in order.
    pub statements: Vec<String>,
}

/// Why the schema cannot be used, or not be made.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// There is none.
    #[error("there is no schema in the keyspaces {prefix}*")]
    Missing {
        /// What their names begin with.
        prefix: String,
    },
    /// Steps are missing.
    #[error("the schema stands at step {found}, this program needs step {KNOWN}")]
    Older {
        /// Steps made.
        found: u32,
    },
    /// A newer program was here.
    #[error("the schema stands at step {found}, this program knows only {KNOWN}")]
    Newer {
        /// Steps made.
        found: u32,
    },
    /// A keyspace keeps its copies otherwise.
    #[error("the keyspace {keyspace} keeps {found}, the settings say {wanted}")]
    OtherReplication {
        /// Which.
        keyspace: String,
        /// Its copies.
        found: String,
        /// Those of the settings.
        wanted: String,
    },
    /// The cluster has no such datacenter.
    #[error("the cluster has no datacenter {wanted}; it has {known}")]
    NoSuchDatacenter {
        /// What was asked for.
        wanted: String,
        /// What there is.
        known: String,
    },
    /// More copies than nodes.
    #[error("{copies} copies are more than the {nodes} node(s) of the datacenter {datacenter}")]
    TooFewNodes {
        /// Where.
        datacenter: String,
        /// Nodes there.
        nodes: usize,
        /// Copies wanted.
        copies: u32,
    },
    /// Another process is making it, and does not come to an end.
    #[error("another process has been changing the schema for {} s", PATIENCE.as_secs())]
    Busy,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Says what [`apply`] would do.
pub async fn plan(database: &Database, replication: &Replication) -> Result<Plan, SchemaError> {
    let server = Server::of(database).await?;
    let version = version(database).await?.unwrap_or(0);
    let mut statements = Vec::new();
    if version == 0 {
        statements.extend(foundation(database, &server, replication).await?);
    }
    let steps = STEPS.iter().skip(version as usize);
    statements.extend(steps.flat_map(|step| step.statements(database.keyspaces())));
    Ok(Plan { version, statements })
}

/// Makes the steps that are missing; gives the number of those that were there. Safe to be called by
/// several processes at once, and twice.
pub async fn apply(database: &Database, replication: &Replication) -> Result<u32, SchemaError> {
    replication.fits(database)?;
    let server = Server::of(database).await?;
    let begun = has_begun(database).await?;
    let foundation = foundation(database, &server, replication).await?;
    // What one node was just seen to have, the next may not have yet.
    server::agreed(database).await?;
    if begun {
        match lease::version(database).await? {
            KNOWN => return Ok(KNOWN),
            found if found > KNOWN => return Err(SchemaError::Newer { found }),
            _ => {}
        }
    } else {
        for statement in foundation {
            server::change(database, &statement).await?;
        }
    }
    let mut lease = Lease::take(database, PATIENCE).await?;
    let found = lease.version().await?;
    for number in found + 1..=KNOWN {
        let step = &STEPS[number as usize - 1];
        for statement in step.statements(database.keyspaces()) {
            lease.renew().await?;
            server::change(database, &statement).await?;
        }
        lease.made(number).await?;
        tracing::info!(step = step.name, "the schema was changed");
    }
    lease.give_back().await?;
    if found > KNOWN { Err(SchemaError::Newer { found }) } else { Ok(found) }
}

/// Succeeds if the schema is the one this program knows, kept in as many copies as it should be.
pub async fn check(database: &Database, replication: &Replication) -> Result<(), SchemaError> {
    match version(database).await? {
        None | Some(0) => {
            let prefix = database.keyspaces().prefix().to_owned();
            return Err(SchemaError::Missing { prefix });
        }
        Some(found) if found < KNOWN => return Err(SchemaError::Older { found }),
        Some(found) if found > KNOWN => return Err(SchemaError::Newer { found }),
        Some(_) => {}
    }
    for keyspace in database.keyspaces().names() {
        let found = server::replication(database, &keyspace).await?;
        if found.as_ref() != Some(&replication.in_order()) {
            let found = found.map_or_else(|| "nothing".to_owned(), |found| found.to_string());
            let wanted = replication.to_string();
            return Err(SchemaError::OtherReplication { keyspace, found, wanted });
        }
    }
    replication.fits(database)
}

/// Steps made; `None` when nobody ever began.
async fn version(database: &Database) -> Result<Option<u32>, SchemaError> {
    if !has_begun(database).await? {
        return Ok(None);
    }
    Ok(Some(lease::version(database).await?))
}

/// Whether there is a row to look at.
async fn has_begun(database: &Database) -> Result<bool, StoreError> {
    let keyspace = database.keyspaces().name(Area::Operations);
    server::has_table(database, &keyspace, lease::TABLE).await
}

/// What has to be there before a lease can be: the keyspaces, and its table.
async fn foundation(
    database: &Database,
    server: &Server,
    replication: &Replication,
) -> Result<Vec<String>, SchemaError> {
    let mut statements = Vec::new();
    for keyspace in database.keyspaces().names() {
        if server::replication(database, &keyspace).await?.is_none() {
            statements.push(server.create_keyspace(&keyspace, replication));
        }
    }
    statements.push(lease::create_table(&database.keyspaces().name(Area::Operations)));
    Ok(statements)
}

impl Step {
    /// Its statements with the names of the keyspaces in place.
    pub fn statements(&self, keyspaces: &Keyspaces) -> Vec<String> {
        let code = self.text.lines().filter(|line| !line.trim_start().starts_with("--"));
        let code: String = code.flat_map(|line| [line, "\n"]).collect();
        let statements = code.split(';').map(str::trim).filter(|text| !text.is_empty());
        statements.map(|text| keyspaces.fill(text)).collect()
    }
}

impl Replication {
    /// Fails if the cluster cannot keep so many copies.
    pub fn fits(&self, database: &Database) -> Result<(), SchemaError> {
        let datacenters = database.datacenters();
        for (wanted, copies) in &self.0 {
            let found = datacenters.iter().find(|(name, _)| name == wanted);
            let Some((datacenter, nodes)) = found.cloned() else {
                let known: Vec<_> = datacenters.into_iter().map(|(name, _)| name).collect();
                let wanted = wanted.clone();
                return Err(SchemaError::NoSuchDatacenter { wanted, known: known.join(", ") });
            };
            if nodes < *copies as usize {
                return Err(SchemaError::TooFewNodes { datacenter, nodes, copies: *copies });
            }
        }
        Ok(())
    }

    fn in_order(&self) -> Self {
        let mut copies = self.0.clone();
        copies.sort();
        Self(copies)
    }
}

impl std::fmt::Display for Replication {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let copies = self.0.iter().map(|(name, copies)| format!("{name}:{copies}"));
        f.write_str(&copies.collect::<Vec<_>>().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A step that was cut short is made again from its beginning.
    #[test]
    fn every_statement_can_be_repeated() {
        let keyspaces = Keyspaces::new("x_");
        for (number, step) in (1..).zip(STEPS) {
            assert!(step.name.starts_with(&format!("{number:04}_")), "{}", step.name);
            let statements = step.statements(&keyspaces);
            assert!(!statements.is_empty(), "{}", step.name);
            for statement in statements {
                assert!(statement.starts_with("CREATE TABLE IF NOT EXISTS x_"), "{statement}");
                for never in ["{", "MATERIALIZED", "INDEX", "counter"] {
                    let brace = never == "{" && statement.contains("WITH");
                    let rough = never == "counter" && statement.contains("listing_views");
                    assert!(brace || rough || !statement.contains(never), "{never} in {statement}");
                }
            }
        }
    }

    /// What bounds its partitions stands above each table.
    #[test]
    fn every_table_says_what_bounds_its_partitions() {
        for step in STEPS {
            for table in step.text.split("\n\n") {
                assert!(table.contains("partition"), "{}: {table}", step.name);
                assert_eq!(table.matches("CREATE TABLE").count(), 1, "{}: {table}", step.name);
            }
        }
    }
}
