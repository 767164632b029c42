//! A way to the database for each keyspace, each as the role that may open it.
//!
//! Whoever takes over one session, by a statement that should not be or by a password that was read,
//! reaches what its role may: with a role of its own for each keyspace, that one alone.

use std::sync::Arc;

use super::error::ConnectError;
use super::schema::Area;
use super::session::{Database, Login, Options};

/// The sessions: one for each log-in. Cheap to clone.
#[derive(Clone)]
pub struct Databases(Arc<[(Option<Area>, Database)]>);

impl Databases {
    /// Connects as `options` says, and once more for each other log-in among `own`.
    pub async fn connect(options: &Options, own: &[(Area, Login)]) -> Result<Self, ConnectError> {
        let common = Database::connect(options).await?;
        let mut logins = vec![(options.login.clone(), common.clone())];
        let mut databases = vec![(None, common)];
        for (area, login) in own {
            let login = Some(login.clone());
            let known = logins.iter().find(|(known, _)| *known == login);
            let database = if let Some((_, database)) = known {
                database.clone()
            } else {
                let options = Options { login: login.clone(), ..options.clone() };
                let database = Database::connect(&options).await?;
                logins.push((login, database.clone()));
                database
            };
            databases.push((Some(*area), database));
        }
        Ok(Self(databases.into()))
    }

    /// The one that every keyspace has that has none of its own.
    pub fn common(&self) -> &Database {
        &self.0[0].1
    }

    /// The one that opens a keyspace.
    pub fn of(&self, area: Area) -> &Database {
        let own = self.0.iter().find(|(of, _)| *of == Some(area));
        own.map_or_else(|| self.common(), |(_, database)| database)
    }

    /// Why something cannot be asked at the moment. Passes by itself.
    pub fn unreachable(&self) -> Option<String> {
        self.0.iter().find_map(|(_, database)| database.unreachable())
    }

    /// Nodes that are known, and those of them that every session has a connection to.
    pub(super) fn nodes(&self) -> (usize, usize) {
        let nodes = self.0.iter().map(|(_, database)| database.nodes());
        nodes.fold((0, usize::MAX), |(known, connected), nodes| {
            (known.max(nodes.0), connected.min(nodes.1))
        })
    }
}

impl From<Database> for Databases {
    fn from(common: Database) -> Self {
        Self([(None, common)].into())
    }
}
