//! Beginning a session with a password.

use barterline_domain::account::{Email, Password};
use barterline_domain::ids::SessionId;
use barterline_storage::accounts::Account;
use barterline_storage::error::StoreError;
use barterline_storage::sessions::Session;

use super::password_hashing::HashingError;
use super::refresh_token::RefreshToken;
use super::{Accounts, LogIn, REFRESH_LIFETIME};

/// Why nobody was logged in.
#[derive(Debug, thiserror::Error)]
pub enum LogInError {
    /// No such address, or another password: the same answer after the same time.
    #[error("the e-mail address or the password is wrong")]
    WrongCredentials,
    /// Too many people at once.
    #[error(transparent)]
    Hashing(#[from] HashingError),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Accounts {
    /// Begins a session.
    pub async fn log_in(&self, email: &Email, password: &Password) -> Result<LogIn, LogInError> {
        let parts = &self.0.parts;
        let credential = parts.credentials.find(email).await?;
        let hash = credential.as_ref().map(|found| found.password_hash.as_str());
        // Without a credential a dummy is checked, so that time does not tell who is registered.
        let good = parts.hashing.verify(password, hash).await?;
        let user = credential.filter(|_| good).map(|found| found.user);
        let user = user.ok_or(LogInError::WrongCredentials)?;
        let account = self.profile(user).await?;
        let account = account.ok_or(LogInError::WrongCredentials)?;
        Ok(self.begin_session(account).await?)
    }

    async fn begin_session(&self, account: Account) -> Result<LogIn, StoreError> {
        let parts = &self.0.parts;
        let now = parts.clock.now();
        let id = SessionId::from_bytes(parts.ids.random());
        let refresh = RefreshToken::new(id, parts.ids.secret());
        let session = Session {
            id,
            user: account.id,
            refresh_hash: refresh.hash(),
            created_at: now,
            expires_at: now.plus(REFRESH_LIFETIME),
            revoked: false,
        };
        parts.sessions.insert(vec![session.clone()]).await?;
        Ok(self.log_in_of(account, &session, &refresh))
    }

    /// The answer for a session whose good refresh token is `refresh`.
    pub(super) fn log_in_of(
        &self,
        account: Account,
        session: &Session,
        refresh: &RefreshToken,
    ) -> LogIn {
        let parts = &self.0.parts;
        let now = parts.clock.now();
        let (access_token, access_expires_at) =
            parts.tokens.issue(account.id, session.id, &account.roles, now);
        LogIn {
            account,
            session: session.id,
            access_token,
            access_expires_at,
            refresh_token: refresh.to_string(),
            refresh_expires_at: session.expires_at,
        }
    }
}
