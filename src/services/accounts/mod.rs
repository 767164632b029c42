//! Who people are: registration, log-in, and the life of a session.
//!
//! The only part of the house that holds the credentials. It does not decide what a role may do.

mod authenticate;
mod load;
mod log_in;
mod log_out;
mod refresh;
mod register;

pub mod password_hashing;
mod refresh_token;
mod session_cache;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use barterline_domain::account::DisplayName;
use barterline_domain::clock::{Clock, Timestamp};
use barterline_domain::ids::{SessionId, UserId};
use barterline_storage::accounts::{Account, Accounts as AccountStore};
use barterline_storage::credentials::Credentials;
use barterline_storage::error::StoreError;
use barterline_storage::sessions::Sessions;
use tokio::sync::broadcast;

pub use self::authenticate::AuthError;
pub use self::log_in::LogInError;
use self::password_hashing::PasswordHashing;
pub use self::refresh::RefreshError;
pub use self::register::{RegisterError, Registration};
use self::session_cache::SessionCache;
use crate::auth::token::Tokens;
use crate::ids::Ids;

/// How long a refresh token is good; each use begins anew.
pub const REFRESH_LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Revocations a listener may be behind before it is told that it missed some.
const REVOCATIONS_WAITING_MAX: usize = 1_024;

/// What the rules of accounts work with.
pub struct Parts {
    /// The secrets; nobody else has them.
    pub credentials: Arc<dyn Credentials>,
    /// The profiles.
    pub accounts: Arc<dyn AccountStore>,
    /// The log-ins.
    pub sessions: Arc<dyn Sessions>,
    /// Signs and checks access tokens.
    pub tokens: Tokens,
    /// The present.
    pub clock: Arc<dyn Clock>,
    /// New ids and refresh secrets.
    pub ids: Arc<dyn Ids>,
    /// Hashes passwords, within bounds.
    pub hashing: PasswordHashing,
}

/// The rules of accounts. Cheap to clone.
#[derive(Clone)]
pub struct Accounts(Arc<Inner>);

struct Inner {
    parts: Parts,
    cache: SessionCache,
    revoked: broadcast::Sender<Revoked>,
}

/// A session was ended, and that is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revoked {
    /// Whose.
    pub user: UserId,
    /// Which.
    pub session: SessionId,
}

/// What a person gets who logs in, or refreshes.
#[derive(Debug, Clone)]
pub struct LogIn {
    /// Who it is.
    pub account: Account,
    /// The log-in.
    pub session: SessionId,
    /// Shown with every request.
    pub access_token: String,
    /// When it ends.
    pub access_expires_at: Timestamp,
    /// Good for one refresh.
    pub refresh_token: String,
    /// When it ends.
    pub refresh_expires_at: Timestamp,
}

/// What everybody may see of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Who.
    pub id: UserId,
    /// What others call them.
    pub name: DisplayName,
}

/// What other services may ask about people.
#[async_trait]
pub trait UserDirectory: Send + Sync {
    /// Finds the public profile.
    async fn find(&self, user: UserId) -> Result<Option<Profile>, StoreError>;
}

impl Accounts {
    /// The rules over these parts.
    pub fn new(parts: Parts) -> Self {
        let (revoked, _) = broadcast::channel(REVOCATIONS_WAITING_MAX);
        Self(Arc::new(Inner { parts, cache: SessionCache::default(), revoked }))
    }

    /// Finds an account.
    pub async fn profile(&self, user: UserId) -> Result<Option<Account>, StoreError> {
        self.0.parts.accounts.find(user).await
    }

    /// Every session ended from now on by this process. A listener that is told it lagged behind
    /// must ask about each session it serves ([`Accounts::authenticate`]).
    pub fn revocations(&self) -> broadcast::Receiver<Revoked> {
        self.0.revoked.subscribe()
    }

    /// Tells everybody here that a session has ended; the store knows it already.
    fn tell_revoked(&self, revoked: Revoked) {
        let now = self.0.parts.clock.now();
        self.0.cache.revoked(revoked.session, now);
        // Without a listener there is nobody to tell.
        let _ = self.0.revoked.send(revoked);
    }
}

#[async_trait]
impl UserDirectory for Accounts {
    async fn find(&self, user: UserId) -> Result<Option<Profile>, StoreError> {
        let account = self.profile(user).await?;
        Ok(account.map(|account| Profile { id: account.id, name: account.name }))
    }
}

#[cfg(test)]
mod tests;
