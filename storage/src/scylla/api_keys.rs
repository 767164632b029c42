//! Keys of programs and devices: all of one person's in one row.

use async_trait::async_trait;
use barterline_domain::ids::{ApiKeyId, UserId};
use uuid::Uuid;

use super::columns::Id as _;
use super::session::Database;
use super::statements::{Conditional, Read, SerialRead, Tries, Write};
use crate::api_keys::{ApiKey, ApiKeys, KeyRing};
use crate::error::StoreError;
use crate::record::rows::Row as _;

const FIND: &str = "SELECT record, version FROM {users}.api_keys WHERE user_id = ?";

/// Keys of programs and devices.
pub struct ScyllaApiKeys {
    insert: Conditional,
    update: Conditional,
    ring: Read,
    settled: SerialRead,
    note: Write,
    owner: Read,
    import: Write,
}

impl ScyllaApiKeys {
    /// Prepares the statements.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        Ok(Self {
            insert: Conditional::prepare(
                database,
                "INSERT INTO {users}.api_keys (user_id, record, version) VALUES (?, ?, 1) \
                 IF NOT EXISTS",
            )
            .await?,
            update: Conditional::prepare(
                database,
                "UPDATE {users}.api_keys SET record = ?, version = ? WHERE user_id = ? \
                 IF version = ?",
            )
            .await?,
            ring: Read::prepare(database, FIND).await?,
            settled: SerialRead::prepare(database, FIND).await?,
            note: Write::prepare(
                database,
                "INSERT INTO {users}.api_key_owners (id, user_id) VALUES (?, ?)",
            )
            .await?,
            owner: Read::prepare(
                database,
                "SELECT user_id FROM {users}.api_key_owners WHERE id = ?",
            )
            .await?,
            import: Write::prepare(
                database,
                "INSERT INTO {users}.api_keys (user_id, record, version) VALUES (?, ?, 1) \
                 USING TIMESTAMP ?",
            )
            .await?,
        })
    }

    /// Puts a person's keys from an archive.
    pub(super) async fn import(
        &self,
        user: UserId,
        ring: &KeyRing,
        stamp: i64,
    ) -> Result<(), StoreError> {
        let operation = "import keys";
        for key in &ring.0 {
            self.note.run(operation, (key.id.to_column(), user.to_column())).await?;
        }
        self.import.run(operation, (user.to_column(), ring.to_bytes(), stamp)).await
    }

    /// A person's keys.
    pub(super) async fn ring(&self, user: UserId) -> Result<Option<KeyRing>, StoreError> {
        let row = self.ring.row::<(Vec<u8>, i64)>("find keys", (user.to_column(),)).await?;
        Ok(row.map(|row| read(user, row)).transpose()?.map(|(ring, _)| ring))
    }

    /// Puts what `change` makes of a person's keys in their place; `false` when it makes nothing.
    /// Making it of what it made changes nothing.
    async fn update(
        &self,
        operation: &'static str,
        user: UserId,
        change: impl Fn(KeyRing) -> Option<KeyRing> + Sync,
    ) -> Result<bool, StoreError> {
        let id = user.to_column();
        let mut tries = Tries::new(operation);
        loop {
            let row = tries.after(self.settled.row::<(Vec<u8>, i64)>(operation, (id,))).await?;
            let stands = row.map(|row| read(user, row)).transpose()?;
            let before = stands.as_ref().map_or_else(KeyRing::default, |(ring, _)| ring.clone());
            let Some(after) = change(before.clone()) else { return Ok(false) };
            if after == before {
                return Ok(true);
            }
            let record = after.to_bytes();
            let attempt = async {
                match stands {
                    None => self.insert.run(operation, (id, &record)).await,
                    Some((_, version)) => {
                        self.update.run(operation, (&record, version + 1, id, version)).await
                    }
                }
            };
            if tries.settle(attempt).await? {
                return Ok(true);
            }
        }
    }
}

#[async_trait]
impl ApiKeys for ScyllaApiKeys {
    async fn insert(&self, key: ApiKey) -> Result<bool, StoreError> {
        let operation = "insert a key";
        let taken = || StoreError::unavailable(operation, format!("{} is taken", key.id));
        if self.find(key.id).await?.is_some() {
            return Err(taken());
        }
        // Who has too many leaves no row behind.
        if self.ring(key.user).await?.unwrap_or_default().with(key.clone()).is_none() {
            return Ok(false);
        }
        // Means nothing until the key is there.
        let failed = |_| StoreError::unavailable(operation, "the index by id takes no writes");
        let noted = self.note.run(operation, (key.id.to_column(), key.user.to_column()));
        noted.await.map_err(failed)?;
        let insert = |ring: KeyRing| match ring.find(key.id) {
            // An attempt whose outcome was not known.
            Some(_) => Some(ring),
            None => ring.with(key.clone()),
        };
        self.update(operation, key.user, insert).await
    }

    async fn find(&self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        let owner = self.owner.row::<(Uuid,)>("find a key", (id.to_column(),)).await?;
        let Some((owner,)) = owner else { return Ok(None) };
        let ring = self.ring(UserId::from_column(owner)).await?;
        Ok(ring.and_then(|ring| ring.find(id).cloned()))
    }

    async fn list(&self, user: UserId) -> Result<Vec<ApiKey>, StoreError> {
        Ok(self.ring(user).await?.unwrap_or_default().good())
    }

    async fn revoke(&self, user: UserId, id: ApiKeyId) -> Result<bool, StoreError> {
        self.update("revoke a key", user, |ring| ring.without(id)).await
    }
}

fn read(user: UserId, (record, version): (Vec<u8>, i64)) -> Result<(KeyRing, i64), StoreError> {
    let damaged = |_| StoreError::corrupt("read keys", format!("table api_keys, key {user}"));
    Ok((KeyRing::from_bytes(&record).map_err(damaged)?, version))
}
