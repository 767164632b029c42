//! Credentials, in a file of their own.

use async_trait::async_trait;
use barterline_domain::account::Email;
use redb::TableDefinition;

use super::engine::Engine;
use super::table::{self, Rows, find, find_in, put};
use crate::bulk::{Item, Page, Place};
use crate::credentials::{Credential, Credentials};
use crate::error::StoreError;

const CREDENTIALS: Rows = TableDefinition::new("credentials");

/// Credentials by address.
pub struct EmbeddedCredentials(pub Engine);

#[async_trait]
impl Credentials for EmbeddedCredentials {
    async fn insert(&self, credential: Credential) -> Result<bool, StoreError> {
        let insert = move |write: &redb::WriteTransaction| {
            let key = credential.email.as_str().as_bytes();
            if find_in::<Credential>(write, CREDENTIALS, key)?.is_some() {
                return Ok(false);
            }
            put(write, CREDENTIALS, key, &credential).map(|()| true)
        };
        self.0.write(insert).await
    }

    async fn find(&self, email: &Email) -> Result<Option<Credential>, StoreError> {
        self.0.read(|read| find(read, CREDENTIALS, email.as_str().as_bytes()))
    }
}

/// A page of them, for an archive.
pub(super) fn page(engine: &Engine, after: Option<&Place>) -> Result<Page, StoreError> {
    table::page(engine, CREDENTIALS, after, |_, credential| Ok(Item::Credential(credential)))
}

/// One of them, for an archive.
pub(super) fn item(
    read: &redb::ReadTransaction,
    email: &Email,
) -> Result<Option<Item>, StoreError> {
    Ok(find(read, CREDENTIALS, email.as_str().as_bytes())?.map(Item::Credential))
}

/// Puts one from an archive.
pub(super) fn put_credential(
    write: &redb::WriteTransaction,
    credential: &Credential,
) -> Result<(), StoreError> {
    put(write, CREDENTIALS, credential.email.as_str().as_bytes(), credential)
}
