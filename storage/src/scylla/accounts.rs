//! Accounts by id.

use async_trait::async_trait;
use barterline_domain::account::{AccountRole, Bio, DisplayName, Locale};
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{MediaId, UserId};
use scylla::DeserializeRow;
use scylla::value::{CqlTimestamp, MaybeUnset};
use uuid::Uuid;

use super::columns::{Id as _, time, timestamp};
use super::insertions::{Insert, Insertions, may_be_ours};
use super::session::Database;
use super::statements::{Conditional, Read, SerialRead, Tries, Write};
use crate::accounts::{Account, Accounts, ProfileChange};
use crate::error::StoreError;
use crate::record::rows::Row;

const FIND: &str = "SELECT name, bio, locale, avatar, roles, created_at, suspended_at, erased_at, \
                    version, insertion FROM {users}.accounts WHERE id = ?";

/// Says that there is no time: nothing is bound to null, and nothing happened in 1970.
const NEVER: CqlTimestamp = CqlTimestamp(0);

#[derive(DeserializeRow)]
struct Columns {
    name: String,
    bio: String,
    locale: String,
    avatar: Uuid,
    roles: Vec<String>,
    created_at: CqlTimestamp,
    suspended_at: CqlTimestamp,
    erased_at: CqlTimestamp,
    version: i64,
    insertion: Option<Uuid>,
}

/// Accounts by id.
pub struct ScyllaAccounts {
    insert: Conditional,
    take_back: Conditional,
    update: Conditional,
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
                "INSERT INTO {users}.accounts (id, name, bio, locale, avatar, roles, created_at, \
                 suspended_at, erased_at, version, insertion) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?) IF NOT EXISTS",
            )
            .await?,
            take_back: conditional("DELETE FROM {users}.accounts WHERE id = ? IF insertion = ?")
                .await?,
            update: conditional(
                "UPDATE {users}.accounts SET name = ?, bio = ?, locale = ?, avatar = ?, roles = ?, \
                 suspended_at = ?, erased_at = ?, version = ? WHERE id = ? IF version = ?",
            )
            .await?,
            find: Read::prepare(database, FIND).await?,
            settled: SerialRead::prepare(database, FIND).await?,
            insertions: Insertions::open(database).await?,
            import: Write::prepare(
                database,
                "INSERT INTO {users}.accounts (id, name, bio, locale, avatar, roles, created_at, \
                 suspended_at, erased_at, version) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1) USING TIMESTAMP ?",
            )
            .await?,
        })
    }

    /// Puts one from an archive.
    pub(super) async fn import(&self, account: &Account, stamp: i64) -> Result<(), StoreError> {
        let values = (
            account.id.to_column(),
            account.name.as_str(),
            account.bio.as_str(),
            locale_column(account),
            avatar_column(account),
            roles_column(account),
            time(account.created_at),
            time_column(account.suspended_at),
            time_column(account.erased_at),
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
        let named = (columns.insertion, columns);
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
        let mut tries = Tries::new(operation);
        loop {
            let values = (
                id,
                account.name.as_str(),
                account.bio.as_str(),
                locale_column(account),
                avatar_column(account),
                roles_column(account),
                time(account.created_at),
                time_column(account.suspended_at),
                time_column(account.erased_at),
                MaybeUnset::from_option(insertion),
            );
            if tries.settle(self.insert.run(operation, values)).await? {
                return Ok(true);
            }
            let settled = tries.after(self.settled.row::<Columns>(operation, (id,))).await?;
            if let Some(columns) = settled {
                let ours = may_be_ours(&tries, columns.insertion, insertion);
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
        let suspend = |account: Account| Some(account.suspended(at));
        self.update("suspend an account", user, suspend).await
    }

    async fn change(
        &self,
        user: UserId,
        change: ProfileChange,
    ) -> Result<Option<Account>, StoreError> {
        let change = |account: Account| account.changed(change.clone());
        self.update("change a profile", user, change).await
    }

    async fn set_roles(
        &self,
        user: UserId,
        roles: Vec<AccountRole>,
    ) -> Result<Option<Account>, StoreError> {
        let set = |account: Account| account.with_roles(roles.clone());
        self.update("set the roles of an account", user, set).await
    }

    async fn erase(&self, user: UserId, at: Timestamp) -> Result<Option<Account>, StoreError> {
        let erase = |account: Account| Some(account.erased(at));
        self.update("erase an account", user, erase).await
    }
}

impl ScyllaAccounts {
    /// Puts what `update` makes of an account in its place, and gives it. Making the same again of
    /// what it made changes nothing.
    async fn update(
        &self,
        operation: &'static str,
        user: UserId,
        update: impl Fn(Account) -> Option<Account> + Sync,
    ) -> Result<Option<Account>, StoreError> {
        let id = user.to_column();
        let mut tries = Tries::new(operation);
        loop {
            let columns = tries.after(self.settled.row::<Columns>(operation, (id,))).await?;
            let version = columns.as_ref().map_or(0, |columns| columns.version);
            let found = tries.after(self.present(operation, user, columns)).await?;
            let Some(before) = found else { return Ok(None) };
            let Some(after) = update(before.clone()) else { return Ok(None) };
            if after == before {
                return Ok(Some(after));
            }
            let values = (
                after.name.as_str(),
                after.bio.as_str(),
                locale_column(&after),
                avatar_column(&after),
                roles_column(&after),
                time_column(after.suspended_at),
                time_column(after.erased_at),
                version + 1,
                id,
                version,
            );
            if tries.settle(self.update.run(operation, values)).await? {
                return Ok(Some(after));
            }
        }
    }
}

fn locale_column(account: &Account) -> &str {
    account.locale.as_ref().map_or("", Locale::as_str)
}

fn avatar_column(account: &Account) -> Uuid {
    account.avatar.map_or(Uuid::nil(), MediaId::to_column)
}

fn roles_column(account: &Account) -> Vec<&'static str> {
    account.roles.iter().map(|role| role.name()).collect()
}

fn time_column(at: Option<Timestamp>) -> CqlTimestamp {
    at.map_or(NEVER, time)
}

fn read(id: UserId, columns: Columns) -> Option<Account> {
    let when = |column| if column == NEVER { Some(None) } else { timestamp(column).map(Some) };
    let (locale, avatar) = (columns.locale, columns.avatar);
    Some(Account {
        id,
        name: DisplayName::parse(&columns.name).ok()?,
        bio: Bio::parse(&columns.bio).ok()?,
        locale: if locale.is_empty() { None } else { Some(Locale::parse(&locale).ok()?) },
        avatar: (avatar != Uuid::nil()).then(|| MediaId::from_column(avatar)),
        roles: columns.roles.iter().map(|word| AccountRole::named(word)).collect::<Option<_>>()?,
        created_at: timestamp(columns.created_at)?,
        suspended_at: when(columns.suspended_at)?,
        erased_at: when(columns.erased_at)?,
    })
}
