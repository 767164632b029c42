//! Accounts by id.

use async_trait::async_trait;
use barterline_domain::account::AccountRole;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::UserId;
use redb::TableDefinition;

use super::engine::Engine;
use super::table::{self, Rows, find, find_in, put, put_new};
use crate::accounts::{Account, Accounts, ProfileChange};
use crate::bulk::{Item, Page, Place};
use crate::error::StoreError;

const ACCOUNTS: Rows = TableDefinition::new("accounts");

/// Accounts by id.
pub struct EmbeddedAccounts(pub Engine);

#[async_trait]
impl Accounts for EmbeddedAccounts {
    async fn insert(&self, accounts: Vec<Account>) -> Result<(), StoreError> {
        let insert = move |write: &redb::WriteTransaction| {
            let rows = accounts.iter().map(|row| (&row.id.as_bytes()[..], row));
            put_new(write, ACCOUNTS, rows)
        };
        self.0.write(insert).await?
    }

    async fn find(&self, user: UserId) -> Result<Option<Account>, StoreError> {
        self.0.read(|read| find(read, ACCOUNTS, user.as_bytes()))
    }

    async fn suspend(
        &self,
        user: UserId,
        at: Option<Timestamp>,
    ) -> Result<Option<Account>, StoreError> {
        self.update(user, move |account| Some(account.suspended(at))).await
    }

    async fn change(
        &self,
        user: UserId,
        change: ProfileChange,
    ) -> Result<Option<Account>, StoreError> {
        self.update(user, move |account| account.changed(change)).await
    }

    async fn set_roles(
        &self,
        user: UserId,
        roles: Vec<AccountRole>,
    ) -> Result<Option<Account>, StoreError> {
        self.update(user, move |account| account.with_roles(roles)).await
    }

    async fn erase(&self, user: UserId, at: Timestamp) -> Result<Option<Account>, StoreError> {
        self.update(user, move |account| Some(account.erased(at))).await
    }
}

impl EmbeddedAccounts {
    /// Puts what `update` makes of an account in its place, and gives it.
    async fn update(
        &self,
        user: UserId,
        update: impl FnOnce(Account) -> Option<Account> + Send + 'static,
    ) -> Result<Option<Account>, StoreError> {
        let update = move |write: &redb::WriteTransaction| {
            let key = user.as_bytes();
            let found = find_in::<Account>(write, ACCOUNTS, key)?;
            let Some(account) = found.and_then(update) else {
                return Ok(None);
            };
            put(write, ACCOUNTS, key, &account)?;
            Ok(Some(account))
        };
        self.0.write(update).await
    }
}

/// A page of them, for an archive.
pub(super) fn page(engine: &Engine, after: Option<&Place>) -> Result<Page, StoreError> {
    table::page(engine, ACCOUNTS, after, |_, account| Ok(Item::Account(Box::new(account))))
}

/// One of them, for an archive.
pub(super) fn item(read: &redb::ReadTransaction, id: UserId) -> Result<Option<Item>, StoreError> {
    Ok(find(read, ACCOUNTS, id.as_bytes())?.map(|account| Item::Account(Box::new(account))))
}

/// Puts one from an archive.
pub(super) fn put_account(
    write: &redb::WriteTransaction,
    account: &Account,
) -> Result<(), StoreError> {
    put(write, ACCOUNTS, account.id.as_bytes(), account)
}
