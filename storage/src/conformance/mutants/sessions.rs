//! Sessions that are not kept as they should be.

use std::sync::Arc;

use async_trait::async_trait;
use barterline_domain::account::SessionName;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{SessionId, UserId};
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
    /// A rotation that is repeated passes for reuse.
    RepeatsAreReuse,
    /// A rotation is repeated for ever.
    RepeatsGoOn,
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
    /// A hash that never was good revokes the session.
    WrongRevokes,
    /// Of the hashes that were good one is known.
    UsedHashesAreForgotten,
    /// A rotation leaves the time of the last use as it was.
    UseIsNotNoted,
    /// A name stays as it was.
    NamesStay,
    /// A revoked session is named.
    RevokedAreNamed,
    /// Revoked sessions are listed too.
    RevokedAreListed,
    /// Sessions that are over are listed too.
    OverAreListed,
    /// The oldest come first.
    OldestComeFirst,
    /// One more than may be is listed.
    ListsAreLarger,
    /// The one that is to be spared is revoked too.
    NobodyIsSpared,
    /// Those that were revoked before are given too.
    RevokedBeforeAreGiven,
    /// Of all only the newest is revoked.
    OneIsRevoked,
}

/// Sessions over sound ones.
pub struct Mutant {
    sound: Arc<dyn Sessions>,
    breach: Option<Breach>,
    /// Sessions that are let in though they are revoked.
    let_in: Mutex<Vec<SessionId>>,
    /// Everything that was inserted.
    inserted: Mutex<Vec<Session>>,
    /// Who comes at once.
    at_once: AtOnce,
}

impl Mutant {
    /// These with this breach, or sound as they are.
    pub fn over(sound: Arc<dyn Sessions>, breach: Option<Breach>) -> Self {
        let (let_in, inserted) = (Mutex::default(), Mutex::default());
        Self { sound, breach, let_in, inserted, at_once: AtOnce::default() }
    }

    /// Somebody's sessions that a sound list leaves out, though they stand.
    async fn left_out(
        &self,
        user: UserId,
        listed: &[Session],
        leave_out: impl Fn(&Session) -> bool,
    ) -> Result<Vec<Session>, StoreError> {
        let inserted = self.inserted.lock().clone();
        let mut left_out = Vec::new();
        for session in inserted.iter().filter(|session| session.user == user) {
            let found = self.sound.find(session.id).await?;
            let listed = |found: &Session| listed.iter().any(|listed| listed.id == found.id);
            left_out.extend(found.filter(|found| !listed(found) && !leave_out(found)));
        }
        Ok(left_out)
    }
}

#[async_trait]
impl Sessions for Mutant {
    async fn insert(&self, sessions: Vec<Session>) -> Result<(), StoreError> {
        self.inserted.lock().extend(sessions.iter().cloned());
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
                let (proven_at, created_at) = (found.created_at, found.proven_at);
                Session { created_at, proven_at, ..found }
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
            Some(Breach::RepeatsAreReuse) => {
                let rotation = rotate(old, now, expires_at).await?;
                Ok(match rotation {
                    Rotation::Repeated(row) => Rotation::Reused(Session { revoked: true, ..row }),
                    rotation => rotation,
                })
            }
            Some(Breach::RepeatsGoOn) if old != good && new == good => {
                Ok(Rotation::Repeated(before))
            }
            Some(Breach::ReusePassesForGone) => {
                let rotation = rotate(old, now, expires_at).await?;
                let reused = matches!(rotation, Rotation::Reused(_));
                Ok(if reused { Rotation::Gone } else { rotation })
            }
            Some(Breach::WrongRevokes) => {
                let rotation = rotate(old, now, expires_at).await?;
                if rotation == Rotation::Wrong {
                    self.sound.revoke(session).await?;
                }
                Ok(rotation)
            }
            Some(Breach::UsedHashesAreForgotten) if !before.used_hashes[..1].contains(&old) => {
                let rotation =
                    if old == good { rotate(old, now, expires_at).await? } else { Rotation::Wrong };
                Ok(rotation)
            }
            Some(Breach::UseIsNotNoted) => {
                let rotation = rotate(old, now, expires_at).await?;
                let used_at = before.used_at;
                Ok(match rotation {
                    Rotation::Rotated(row) => Rotation::Rotated(Session { used_at, ..row }),
                    rotation => rotation,
                })
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

    async fn rename(
        &self,
        session: SessionId,
        name: Option<SessionName>,
    ) -> Result<bool, StoreError> {
        match self.breach {
            Some(Breach::NamesStay) => Ok(self.sound.find(session).await?.is_some()),
            Some(Breach::RevokedAreNamed) => {
                let found = self.sound.find(session).await?.is_some();
                Ok(self.sound.rename(session, name).await? || found)
            }
            _ => self.sound.rename(session, name).await,
        }
    }

    async fn list(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        let mut listed = self.sound.list(user, now).await?;
        match self.breach {
            Some(Breach::RevokedAreListed) => {
                let left_out = self.left_out(user, &listed, |it| now >= it.expires_at).await?;
                listed.extend(left_out);
            }
            Some(Breach::OverAreListed) => {
                listed.extend(self.left_out(user, &listed, |it| it.revoked).await?);
            }
            Some(Breach::ListsAreLarger) => {
                let more = self.left_out(user, &listed, |it| !it.is_good(now)).await?;
                listed.extend(more.into_iter().next());
            }
            Some(Breach::OldestComeFirst) => listed.reverse(),
            _ => {}
        }
        Ok(listed)
    }

    async fn revoke_all(
        &self,
        user: UserId,
        except: Option<SessionId>,
    ) -> Result<Vec<SessionId>, StoreError> {
        let except = except.filter(|_| self.breach != Some(Breach::NobodyIsSpared));
        if self.breach == Some(Breach::OneIsRevoked) {
            let newest = self.sound.list(user, Timestamp::default()).await?.into_iter().next();
            let newest = newest.filter(|newest| Some(newest.id) != except);
            if let Some(newest) = &newest {
                self.sound.revoke(newest.id).await?;
            }
            return Ok(newest.into_iter().map(|newest| newest.id).collect());
        }
        let mut revoked = self.sound.revoke_all(user, except).await?;
        if self.breach == Some(Breach::RevokedBeforeAreGiven) {
            let all = self.left_out(user, &[], |it| !it.revoked).await?;
            revoked.extend(all.into_iter().map(|session| session.id));
            revoked.dedup();
        }
        Ok(revoked)
    }
}
