//! One's own log-ins: seen, named, ended.

use std::net::IpAddr;
use std::time::Duration;

use barterline_domain::account::SessionName;
use barterline_domain::bearer::Unpermitted;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{SessionId, UserId};
use barterline_storage::audit::Actor;
use barterline_storage::credentials::Credential;
use barterline_storage::error::StoreError;
use barterline_storage::sessions::{SESSIONS_SHOWN_MAX, Session};

use super::{Accounts, PasswordError, Revoked, Shown};
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

/// How old a log-in may be to stand for a password, of whoever has none.
const FRESH: Duration = Duration::from_mins(10);

/// The latest time at which a log-in that begins now would not stand for a password.
pub(super) fn no_longer_fresh(now: Timestamp) -> Timestamp {
    let age = u64::try_from(FRESH.as_millis()).unwrap_or(u64::MAX);
    Timestamp::from_millis(now.as_millis().saturating_sub(age))
}

/// Why nothing was done to a session.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The caller did not log in.
    #[error(transparent)]
    Unpermitted(#[from] Unpermitted),
    /// The caller did not prove anew who they are.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The caller has to prove anew who they are.
    #[error("the password is needed, or a log-in that has just begun where there is none")]
    PasswordRequired,
    /// Not one of the caller's, or over.
    #[error("no such session")]
    NotFound,
    /// The caller's own is over.
    #[error("the session has ended")]
    Ended,
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

    /// Ends one of the caller's log-ins, and its sockets. Another than the one that asks, for who proves anew
    /// who they are: a stolen token ends nobody else's.
    pub async fn end_session(
        &self,
        caller: &Principal,
        session: SessionId,
        shown: Option<Shown>,
        from: IpAddr,
    ) -> Result<(), SessionError> {
        let user = self.own_session(caller, session).await?.user;
        if caller.session()? == session {
            return Ok(self.revoke_session(user, session).await?);
        }
        self.prove_again(caller, shown, from).await?;
        self.revoke_session(user, session).await?;
        let note = Note::new(Actor::User(user), Action::SessionsEnd).about(&session);
        self.note_ended(note, 1).await;
        Ok(())
    }

    /// Ends all of the caller's log-ins, and their sockets, for who proves anew who they are; gives how many
    /// there were.
    pub async fn end_all_sessions(
        &self,
        caller: &Principal,
        shown: Option<Shown>,
        from: IpAddr,
    ) -> Result<usize, SessionError> {
        self.prove_again(caller, shown, from).await?;
        Ok(self.end_sessions(caller.user, None).await?)
    }

    /// The same, but for the log-in that asks.
    pub async fn end_other_sessions(
        &self,
        caller: &Principal,
        shown: Option<Shown>,
        from: IpAddr,
    ) -> Result<usize, SessionError> {
        let session = caller.session()?;
        self.prove_again(caller, shown, from).await?;
        Ok(self.end_sessions(caller.user, Some(session)).await?)
    }

    /// The caller's credential, if they prove anew who they are: by the password (and a code), or, who has none,
    /// by a log-in that has just begun, as others vouched for them then. Whoever always comes in elsewhere, and has
    /// told no address, has no credential.
    pub(super) async fn prove_again(
        &self,
        caller: &Principal,
        shown: Option<Shown>,
        from: IpAddr,
    ) -> Result<Option<Credential>, SessionError> {
        if let Some(shown) = shown {
            return Ok(Some(self.prove(caller, shown, from).await?));
        }
        let own = self.own_session(caller, caller.session()?).await;
        let own = own.map_err(|error| match error {
            // It ended meanwhile, elsewhere.
            SessionError::NotFound => SessionError::Ended,
            error => error,
        })?;
        let credential = self.0.credentials.find_by_user(caller.user).await?;
        let has_password = credential.as_ref().is_some_and(|found| found.password_hash.is_some());
        let now = self.0.clock.now();
        let is_fresh = now.apart(own.proven_at) < FRESH;
        if is_fresh && !has_password { Ok(credential) } else { Err(SessionError::PasswordRequired) }
    }

    pub(super) async fn end_sessions(
        &self,
        user: UserId,
        except: Option<SessionId>,
    ) -> Result<usize, StoreError> {
        let ended = self.revoke_sessions(user, except).await?;
        if ended > 0 {
            self.note_ended(Note::new(Actor::User(user), Action::SessionsEnd), ended).await;
        }
        Ok(ended)
    }

    async fn note_ended(&self, note: Note, sessions: usize) {
        self.0.audit.note_done(note.with("sessions", &sessions)).await;
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
