//! Accounts by id.

use async_trait::async_trait;
use barterline_domain::account::DisplayName;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::UserId;
use scylla::value::{CqlTimestamp, MaybeUnset};
use uuid::Uuid;

use super::columns::{Id as _, role, role_word, time, timestamp};
use super::insertions::{Insert, Insertions, may_be_ours};
use super::session::Database;
use super::statements::{Conditional, Read, SerialRead, Tries, Write};
use crate::accounts::{Account, Accounts};
use crate::error::StoreError;
use crate::record::rows::Row;

const FIND: &str = "SELECT name, roles, created_at, suspended, suspended_at, insertion \
                    FROM {users}.accounts WHERE id = ?";

type Columns = (String, Vec<String>, CqlTimestamp, bool, Option<CqlTimestamp>, Option<Uuid>);

/// Accounts by id.
pub struct ScyllaAccounts {
    insert: Conditional,
    take_back: Conditional,
    suspend: Conditional,
    lift: Conditional,
    find: Read,
    settled: SerialRead,
    insertions: Insertions,
    import: Write,
}

impl ScyllaAccounts {
    /// Prepares the statements.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        let conditional = |text| Conditional::prepare(database, text);
        Ok(Self {
            insert: conditional(
                "INSERT INTO {users}.accounts \
                 (id, name, roles, created_at, suspended, suspended_at, insertion) \
                 VALUES (?, ?, ?, ?, ?, ?, ?) IF NOT EXISTS",
            )
            .await?,
            take_back: conditional("DELETE FROM {users}.accounts WHERE id = ? IF insertion = ?")
                .await?,
            suspend: conditional(
                "UPDATE {users}.accounts SET suspended = true, suspended_at = ? WHERE id = ? \
                 IF suspended = false",
            )
            .await?,
            lift: conditional(
                "UPDATE {users}.accounts SET suspended = false WHERE id = ? IF suspended = true",
            )
            .await?,
            find: Read::prepare(database, FIND).await?,
            settled: SerialRead::prepare(database, FIND).await?,
            insertions: Insertions::open(database).await?,
            import: Write::prepare(
                database,
                "INSERT INTO {users}.accounts \
                 (id, name, roles, created_at, suspended, suspended_at) \
                 VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?",
            )
            .await?,
        })
    }

    /// Puts one from an archive.
    pub(super) async fn import(&self, account: &Account, stamp: i64) -> Result<(), StoreError> {
        let roles: Vec<&str> = account.roles.iter().copied().map(role_word).collect();
        let values = (
            account.id.to_column(),
            account.name.as_str(),
            &roles,
            time(account.created_at),
            account.suspended_at.is_some(),
            MaybeUnset::from_option(account.suspended_at.map(time)),
            stamp,
        );
        self.import.run("import an account", values).await
    }

    /// The account of these columns, unless its insertion was never completed.
    async fn present(
        &self,
        operation: &'static str,
        user: UserId,
        columns: Option<Columns>,
    ) -> Result<Option<Account>, StoreError> {
        let Some(columns) = columns else { return Ok(None) };
        let place = || format!("table accounts, key {user}");
        let named = (columns.5, columns);
        self.insertions.present(operation, named, |columns| read(user, columns), place).await
    }
}

#[async_trait]
impl Insert<Account> for ScyllaAccounts {
    async fn insert_one(
        &self,
        account: &Account,
        insertion: Option<Uuid>,
    ) -> Result<bool, StoreError> {
        let operation = "insert an account";
        let id = account.id.to_column();
        let roles: Vec<&str> = account.roles.iter().copied().map(role_word).collect();
        let mut tries = Tries::new(operation);
        loop {
            let values = (
                id,
                account.name.as_str(),
                &roles,
                time(account.created_at),
                account.suspended_at.is_some(),
                MaybeUnset::from_option(account.suspended_at.map(time)),
                MaybeUnset::from_option(insertion),
            );
            if tries.settle(self.insert.run(operation, values)).await? {
                return Ok(true);
            }
            let settled = tries.after(self.settled.row::<Columns>(operation, (id,))).await?;
            if let Some(columns) = settled {
                let ours = may_be_ours(&tries, columns.5, insertion);
                return Ok(ours && read(account.id, columns).as_ref() == Some(account));
            }
        }
    }

    async fn take_back(&self, account: &Account, insertion: Uuid) -> Result<(), StoreError> {
        let values = (account.id.to_column(), insertion);
        self.take_back.run("insert accounts", values).await.map(|_| ())
    }
}

#[async_trait]
impl Accounts for ScyllaAccounts {
    async fn insert(&self, accounts: Vec<Account>) -> Result<(), StoreError> {
        let encoded = accounts.iter().map(Row::to_bytes);
        self.insertions.insert("insert accounts", self, &accounts, encoded).await
    }

    async fn find(&self, user: UserId) -> Result<Option<Account>, StoreError> {
        let operation = "find an account";
        let columns = self.find.row(operation, (user.to_column(),)).await?;
        self.present(operation, user, columns).await
    }

    async fn suspend(
        &self,
        user: UserId,
        at: Option<Timestamp>,
    ) -> Result<Option<Account>, StoreError> {
        let operation = "suspend an account";
        let id = user.to_column();
        let mut tries = Tries::new(operation);
        loop {
            let columns = tries.after(self.settled.row(operation, (id,))).await?;
            let found = tries.after(self.present(operation, user, columns)).await?;
            let Some(account) = found else { return Ok(None) };
            if account.suspended_at.is_some() == at.is_some() {
                return Ok(Some(account));
            }
            let attempt = async {
                match at {
                    Some(at) => self.suspend.run(operation, (time(at), id)).await,
                    None => self.lift.run(operation, (id,)).await,
                }
            };
            if tries.settle(attempt).await? {
                return Ok(Some(Account { suspended_at: at, ..account }));
            }
        }
    }
}

fn read(id: UserId, columns: Columns) -> Option<Account> {
    let (name, roles, created_at, suspended, suspended_at, _) = columns;
    Some(Account {
        id,
        name: DisplayName::parse(&name).ok()?,
        roles: roles.iter().map(|word| role(word)).collect::<Option<_>>()?,
        created_at: timestamp(created_at)?,
        // What stands there of a suspension that was lifted means nothing.
        suspended_at: if suspended { Some(timestamp(suspended_at?)?) } else { None },
    })
}
