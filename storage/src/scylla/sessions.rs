//! Log-ins by id.

use async_trait::async_trait;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{SessionId, UserId};
use scylla::value::{CqlTimestamp, MaybeUnset};
use uuid::Uuid;

use super::columns::{Id as _, time, timestamp};
use super::insertions::{Insert, Insertions, may_be_ours};
use super::session::Database;
use super::statements::{Conditional, Read, SerialRead, Tries, Write};
use crate::error::StoreError;
use crate::record::rows::Row;
use crate::sessions::{RefreshHash, Rotation, Session, Sessions};

const FIND: &str = "SELECT user_id, refresh_hash, created_at, expires_at, revoked, insertion \
                    FROM {users}.sessions WHERE id = ?";

type Columns = (Uuid, Vec<u8>, CqlTimestamp, CqlTimestamp, bool, Option<Uuid>);

/// Log-ins by id.
pub struct ScyllaSessions {
    insert: Conditional,
    take_back: Conditional,
    rotate: Conditional,
    revoke: Conditional,
    find: Read,
    settled: SerialRead,
    insertions: Insertions,
    import: Write,
}

impl ScyllaSessions {
    /// Prepares the statements.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        let conditional = |text| Conditional::prepare(database, text);
        Ok(Self {
            insert: conditional(
                "INSERT INTO {users}.sessions \
                 (id, user_id, refresh_hash, created_at, expires_at, revoked, insertion) \
                 VALUES (?, ?, ?, ?, ?, ?, ?) IF NOT EXISTS",
            )
            .await?,
            take_back: conditional("DELETE FROM {users}.sessions WHERE id = ? IF insertion = ?")
                .await?,
            rotate: conditional(
                "UPDATE {users}.sessions SET refresh_hash = ?, expires_at = ? WHERE id = ? \
                 IF refresh_hash = ? AND revoked = false",
            )
            .await?,
            revoke: conditional(
                "UPDATE {users}.sessions SET revoked = true WHERE id = ? \
                 IF refresh_hash = ? AND revoked = false",
            )
            .await?,
            find: Read::prepare(database, FIND).await?,
            settled: SerialRead::prepare(database, FIND).await?,
            insertions: Insertions::open(database).await?,
            import: Write::prepare(
                database,
                "INSERT INTO {users}.sessions \
                 (id, user_id, refresh_hash, created_at, expires_at, revoked) \
                 VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?",
            )
            .await?,
        })
    }

    /// Puts one from an archive.
    pub(super) async fn import(&self, session: &Session, stamp: i64) -> Result<(), StoreError> {
        let values = (
            session.id.to_column(),
            session.user.to_column(),
            &session.refresh_hash[..],
            time(session.created_at),
            time(session.expires_at),
            session.revoked,
            stamp,
        );
        self.import.run("import a session", values).await
    }

    /// The session of these columns, unless its insertion was never completed.
    async fn present(
        &self,
        operation: &'static str,
        id: SessionId,
        columns: Option<Columns>,
    ) -> Result<Option<Session>, StoreError> {
        let Some(columns) = columns else { return Ok(None) };
        let place = || format!("table sessions, key {id}");
        let named = (columns.5, columns);
        self.insertions.present(operation, named, |columns| read(id, columns), place).await
    }

    /// The session as every conditional write before left it.
    async fn settled(
        &self,
        operation: &'static str,
        id: SessionId,
    ) -> Result<Option<Session>, StoreError> {
        let columns = self.settled.row(operation, (id.to_column(),)).await?;
        self.present(operation, id, columns).await
    }
}

#[async_trait]
impl Insert<Session> for ScyllaSessions {
    async fn insert_one(
        &self,
        session: &Session,
        insertion: Option<Uuid>,
    ) -> Result<bool, StoreError> {
        let operation = "insert a session";
        let id = session.id.to_column();
        let mut tries = Tries::new(operation);
        loop {
            let values = (
                id,
                session.user.to_column(),
                &session.refresh_hash[..],
                time(session.created_at),
                time(session.expires_at),
                session.revoked,
                MaybeUnset::from_option(insertion),
            );
            if tries.settle(self.insert.run(operation, values)).await? {
                return Ok(true);
            }
            let settled = tries.after(self.settled.row::<Columns>(operation, (id,))).await?;
            if let Some(columns) = settled {
                let ours = may_be_ours(&tries, columns.5, insertion);
                return Ok(ours && read(session.id, columns).as_ref() == Some(session));
            }
        }
    }

    async fn take_back(&self, session: &Session, insertion: Uuid) -> Result<(), StoreError> {
        let values = (session.id.to_column(), insertion);
        self.take_back.run("insert sessions", values).await.map(|_| ())
    }
}

#[async_trait]
impl Sessions for ScyllaSessions {
    async fn insert(&self, sessions: Vec<Session>) -> Result<(), StoreError> {
        let encoded = sessions.iter().map(Row::to_bytes);
        self.insertions.insert("insert sessions", self, &sessions, encoded).await
    }

    async fn find(&self, session: SessionId) -> Result<Option<Session>, StoreError> {
        let operation = "find a session";
        let columns = self.find.row(operation, (session.to_column(),)).await?;
        self.present(operation, session, columns).await
    }

    async fn rotate(
        &self,
        session: SessionId,
        old: RefreshHash,
        new: RefreshHash,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Rotation, StoreError> {
        let operation = "rotate a session";
        let id = session.to_column();
        let mut tries = Tries::new(operation);
        loop {
            let found = tries.after(self.settled(operation, session)).await?;
            let Some(row) = found else { return Ok(Rotation::Gone) };
            // Nobody else knows the new secret yet: who put it there was an attempt of this call.
            if tries.unsettled() && !row.revoked && row.refresh_hash == new && new != old {
                return Ok(Rotation::Rotated(row));
            }
            if tries.unsettled() && row.revoked && row.refresh_hash != old {
                return Ok(Rotation::Reused(row));
            }
            if row.revoked || now >= row.expires_at {
                return Ok(Rotation::Gone);
            }
            // Both are hashes: comparing them in variable time tells nothing of the secret.
            let reused = row.refresh_hash != old;
            let stood = row.refresh_hash;
            let after = if reused {
                Session { revoked: true, ..row }
            } else {
                Session { refresh_hash: new, expires_at, ..row }
            };
            let attempt = async {
                if reused {
                    self.revoke.run(operation, (id, &stood[..])).await
                } else {
                    let values = (&new[..], time(expires_at), id, &old[..]);
                    self.rotate.run(operation, values).await
                }
            };
            if tries.settle(attempt).await? {
                return Ok(if reused { Rotation::Reused(after) } else { Rotation::Rotated(after) });
            }
        }
    }

    async fn revoke(&self, session: SessionId) -> Result<bool, StoreError> {
        let operation = "revoke a session";
        let mut tries = Tries::new(operation);
        loop {
            let found = tries.after(self.settled(operation, session)).await?;
            let Some(row) = found else { return Ok(false) };
            if row.revoked {
                return Ok(true);
            }
            let values = (session.to_column(), &row.refresh_hash[..]);
            if tries.settle(self.revoke.run(operation, values)).await? {
                return Ok(true);
            }
        }
    }
}

fn read(id: SessionId, columns: Columns) -> Option<Session> {
    let (user, refresh_hash, created_at, expires_at, revoked, _) = columns;
    Some(Session {
        id,
        user: UserId::from_column(user),
        refresh_hash: refresh_hash.try_into().ok()?,
        created_at: timestamp(created_at)?,
        expires_at: timestamp(expires_at)?,
        revoked,
    })
}
