//! Log-ins: each with one family of refresh tokens, of which one is good.

use async_trait::async_trait;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{SessionId, UserId};

use crate::error::StoreError;

/// SHA-256 of a refresh token's secret.
pub type RefreshHash = [u8; 32];

/// One log-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its name; every access token carries it.
    pub id: SessionId,
    /// Whose.
    pub user: UserId,
    /// Hash of the one refresh token that is good.
    pub refresh_hash: RefreshHash,
    /// When it began.
    pub created_at: Timestamp,
    /// When its refresh token ends.
    pub expires_at: Timestamp,
    /// Logged out, or shut because a used token came again.
    pub revoked: bool,
}

/// What became of a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// The new hash is in place.
    Rotated(Session),
    /// The hash given is not the good one: somebody uses an old token. The session is revoked now.
    Reused(Session),
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

    /// Puts `new` in the place of `old` and extends the session to `expires_at`, in one step.
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
}
