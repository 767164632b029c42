//! One's own log-ins: seen, named, ended.

use std::time::Duration;

use barterline_domain::account::SessionName;
use barterline_domain::bearer::Unpermitted;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{SessionId, UserId};
use barterline_storage::audit::Actor;
use barterline_storage::error::StoreError;
use barterline_storage::sessions::{SESSIONS_SHOWN_MAX, Session};

use super::{Accounts, Revoked};
use crate::auth::principal::Principal;
use crate::services::audit::{Action, Note};

/// How long log-ins last, and codes that they take.
#[derive(Debug, Clone, Copy)]
pub struct Lifetimes {
    /// Without use.
    pub idle: Duration,
    /// In all, however much they are used.
    pub whole: Duration,
    /// Steps of 30 seconds by which a code of a second factor may be early or late.
    pub code_steps: u16,
}

impl Lifetimes {
    /// When a log-in that began then and is used now ends if it is not used again.
    pub(super) fn end(self, began: Timestamp, now: Timestamp) -> Timestamp {
        now.plus(self.idle).min(began.plus(self.whole))
    }
}

/// Why nothing was done to a session.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The caller did not log in.
    #[error(transparent)]
    Unpermitted(#[from] Unpermitted),
    /// Not one of the caller's, or over.
    #[error("no such session")]
    NotFound,
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Accounts {
    /// The caller's log-ins that are good, the newest first.
    pub async fn sessions(&self, caller: &Principal) -> Result<Vec<Session>, SessionError> {
        caller.session()?;
        Ok(self.good_sessions(caller.user).await?)
    }

    /// Names one of the caller's log-ins, or takes its name away; gives it after that.
    pub async fn name_session(
        &self,
        caller: &Principal,
        session: SessionId,
        name: Option<SessionName>,
    ) -> Result<Session, SessionError> {
        let found = self.own_session(caller, session).await?;
        if !self.0.sessions.rename(session, name.clone()).await? {
            return Err(SessionError::NotFound);
        }
        Ok(Session { name, ..found })
    }

    /// Ends one of the caller's log-ins, and its sockets.
    pub async fn end_session(
        &self,
        caller: &Principal,
        session: SessionId,
    ) -> Result<(), SessionError> {
        let user = self.own_session(caller, session).await?.user;
        Ok(self.revoke_session(user, session).await?)
    }

    /// Ends all of the caller's log-ins, and their sockets; gives how many there were.
    pub async fn end_all_sessions(&self, caller: &Principal) -> Result<usize, SessionError> {
        caller.session()?;
        Ok(self.end_sessions(caller.user, None).await?)
    }

    /// Ends all of the caller's log-ins but this one, and their sockets; gives how many there were.
    pub async fn end_other_sessions(&self, caller: &Principal) -> Result<usize, SessionError> {
        let session = caller.session()?;
        Ok(self.end_sessions(caller.user, Some(session)).await?)
    }

    pub(super) async fn end_sessions(
        &self,
        user: UserId,
        except: Option<SessionId>,
    ) -> Result<usize, StoreError> {
        let ended = self.revoke_sessions(user, except).await?;
        if ended > 0 {
            let note = Note::new(Actor::User(user), Action::SessionsEnd);
            self.0.audit.note_done(note.with("sessions", &ended)).await;
        }
        Ok(ended)
    }

    /// Ends somebody's log-ins but this one, and their sockets; gives how many there were. To be noted by
    /// who knows who did it.
    pub(in crate::services) async fn revoke_sessions(
        &self,
        user: UserId,
        except: Option<SessionId>,
    ) -> Result<usize, StoreError> {
        let good = self.good_sessions(user).await?.into_iter().map(|session| session.id);
        let good: Vec<_> = good.filter(|session| Some(*session) != except).collect();
        let ended = self.0.sessions.revoke_all(user, except).await;
        // Of a failure nobody knows how far it came: whose session is still good comes back.
        let ended_or_not = ended.as_ref().unwrap_or(&good).iter();
        let revoked = ended_or_not.map(|session| Revoked::Session { user, session: *session });
        self.announce(&revoked.collect::<Vec<_>>()).await;
        Ok(ended?.len())
    }

    /// Ends a log-in, and its sockets.
    pub(super) async fn revoke_session(
        &self,
        user: UserId,
        session: SessionId,
    ) -> Result<(), StoreError> {
        let revoked = self.0.sessions.revoke(session).await;
        // Of a failure nobody knows whether it is ended: whose session is still good comes back.
        self.announce(&[Revoked::Session { user, session }]).await;
        revoked.map(drop)
    }

    /// Ends the oldest of somebody's log-ins if they have as many as anybody may have.
    pub(super) async fn make_room(&self, user: UserId) -> Result<(), StoreError> {
        let good = self.good_sessions(user).await?;
        if let Some(oldest) = good.last().filter(|_| good.len() >= SESSIONS_SHOWN_MAX) {
            self.revoke_session(user, oldest.id).await?;
        }
        Ok(())
    }

    async fn good_sessions(&self, user: UserId) -> Result<Vec<Session>, StoreError> {
        self.0.sessions.list(user, self.0.clock.now()).await
    }

    async fn own_session(
        &self,
        caller: &Principal,
        session: SessionId,
    ) -> Result<Session, SessionError> {
        caller.session()?;
        let found = self.0.sessions.find(session).await?;
        let now = self.0.clock.now();
        let own = found.filter(|found| found.user == caller.user && found.is_good(now));
        own.ok_or(SessionError::NotFound)
    }
}
