//! Sessions that are not kept as they should be.

use std::sync::Arc;

use async_trait::async_trait;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::SessionId;
use parking_lot::Mutex;

use super::{AtOnce, breaches};
use crate::error::StoreError;
use crate::sessions::{RefreshHash, Rotation, Session, Sessions};

breaches! {
    /// An insert with a taken id passes for done.
    TakenIdsAreAccepted,
    /// Of an insert that fails the free ids are inserted.
    FreeOnesAreInserted,
    /// The times are found in the wrong order.
    TimesAreSwapped,
    /// A rotation with an old hash rotates.
    OldHashRotates,
    /// A rotation leaves the end as it was.
    EndStays,
    /// Of several at once with one hash each rotates.
    AllAtOnceWin,
    /// A rotation gives the session as it was before.
    OldSessionIsGiven,
    /// An old hash is refused, and the session goes on.
    ReuseIsForgiven,
    /// An old hash passes for a session that is over.
    ReusePassesForGone,
    /// A session that is over rotates.
    OverRotates,
    /// A revoked session rotates.
    RevokedRotates,
    /// Nothing is revoked.
    NothingIsRevoked,
    /// To revoke twice is to let in again.
    TwiceIsNever,
    /// A missing session is revoked.
    MissingIsRevoked,
}

/// Sessions over sound ones.
pub struct Mutant {
    sound: Arc<dyn Sessions>,
    breach: Option<Breach>,
    /// Sessions that are let in though they are revoked.
    let_in: Mutex<Vec<SessionId>>,
    /// Who comes at once.
    at_once: AtOnce,
}

impl Mutant {
    /// These with this breach, or sound as they are.
    pub fn over(sound: Arc<dyn Sessions>, breach: Option<Breach>) -> Self {
        Self { sound, breach, let_in: Mutex::default(), at_once: AtOnce::default() }
    }
}

#[async_trait]
impl Sessions for Mutant {
    async fn insert(&self, sessions: Vec<Session>) -> Result<(), StoreError> {
        let inserted = self.sound.insert(sessions.clone()).await;
        match self.breach {
            Some(Breach::TakenIdsAreAccepted) => Ok(()),
            Some(Breach::FreeOnesAreInserted) if inserted.is_err() => {
                for session in sessions {
                    let _taken = self.sound.insert(vec![session]).await;
                }
                inserted
            }
            _ => inserted,
        }
    }

    async fn find(&self, session: SessionId) -> Result<Option<Session>, StoreError> {
        let found = self.sound.find(session).await?;
        Ok(found.map(|found| match self.breach {
            Some(Breach::TimesAreSwapped) => {
                let (created_at, expires_at) = (found.expires_at, found.created_at);
                Session { created_at, expires_at, ..found }
            }
            _ if self.let_in.lock().contains(&session) => Session { revoked: false, ..found },
            _ => found,
        }))
    }

    async fn rotate(
        &self,
        session: SessionId,
        old: RefreshHash,
        new: RefreshHash,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Rotation, StoreError> {
        let Some(before) = self.sound.find(session).await? else {
            return self.sound.rotate(session, old, new, now, expires_at).await;
        };
        let (good, end) = (before.refresh_hash, before.expires_at);
        let rotate = async |old, now, end| self.sound.rotate(session, old, new, now, end).await;
        match self.breach {
            Some(Breach::OldHashRotates) => rotate(good, now, expires_at).await,
            Some(Breach::EndStays) => rotate(old, now, end).await,
            Some(Breach::AllAtOnceWin) if self.at_once.another_comes().await => {
                Ok(Rotation::Rotated(Session { refresh_hash: new, expires_at, ..before }))
            }
            Some(Breach::OldSessionIsGiven) => {
                let rotation = rotate(old, now, expires_at).await?;
                let rotated = matches!(rotation, Rotation::Rotated(_));
                Ok(if rotated { Rotation::Rotated(before) } else { rotation })
            }
            Some(Breach::ReuseIsForgiven) if old != good && !before.revoked => {
                Ok(Rotation::Reused(Session { revoked: true, ..before }))
            }
            Some(Breach::ReusePassesForGone) => {
                let rotation = rotate(old, now, expires_at).await?;
                let reused = matches!(rotation, Rotation::Reused(_));
                Ok(if reused { Rotation::Gone } else { rotation })
            }
            Some(Breach::OverRotates) => rotate(old, before.created_at, expires_at).await,
            Some(Breach::RevokedRotates) if before.revoked => Ok(Rotation::Rotated(before)),
            _ => rotate(old, now, expires_at).await,
        }
    }

    async fn revoke(&self, session: SessionId) -> Result<bool, StoreError> {
        match self.breach {
            Some(Breach::NothingIsRevoked) => {
                return Ok(self.sound.find(session).await?.is_some());
            }
            Some(Breach::TwiceIsNever)
                if self.sound.find(session).await?.is_some_and(|found| found.revoked) =>
            {
                self.let_in.lock().push(session);
            }
            _ => {}
        }
        let revoked = self.sound.revoke(session).await?;
        Ok(revoked || self.breach == Some(Breach::MissingIsRevoked))
    }
}
