//! Log-ins: each with one family of refresh tokens, of which one is good.

use std::time::Duration;

use async_trait::async_trait;
use barterline_domain::account::{ClientName, SessionName};
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{SessionId, UserId};

use crate::error::StoreError;

/// SHA-256 of a refresh token's secret.
pub type RefreshHash = [u8; 32];

/// Used hashes of a session that are known; with a refresh every quarter of an hour, of two hours.
pub const USED_HASHES_MAX: usize = 8;
/// For how long a rotation may be repeated: whoever did not get its answer tries again, over a network that
/// comes and goes.
pub const REPEATED_FOR: Duration = Duration::from_secs(30);
/// Most sessions that [`Sessions::list`] gives.
pub const SESSIONS_SHOWN_MAX: usize = 256;

/// One log-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its name; every access token carries it.
    pub id: SessionId,
    /// Whose.
    pub user: UserId,
    /// Hash of the one refresh token that is good.
    pub refresh_hash: RefreshHash,
    /// Hashes that were good before, the newest first; [`USED_HASHES_MAX`] at most.
    pub used_hashes: Vec<RefreshHash>,
    /// What its owner calls it.
    pub name: Option<SessionName>,
    /// What the client said it is.
    pub client: Option<ClientName>,
    /// When it began.
    pub created_at: Timestamp,
    /// When its owner proved who they are: then, or before, to others who vouched for it.
    pub proven_at: Timestamp,
    /// When its refresh token was last used, or it began.
    pub used_at: Timestamp,
    /// When its refresh token ends.
    pub expires_at: Timestamp,
    /// Logged out, or shut because a used token came again.
    pub revoked: bool,
}

impl Session {
    /// Whether it is neither revoked nor over at `now`.
    pub fn is_good(&self, now: Timestamp) -> bool {
        !self.revoked && now < self.expires_at
    }

    /// The session as a rotation with `old` leaves it, and what that is. It has to be good.
    ///
    /// All are hashes: comparing them in variable time tells nothing of a secret.
    pub(crate) fn rotated(
        self,
        old: RefreshHash,
        new: RefreshHash,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Rotation {
        if self.refresh_hash == old {
            let mut used_hashes = self.used_hashes;
            used_hashes.insert(0, old);
            used_hashes.truncate(USED_HASHES_MAX);
            let (refresh_hash, used_at) = (new, now);
            let rotated = Self { refresh_hash, used_hashes, used_at, expires_at, ..self };
            return Rotation::Rotated(rotated);
        }
        let is_last = self.used_hashes.first() == Some(&old) && self.refresh_hash == new;
        if is_last && now.apart(self.used_at) < REPEATED_FOR {
            return Rotation::Repeated(self);
        }
        if self.used_hashes.contains(&old) {
            return Rotation::Reused(Self { revoked: true, ..self });
        }
        Rotation::Wrong
    }
}

/// What became of a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// The new hash is in place.
    Rotated(Session),
    /// The same again within [`REPEATED_FOR`], as its answer was lost; nothing changed.
    Repeated(Session),
    /// The hash given was good before: somebody uses an old token. The session is revoked now.
    Reused(Session),
    /// The hash given is none that is known of this session; nothing changed.
    Wrong,
    /// No such session, revoked, or expired.
    Gone,
}

/// All sessions.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Inserts sessions whose ids are new. All or none.
    async fn insert(&self, sessions: Vec<Session>) -> Result<(), StoreError>;

    /// Finds a session.
    async fn find(&self, session: SessionId) -> Result<Option<Session>, StoreError>;

    /// Puts `new` in the place of `old` and extends the session to `expires_at`, in one step. The
    /// session was used at `now`.
    async fn rotate(
        &self,
        session: SessionId,
        old: RefreshHash,
        new: RefreshHash,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Rotation, StoreError>;

    /// Revokes a session; revoking twice is revoking once. `false` when there is none.
    async fn revoke(&self, session: SessionId) -> Result<bool, StoreError>;

    /// Names a session, or takes its name away. `false` when there is none, or it is revoked.
    async fn rename(
        &self,
        session: SessionId,
        name: Option<SessionName>,
    ) -> Result<bool, StoreError>;

    /// Lists a person's sessions that are neither revoked nor over at `now`, the newest first. At
    /// most [`SESSIONS_SHOWN_MAX`].
    async fn list(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>, StoreError>;

    /// Revokes a person's sessions, all but `except`; gives those that were not revoked before.
    async fn revoke_all(
        &self,
        user: UserId,
        except: Option<SessionId>,
    ) -> Result<Vec<SessionId>, StoreError>;
}
