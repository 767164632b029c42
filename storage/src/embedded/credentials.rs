//! Credentials by user, and addresses, in a file of their own.

use async_trait::async_trait;
use barterline_domain::ids::UserId;
use redb::{ReadableTable as _, TableDefinition};

use super::engine::{Engine, failed, table as open};
use super::table::{self, Rows, find, find_in, put};
use crate::bulk::{Item, Page, Place};
use crate::credentials::{Credential, Credentials, EmailKey, Replaced};
use crate::error::StoreError;

const SECRETS: Rows = TableDefinition::new("secrets");
const ADDRESSES: TableDefinition<'static, &[u8; 32], &[u8; 16]> = TableDefinition::new("addresses");

/// Credentials by user, and by address.
pub struct EmbeddedCredentials(pub Engine);

#[async_trait]
impl Credentials for EmbeddedCredentials {
    async fn insert(&self, credential: Credential) -> Result<bool, StoreError> {
        let insert = move |write: &redb::WriteTransaction| {
            let has_one = of_user(write, credential.user)?.is_some();
            if has_one || owner(write, credential.email.key)?.is_some() {
                return Ok(false);
            }
            put_credential(write, &credential).map(|()| true)
        };
        self.0.write(insert).await
    }

    async fn find(&self, email: EmailKey) -> Result<Option<Credential>, StoreError> {
        self.0.read(|read| {
            let Some(addresses) = open(read, ADDRESSES)? else { return Ok(None) };
            let owner = addresses.get(&email.0).map_err(failed)?;
            owner.map_or(Ok(None), |owner| find(read, SECRETS, &owner.value()[..]))
        })
    }

    async fn find_by_user(&self, user: UserId) -> Result<Option<Credential>, StoreError> {
        self.0.read(|read| find(read, SECRETS, user.as_bytes()))
    }

    async fn replace(&self, old: &Credential, new: Credential) -> Result<Replaced, StoreError> {
        let old = old.clone();
        let replace = move |write: &redb::WriteTransaction| {
            if new.user != old.user || of_user(write, old.user)?.as_ref() != Some(&old) {
                return Ok(Replaced::Changed);
            }
            if owner(write, new.email.key)?.is_some_and(|owner| owner != new.user) {
                return Ok(Replaced::Taken);
            }
            put_credential(write, &new).map(|()| Replaced::Done)
        };
        self.0.write(replace).await
    }

    async fn remove(&self, user: UserId) -> Result<bool, StoreError> {
        self.0.write(move |write| remove_credential(write, user)).await
    }
}

fn of_user(write: &redb::WriteTransaction, user: UserId) -> Result<Option<Credential>, StoreError> {
    find_in(write, SECRETS, user.as_bytes())
}

/// Whose an address is.
fn owner(write: &redb::WriteTransaction, email: EmailKey) -> Result<Option<UserId>, StoreError> {
    let addresses = write.open_table(ADDRESSES).map_err(failed)?;
    let owner = addresses.get(&email.0).map_err(failed)?;
    Ok(owner.map(|owner| UserId::from_bytes(*owner.value())))
}

/// A page of them, for an archive.
pub(super) fn page(engine: &Engine, after: Option<&Place>) -> Result<Page, StoreError> {
    table::page(engine, SECRETS, after, |_, it: Credential| Ok(Item::Credential(Box::new(it))))
}

/// One of them, for an archive.
pub(super) fn item(read: &redb::ReadTransaction, user: UserId) -> Result<Option<Item>, StoreError> {
    Ok(find(read, SECRETS, user.as_bytes())?.map(|it| Item::Credential(Box::new(it))))
}

/// Puts one in the place of its user's, with its address; the one that it leaves is free.
pub(super) fn put_credential(
    write: &redb::WriteTransaction,
    credential: &Credential,
) -> Result<(), StoreError> {
    let before = of_user(write, credential.user)?;
    if let Some(before) = before.filter(|before| before.email.key != credential.email.key) {
        release(write, &before)?;
    }
    put(write, SECRETS, credential.user.as_bytes(), credential)?;
    let mut addresses = write.open_table(ADDRESSES).map_err(failed)?;
    addresses.insert(&credential.email.key.0, credential.user.as_bytes()).map_err(failed)?;
    Ok(())
}

/// Removes a user's; `false`: there is none.
pub(super) fn remove_credential(
    write: &redb::WriteTransaction,
    user: UserId,
) -> Result<bool, StoreError> {
    let Some(credential) = of_user(write, user)? else { return Ok(false) };
    release(write, &credential)?;
    let mut secrets = write.open_table(SECRETS).map_err(failed)?;
    secrets.remove(&user.as_bytes()[..]).map_err(failed)?;
    Ok(true)
}

/// Frees the address of a credential, unless it is another's by now.
fn release(write: &redb::WriteTransaction, credential: &Credential) -> Result<(), StoreError> {
    if owner(write, credential.email.key)? == Some(credential.user) {
        let mut addresses = write.open_table(ADDRESSES).map_err(failed)?;
        addresses.remove(&credential.email.key.0).map_err(failed)?;
    }
    Ok(())
}
