//! Sessions by id, and by person.

use std::ops::Bound;

use async_trait::async_trait;
use barterline_domain::account::SessionName;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{SessionId, UserId};
use redb::{ReadableTable as _, TableDefinition};

use super::engine::{Engine, failed, table as open};
use super::table::{self, Rows, find, find_in, put, put_new};
use crate::bulk::{Item, Page, Place};
use crate::error::StoreError;
use crate::sessions::{RefreshHash, Rotation, SESSIONS_SHOWN_MAX, Session, Sessions};

const SESSIONS: Rows = TableDefinition::new("sessions");
const BY_USER: TableDefinition<'static, &[u8; 40], ()> = TableDefinition::new("sessions_by_user");

/// Sessions by id.
pub struct EmbeddedSessions(pub Engine);

#[async_trait]
impl Sessions for EmbeddedSessions {
    async fn insert(&self, sessions: Vec<Session>) -> Result<(), StoreError> {
        let insert = move |write: &redb::WriteTransaction| {
            let rows = sessions.iter().map(|row| (&row.id.as_bytes()[..], row));
            let inserted = put_new(write, SESSIONS, rows)?;
            if inserted.is_ok() {
                sessions.iter().try_for_each(|session| note(write, session))?;
            }
            Ok(inserted)
        };
        self.0.write(insert).await?
    }

    async fn find(&self, session: SessionId) -> Result<Option<Session>, StoreError> {
        self.0.read(|read| find(read, SESSIONS, session.as_bytes()))
    }

