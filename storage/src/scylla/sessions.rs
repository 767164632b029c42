//! Log-ins by id, and by person.

use async_trait::async_trait;
use barterline_domain::account::{ClientName, SessionName};
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{SessionId, UserId};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use scylla::value::{CqlTimestamp, MaybeUnset};
use uuid::Uuid;

use super::columns::{ABOVE_EVERY_ID, Id as _, time, timestamp};
use super::insertions::{Insert, Insertions, may_be_ours};
use super::session::Database;
use super::statements::{Answer, Conditional, Read, SerialRead, Tries, Write};
use crate::error::StoreError;
use crate::record::rows::Row;
use crate::sessions::{RefreshHash, Rotation, SESSIONS_SHOWN_MAX, Session, Sessions};

const FIND: &str = "SELECT user_id, refresh_hash, used_hashes, name, client, created_at, proven_at, used_at, \
                    expires_at, revoked, insertion FROM {users}.sessions WHERE id = ?";
/// Rows of the index that are read at a time.
const PAGE: usize = SESSIONS_SHOWN_MAX;
/// Sessions that are read or revoked at once.
const AT_ONCE: usize = 32;
/// Seconds that a row of the index outlives its session, whose end is told by another clock.
const GRACE_S: u64 = 24 * 60 * 60;
/// The longest a row can live, in seconds: the database's bound, 20 years.
const TTL_S_MAX: u64 = 20 * 365 * 24 * 60 * 60;

type Columns = (
    Uuid,
    Vec<u8>,
    Vec<Vec<u8>>,
    String,
    Option<String>,
    CqlTimestamp,
    CqlTimestamp,
    CqlTimestamp,
    CqlTimestamp,
    bool,
    Option<Uuid>,
);

/// Log-ins by id, and by person.
pub struct ScyllaSessions {
    insert: Conditional,
    take_back: Conditional,
    rotate: Conditional,
    revoke: Conditional,
    rename: Conditional,
    find: Read,
    settled: SerialRead,
    note: Write,
    of_user: Read,
    insertions: Insertions,
    import: Write,
}

