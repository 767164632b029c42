//! Credentials by address.

use async_trait::async_trait;
use barterline_domain::account::Email;
use barterline_domain::ids::UserId;
use uuid::Uuid;

use super::columns::Id as _;
use super::session::Database;
use super::statements::{Conditional, Read, SerialRead, Tries, Write};
use crate::credentials::{Credential, Credentials};
use crate::error::StoreError;

const FIND: &str = "SELECT user_id, password_hash FROM {credentials}.credentials WHERE email = ?";

/// Credentials by address.
pub struct ScyllaCredentials {
    insert: Conditional,
    find: Read,
    settled: SerialRead,
    import: Write,
}

impl ScyllaCredentials {
    /// Prepares the statements.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        Ok(Self {
            insert: Conditional::prepare(
                database,
                "INSERT INTO {credentials}.credentials (email, user_id, password_hash) \
                 VALUES (?, ?, ?) IF NOT EXISTS",
            )
            .await?,
            find: Read::prepare(database, FIND).await?,
            settled: SerialRead::prepare(database, FIND).await?,
            import: Write::prepare(
                database,
                "INSERT INTO {credentials}.credentials (email, user_id, password_hash) \
                 VALUES (?, ?, ?) USING TIMESTAMP ?",
            )
            .await?,
        })
    }

    /// Puts one from an archive.
    pub(super) async fn import(&self, it: &Credential, stamp: i64) -> Result<(), StoreError> {
        let values = (it.email.as_str(), it.user.to_column(), &it.password_hash, stamp);
        self.import.run("import a credential", values).await
    }
}

#[async_trait]
impl Credentials for ScyllaCredentials {
    async fn insert(&self, credential: Credential) -> Result<bool, StoreError> {
        let operation = "insert a credential";
        let mut tries = Tries::new(operation);
        loop {
            let email = credential.email.as_str();
            let values = (email, credential.user.to_column(), &credential.password_hash);
            if tries.settle(self.insert.run(operation, values)).await? {
                return Ok(true);
            }
            let settled = tries.after(self.settled.row(operation, (email,))).await?;
            if let Some(columns) = settled {
                return Ok(tries.unsettled() && read(&credential.email, columns) == credential);
            }
        }
    }

    async fn find(&self, email: &Email) -> Result<Option<Credential>, StoreError> {
        let found = self.find.row("find a credential", (email.as_str(),)).await?;
        Ok(found.map(|columns| read(email, columns)))
    }
}

fn read(email: &Email, (user, password_hash): (Uuid, String)) -> Credential {
    Credential { user: UserId::from_column(user), email: email.clone(), password_hash }
}
