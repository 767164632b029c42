//! Sessions by id.

use async_trait::async_trait;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::SessionId;
use redb::TableDefinition;

use super::engine::Engine;
use super::table::{self, Rows, find, find_in, put, put_new};
use crate::bulk::{Item, Page, Place};
use crate::error::StoreError;
use crate::sessions::{RefreshHash, Rotation, Session, Sessions};

const SESSIONS: Rows = TableDefinition::new("sessions");

/// Sessions by id.
pub struct EmbeddedSessions(pub Engine);

#[async_trait]
impl Sessions for EmbeddedSessions {
    async fn insert(&self, sessions: Vec<Session>) -> Result<(), StoreError> {
        let insert = move |write: &redb::WriteTransaction| {
            let rows = sessions.iter().map(|row| (&row.id.as_bytes()[..], row));
            put_new(write, SESSIONS, rows)
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
            let good = found.filter(|session| !session.revoked && now < session.expires_at);
            let Some(mut row) = good else {
                return Ok(Rotation::Gone);
            };
            // Both are hashes: comparing them in variable time tells nothing of the secret.
            let reused = row.refresh_hash != old;
            if reused {
                row.revoked = true;
            } else {
                row.refresh_hash = new;
                row.expires_at = expires_at;
            }
            put(write, SESSIONS, session.as_bytes(), &row)?;
            Ok(if reused { Rotation::Reused(row) } else { Rotation::Rotated(row) })
        };
        self.0.write(rotate).await
    }

    async fn revoke(&self, session: SessionId) -> Result<bool, StoreError> {
        let revoke = move |write: &redb::WriteTransaction| {
            let found = find_in::<Session>(write, SESSIONS, session.as_bytes())?;
            let Some(mut row) = found else {
                return Ok(false);
            };
            row.revoked = true;
            put(write, SESSIONS, session.as_bytes(), &row).map(|()| true)
        };
        self.0.write(revoke).await
    }
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
    put(write, SESSIONS, session.id.as_bytes(), session)
}
