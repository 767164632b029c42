//! Going on with a session: a refresh token is good for one use.

use barterline_storage::error::StoreError;
use barterline_storage::sessions::Rotation;

use super::refresh_token::RefreshToken;
use super::{Accounts, LogIn, REFRESH_LIFETIME, Revoked};

/// Why a session does not go on.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// No such token, or used, ended, logged out. Log in.
    #[error("the refresh token is not good")]
    Refused,
    /// The store did not answer. The token is as good as it was, except after
    /// [`StoreError::Unknown`].
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Accounts {
    /// Gives new tokens for a refresh token, which is worthless from then on. A token that comes
    /// twice was copied: nobody knows who of the two is the thief, so the session ends for both.
    pub async fn refresh(&self, refresh_token: &str) -> Result<LogIn, RefreshError> {
        let parts = &self.0.parts;
        let used = RefreshToken::parse(refresh_token).ok_or(RefreshError::Refused)?;
        let id = used.session();
        // What can fail is read first: after the rotation the client has no token but the new one.
        let session = parts.sessions.find(id).await?;
        let session = session.ok_or(RefreshError::Refused)?;
        let account = self.profile(session.user).await?;
        let account = account.ok_or(RefreshError::Refused)?;
        let next = RefreshToken::new(id, parts.ids.secret());
        let now = parts.clock.now();
        let expires_at = now.plus(REFRESH_LIFETIME);
        let rotation = parts.sessions.rotate(id, used.hash(), next.hash(), now, expires_at).await?;
        match rotation {
            Rotation::Rotated(session) => Ok(self.log_in_of(account, &session, &next)),
            Rotation::Reused(session) => {
                tracing::warn!(%id, "a used refresh token came again: the session is revoked");
                self.tell_revoked(Revoked { user: session.user, session: id });
                Err(RefreshError::Refused)
            }
            Rotation::Gone => Err(RefreshError::Refused),
        }
    }
}