impl ScyllaSessions {
    /// Prepares the statements.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        let conditional = |text| Conditional::prepare(database, text);
        Ok(Self {
            insert: conditional(
                "INSERT INTO {users}.sessions (id, user_id, refresh_hash, used_hashes, name, \
                 client, created_at, proven_at, used_at, expires_at, revoked, insertion) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) IF NOT EXISTS",
            )
            .await?,
            take_back: conditional("DELETE FROM {users}.sessions WHERE id = ? IF insertion = ?")
                .await?,
            rotate: conditional(
                "UPDATE {users}.sessions SET refresh_hash = ?, used_hashes = ?, used_at = ?, \
                 expires_at = ? WHERE id = ? IF refresh_hash = ? AND revoked = false",
            )
            .await?,
            revoke: conditional(
                "UPDATE {users}.sessions SET revoked = true WHERE id = ? \
                 IF refresh_hash = ? AND revoked = false",
            )
            .await?,
            rename: conditional(
                "UPDATE {users}.sessions SET name = ? WHERE id = ? IF revoked = false",
            )
            .await?,
            find: Read::prepare(database, FIND).await?,
            settled: SerialRead::prepare(database, FIND).await?,
            note: Write::prepare(
                database,
                "INSERT INTO {users}.sessions_by_user (user_id, created_at, session) \
                 VALUES (?, ?, ?) USING TTL ?",
            )
            .await?,
            of_user: Read::prepare(
                database,
                "SELECT created_at, session FROM {users}.sessions_by_user \
                 WHERE user_id = ? AND (created_at, session) < (?, ?) LIMIT ?",
            )
            .await?,
            insertions: Insertions::open(database).await?,
            import: Write::prepare(
                database,
                "INSERT INTO {users}.sessions (id, user_id, refresh_hash, used_hashes, name, \
                 client, created_at, proven_at, used_at, expires_at, revoked) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?",
            )
            .await?,
        })
    }

    /// Puts one from an archive.
    pub(super) async fn import(&self, session: &Session, stamp: i64) -> Result<(), StoreError> {
        let operation = "import a session";
        self.note(operation, session, session.created_at, session.expires_at).await?;
        let values = (
            session.id.to_column(),
            session.user.to_column(),
            &session.refresh_hash[..],
            &hashes(session),
            name_column(session.name.as_ref()),
            MaybeUnset::from_option(session.client.as_ref().map(ClientName::as_str)),
            time(session.created_at),
            time(session.proven_at),
            time(session.used_at),
            time(session.expires_at),
            session.revoked,
            stamp,
        );
        self.import.run(operation, values).await
    }

    /// Writes down until its end that somebody has this session. Means nothing until it is there.
    async fn note(
        &self,
        operation: &'static str,
        session: &Session,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        let lives_s = expires_at.as_millis().saturating_sub(now.as_millis()) / 1_000 + GRACE_S;
        let ttl_s = i32::try_from(lives_s.min(TTL_S_MAX)).unwrap_or(i32::MAX);
        let user = session.user.to_column();
        let values = (user, time(session.created_at), &session.id.as_bytes()[..], ttl_s);
        // Whatever stands there now, the session did not change.
        let failed = |_| StoreError::unavailable(operation, "the index by person takes no writes");
        self.note.run(operation, values).await.map_err(failed)
    }

    /// The next sessions of somebody below `before`, the newest first, and where the ones after them
    /// begin. A row of the index without its session means nothing.
    async fn page(
        &self,
        operation: &'static str,
        user: UserId,
        before: (CqlTimestamp, Vec<u8>),
    ) -> Result<(Vec<Session>, Option<(CqlTimestamp, Vec<u8>)>), StoreError> {
        let limit = i32::try_from(PAGE).unwrap_or(i32::MAX);
        let values = (user.to_column(), before.0, &before.1, limit);
        let named = self.of_user.rows::<(CqlTimestamp, Vec<u8>)>(operation, values).await?;
        let next = (named.len() == PAGE).then(|| named.last().cloned()).flatten();
        let find = |(at, id): (CqlTimestamp, Vec<u8>)| async move {
            let damaged = |_| StoreError::corrupt(operation, "table sessions_by_user");
            let found = self.find(SessionId::from_bytes(id[..].try_into().map_err(damaged)?));
            let is_so = |it: &Session| it.user == user && Some(it.created_at) == timestamp(at);
            Ok::<_, StoreError>(found.await?.filter(is_so))
        };
        let found = stream::iter(named.into_iter().map(find)).buffered(AT_ONCE);
        let found: Vec<Option<Session>> = found.try_collect().await?;
        Ok((found.into_iter().flatten().collect(), next))
    }

    /// Revokes a session; gives whether that changed anything. `None`: there is none.
    async fn revoke_one(
        &self,
        operation: &'static str,
        session: SessionId,
    ) -> Result<Option<bool>, StoreError> {
        let mut tries = Tries::new(operation);
        loop {
            let found = tries.after(self.settled(operation, session)).await?;
            let Some(row) = found else { return Ok(None) };
            if row.revoked {
                return Ok(Some(tries.unsettled()));
            }
            let values = (session.to_column(), &row.refresh_hash[..]);
            if tries.settle(self.revoke.run(operation, values)).await? {
                return Ok(Some(true));
            }
        }
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
        let named = (columns.10, columns);
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
        let hashes = hashes(session);
        self.note(operation, session, session.created_at, session.expires_at).await?;
        let mut tries = Tries::new(operation);
        loop {
            let values = (
                id,
                session.user.to_column(),
                &session.refresh_hash[..],
                &hashes,
                name_column(session.name.as_ref()),
                MaybeUnset::from_option(session.client.as_ref().map(ClientName::as_str)),
                time(session.created_at),
                time(session.proven_at),
                time(session.used_at),
                time(session.expires_at),
                session.revoked,
                MaybeUnset::from_option(insertion),
            );
            if tries.settle(self.insert.run(operation, values)).await? {
                return Ok(true);
            }
            let settled = tries.after(self.settled.row::<Columns>(operation, (id,))).await?;
            if let Some(columns) = settled {
                let ours = may_be_ours(&tries, columns.10, insertion);
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
        // What attempts of unknown outcome were to do.
        let (mut rotates, mut revokes) = (false, false);
        loop {
            let found = tries.after(self.settled(operation, session)).await?;
            let Some(row) = found else { return Ok(Rotation::Gone) };
            if tries.unsettled() && rotates && !row.revoked && new != old {
                if row.refresh_hash == new {
                    return Ok(Rotation::Rotated(row));
                }
                // Whoever repeated it at another server goes on already: that is no theft, and the session is
                // as good as it was.
                if row.used_hashes.contains(&new) {
                    return Err(StoreError::Unknown { operation });
                }
            }
            if tries.unsettled() && revokes && row.revoked {
                return Ok(Rotation::Reused(row));
            }
            if !row.is_good(now) {
                return Ok(Rotation::Gone);
            }
            let stood = row.refresh_hash;
            let rotation = row.rotated(old, new, now, expires_at);
            rotates |= matches!(rotation, Rotation::Rotated(_));
            revokes |= matches!(rotation, Rotation::Reused(_));
            let attempt = async {
                match &rotation {
                    Rotation::Rotated(row) => {
                        self.note(operation, row, now, expires_at).await?;
                        let end = time(expires_at);
                        let values = (&new[..], hashes(row), time(now), end, id, &old[..]);
                        self.rotate.run(operation, values).await
                    }
                    Rotation::Reused(_) => self.revoke.run(operation, (id, &stood[..])).await,
                    // Nothing is to be written.
                    Rotation::Repeated(_) | Rotation::Wrong | Rotation::Gone => Ok(Answer::Applied),
                }
            };
            if tries.settle(attempt).await? {
                return Ok(rotation);
            }
        }
    }

    async fn revoke(&self, session: SessionId) -> Result<bool, StoreError> {
        Ok(self.revoke_one("revoke a session", session).await?.is_some())
    }

    async fn rename(
        &self,
        session: SessionId,
        name: Option<SessionName>,
    ) -> Result<bool, StoreError> {
        let operation = "rename a session";
        let mut tries = Tries::new(operation);
        loop {
            let found = tries.after(self.settled(operation, session)).await?;
            if found.is_none_or(|found| found.revoked) {
                return Ok(false);
            }
            let values = (name_column(name.as_ref()), session.to_column());
            if tries.settle(self.rename.run(operation, values)).await? {
                return Ok(true);
            }
        }
    }

    async fn list(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        let (mut good, mut before) = (Vec::new(), Some(above_all()));
        while let Some(below) = before
            && good.len() < SESSIONS_SHOWN_MAX
        {
            let (page, next) = self.page("list sessions", user, below).await?;
            good.extend(page.into_iter().filter(|session| session.is_good(now)));
            before = next;
        }
        good.truncate(SESSIONS_SHOWN_MAX);
        Ok(good)
    }

    async fn revoke_all(
        &self,
        user: UserId,
        except: Option<SessionId>,
    ) -> Result<Vec<SessionId>, StoreError> {
        let operation = "revoke sessions";
        let mut revoked = Vec::new();
        let all = async {
            let mut before = Some(above_all());
            while let Some(below) = before {
                let (page, next) = self.page(operation, user, below).await?;
                let others = page.into_iter().filter(|it| !it.revoked && Some(it.id) != except);
                let others: Vec<SessionId> = others.map(|it| it.id).collect();
                let mut ended = stream::iter(others.into_iter().map(|session| async move {
                    Ok::<_, StoreError>((session, self.revoke_one(operation, session).await?))
                }))
                .buffered(AT_ONCE);
                while let Some((session, changed)) = ended.try_next().await? {
                    revoked.extend((changed == Some(true)).then_some(session));
                }
                before = next;
            }
            Ok(())
        };
        match all.await {
            Ok(()) => Ok(revoked),
            // Some of them may be.
            Err(StoreError::Unavailable { .. }) => Err(StoreError::Unknown { operation }),
            Err(error) => Err(error),
        }
    }
}

/// Sorts above every row of the index.
fn above_all() -> (CqlTimestamp, Vec<u8>) {
    (CqlTimestamp(i64::MAX), ABOVE_EVERY_ID.to_vec())
}

fn hashes(session: &Session) -> Vec<&[u8]> {
    session.used_hashes.iter().map(|hash| &hash[..]).collect()
}

/// A name can be taken away: nothing is bound to null, and no name is empty.
fn name_column(name: Option<&SessionName>) -> &str {
    name.map_or("", SessionName::as_str)
}

fn read(id: SessionId, columns: Columns) -> Option<Session> {
    let (
        user,
        refresh_hash,
        used_hashes,
        name,
        client,
        created_at,
        proven_at,
        used_at,
        expires_at,
        revoked,
        _,
    ) = columns;
    let used_hashes = used_hashes.into_iter().map(|hash| hash.try_into().ok());
    Some(Session {
        id,
        user: UserId::from_column(user),
        refresh_hash: refresh_hash.try_into().ok()?,
        used_hashes: used_hashes.collect::<Option<_>>()?,
        name: if name.is_empty() { None } else { Some(SessionName::parse(&name).ok()?) },
        client: client.map(|client| ClientName::parse(&client)).transpose().ok()?,
        created_at: timestamp(created_at)?,
        proven_at: timestamp(proven_at)?,
        used_at: timestamp(used_at)?,
        expires_at: timestamp(expires_at)?,
        revoked,
    })
}