    async fn rotate(
        &self,
        session: SessionId,
        old: RefreshHash,
        new: RefreshHash,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Rotation, StoreError> {
        let rotate = move |write: &redb::WriteTransaction| {
            let found = find_in::<Session>(write, SESSIONS, session.as_bytes())?;
            let Some(row) = found.filter(|row| row.is_good(now)) else {
                return Ok(Rotation::Gone);
            };
            let rotation = row.rotated(old, new, now, expires_at);
            if let Rotation::Rotated(row) | Rotation::Reused(row) = &rotation {
                put(write, SESSIONS, session.as_bytes(), row)?;
            }
            // Another's insert may have taken it for one that is over.
            if let Rotation::Rotated(row) = &rotation {
                let mut index = write.open_table(BY_USER).map_err(failed)?;
                index.insert(&by_user(row), ()).map_err(failed)?;
            }
            Ok(rotation)
        };
        self.0.write(rotate).await
    }

    async fn revoke(&self, session: SessionId) -> Result<bool, StoreError> {
        self.0.write(move |write| Ok(revoke(write, session)?.is_some())).await
    }

    async fn rename(
        &self,
        session: SessionId,
        name: Option<SessionName>,
    ) -> Result<bool, StoreError> {
        let rename = move |write: &redb::WriteTransaction| {
            let found = find_in::<Session>(write, SESSIONS, session.as_bytes())?;
            let Some(mut row) = found.filter(|row| !row.revoked) else {
                return Ok(false);
            };
            row.name = name;
            put(write, SESSIONS, session.as_bytes(), &row).map(|()| true)
        };
        self.0.write(rename).await
    }

    async fn list(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        self.0.read(|read| {
            let Some(index) = open(read, BY_USER)? else { return Ok(Vec::new()) };
            let mut good = Vec::new();
            for row in index.range::<&[u8; 40]>(of_user(&bounds(user))).map_err(failed)?.rev() {
                let (key, ()) = row.map(|(key, _)| (*key.value(), ())).map_err(failed)?;
                let found = find::<Session>(read, SESSIONS, session_of(&key).as_bytes())?;
                good.extend(found.filter(|session| session.is_good(now)));
                if good.len() == SESSIONS_SHOWN_MAX {
                    break;
                }
            }
            Ok(good)
        })
    }

    async fn revoke_all(
        &self,
        user: UserId,
        except: Option<SessionId>,
    ) -> Result<Vec<SessionId>, StoreError> {
        let revoke_all = move |write: &redb::WriteTransaction| {
            let mut revoked = Vec::new();
            for key in keys_of(write, user)? {
                let session = session_of(&key);
                if Some(session) != except && revoke(write, session)? == Some(true) {
                    revoked.push(session);
                }
            }
            Ok(revoked)
        };
        self.0.write(revoke_all).await
    }
}

/// Where a session stands among its person's: by the time it began.
fn by_user(session: &Session) -> [u8; 40] {
    let mut key = [0; 40];
    key[..16].copy_from_slice(session.user.as_bytes());
    key[16..24].copy_from_slice(&session.created_at.as_millis().to_be_bytes());
    key[24..].copy_from_slice(session.id.as_bytes());
    key
}

/// The first and the last place that a person's sessions can have.
fn bounds(user: UserId) -> [[u8; 40]; 2] {
    [0, 0xff].map(|rest| {
        let mut key = [rest; 40];
        key[..16].copy_from_slice(user.as_bytes());
        key
    })
}

fn of_user([first, last]: &[[u8; 40]; 2]) -> (Bound<&[u8; 40]>, Bound<&[u8; 40]>) {
    (Bound::Included(first), Bound::Included(last))
}

fn session_of(key: &[u8; 40]) -> SessionId {
    let mut id = [0; 16];
    id.copy_from_slice(&key[24..]);
    SessionId::from_bytes(id)
}

fn keys_of(write: &redb::WriteTransaction, user: UserId) -> Result<Vec<[u8; 40]>, StoreError> {
    let index = write.open_table(BY_USER).map_err(failed)?;
    let range = index.range::<&[u8; 40]>(of_user(&bounds(user))).map_err(failed)?;
    range.map(|row| row.map(|(key, _)| *key.value()).map_err(failed)).collect()
}

/// Revokes a session; gives whether that changed anything. `None`: there is none.
fn revoke(write: &redb::WriteTransaction, session: SessionId) -> Result<Option<bool>, StoreError> {
    let found = find_in::<Session>(write, SESSIONS, session.as_bytes())?;
    let Some(mut row) = found else {
        return Ok(None);
    };
    let changes = !row.revoked;
    if changes {
        row.revoked = true;
        put(write, SESSIONS, session.as_bytes(), &row)?;
    }
    Ok(Some(changes))
}

/// Writes down that somebody has this session. Their sessions that were over when it began are
/// struck off, so that what is looked through is bounded by what somebody can begin in the lifetime
/// of a session.
fn note(write: &redb::WriteTransaction, session: &Session) -> Result<(), StoreError> {
    let mut over = Vec::new();
    for key in keys_of(write, session.user)? {
        let found = find_in::<Session>(write, SESSIONS, session_of(&key).as_bytes())?;
        if found.is_none_or(|found| !found.is_good(session.created_at)) {
            over.push(key);
        }
    }
    let mut index = write.open_table(BY_USER).map_err(failed)?;
    for key in over {
        index.remove(&key).map_err(failed)?;
    }
    index.insert(&by_user(session), ()).map_err(failed)?;
    Ok(())
}

/// A page of them, for an archive.
pub(super) fn page(engine: &Engine, after: Option<&Place>) -> Result<Page, StoreError> {
    table::page(engine, SESSIONS, after, |_, session| Ok(Item::Session(session)))
}

/// One of them, for an archive.
pub(super) fn item(
    read: &redb::ReadTransaction,
    id: SessionId,
) -> Result<Option<Item>, StoreError> {
    Ok(find(read, SESSIONS, id.as_bytes())?.map(Item::Session))
}

/// Puts one from an archive.
pub(super) fn put_session(
    write: &redb::WriteTransaction,
    session: &Session,
) -> Result<(), StoreError> {
    put(write, SESSIONS, session.id.as_bytes(), session)?;
    let mut index = write.open_table(BY_USER).map_err(failed)?;
    index.insert(&by_user(session), ()).map_err(failed)?;
    Ok(())
}
