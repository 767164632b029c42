//! Keys of programs and devices: all of one person's in one row.

use async_trait::async_trait;
use barterline_domain::ids::{ApiKeyId, UserId};
use redb::{ReadableTable as _, TableDefinition};

use super::engine::{Engine, failed, table as open};
use super::table::{self, Rows, find, find_in, put};
use crate::api_keys::{ApiKey, ApiKeys, KeyRing};
use crate::bulk::{Item, Page, Place};
use crate::error::StoreError;

const RINGS: Rows = TableDefinition::new("api_keys");
const OWNERS: TableDefinition<'static, &[u8; 16], &[u8; 16]> =
    TableDefinition::new("api_key_owners");

/// Keys of programs and devices.
pub struct EmbeddedApiKeys(pub Engine);

#[async_trait]
impl ApiKeys for EmbeddedApiKeys {
    async fn insert(&self, key: ApiKey) -> Result<bool, StoreError> {
        let insert = move |write: &redb::WriteTransaction| {
            let taken = {
                let owners = write.open_table(OWNERS).map_err(failed)?;
                owners.get(key.id.as_bytes()).map_err(failed)?.is_some()
            };
            if taken {
                let text = format!("{} is taken", key.id);
                return Ok(Err(StoreError::unavailable("insert", text)));
            }
            let user = key.user;
            let ring: KeyRing = find_in(write, RINGS, user.as_bytes())?.unwrap_or_default();
            let Some(ring) = ring.with(key) else { return Ok(Ok(false)) };
            put_ring(write, user, &ring).map(|()| Ok(true))
        };
        self.0.write(insert).await?
    }

    async fn find(&self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        self.0.read(|read| {
            let Some(owners) = open(read, OWNERS)? else { return Ok(None) };
            let Some(owner) = owners.get(id.as_bytes()).map_err(failed)? else { return Ok(None) };
            let ring: Option<KeyRing> = find(read, RINGS, &owner.value()[..])?;
            Ok(ring.and_then(|ring| ring.find(id).cloned()))
        })
    }

    async fn list(&self, user: UserId) -> Result<Vec<ApiKey>, StoreError> {
        let ring: Option<KeyRing> = self.0.read(|read| find(read, RINGS, user.as_bytes()))?;
        Ok(ring.unwrap_or_default().good())
    }

    async fn revoke(&self, user: UserId, id: ApiKeyId) -> Result<bool, StoreError> {
        let revoke = move |write: &redb::WriteTransaction| {
            let ring: Option<KeyRing> = find_in(write, RINGS, user.as_bytes())?;
            let Some(ring) = ring.and_then(|ring| ring.without(id)) else { return Ok(false) };
            put(write, RINGS, user.as_bytes(), &ring).map(|()| true)
        };
        self.0.write(revoke).await
    }
}

/// A page of them, for an archive.
pub(super) fn page(engine: &Engine, after: Option<&Place>) -> Result<Page, StoreError> {
    table::page(engine, RINGS, after, |key, ring| {
        let user = key.try_into().map(UserId::from_bytes);
        let damaged = |_| StoreError::corrupt("database", table::place(RINGS, key));
        Ok(Item::ApiKeys(user.map_err(damaged)?, ring))
    })
}

/// One of them, for an archive.
pub(super) fn item(read: &redb::ReadTransaction, user: UserId) -> Result<Option<Item>, StoreError> {
    Ok(find(read, RINGS, user.as_bytes())?.map(|ring| Item::ApiKeys(user, ring)))
}

/// Puts a person's keys, and whose each is.
pub(super) fn put_ring(
    write: &redb::WriteTransaction,
    user: UserId,
    ring: &KeyRing,
) -> Result<(), StoreError> {
    let before: KeyRing = find_in(write, RINGS, user.as_bytes())?.unwrap_or_default();
    put(write, RINGS, user.as_bytes(), ring)?;
    let mut owners = write.open_table(OWNERS).map_err(failed)?;
    for gone in before.0.iter().filter(|key| ring.find(key.id).is_none()) {
        owners.remove(gone.id.as_bytes()).map_err(failed)?;
    }
    for key in &ring.0 {
        owners.insert(key.id.as_bytes(), user.as_bytes()).map_err(failed)?;
    }
    Ok(())
}
