//! Who somebody is: to themselves, and to others.

use async_trait::async_trait;
use barterline_domain::account::{Email, Scope};
use barterline_domain::bearer::{Bearer, Unpermitted};
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::UserId;
use barterline_storage::accounts::{Account, ProfileChange};
use barterline_storage::credentials::Credential;
use barterline_storage::error::StoreError;

use super::Accounts;
use crate::auth::principal::Principal;

/// What somebody logs in with, but for what proves it.
#[derive(Debug)]
pub struct LogInMeans {
    /// The address.
    pub email: Email,
    /// When its owner confirmed it.
    pub email_verified_at: Option<Timestamp>,
    /// When the password was set.
    pub password_changed_at: Timestamp,
}

/// Why somebody's own account is neither shown nor changed.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The API key is not for that.
    #[error(transparent)]
    Unpermitted(#[from] Unpermitted),
    /// No such account, or it was erased.
    #[error("no such account")]
    NotFound,
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who people are, for other services.
#[async_trait]
pub trait UserDirectory: Send + Sync {
    /// Finds what others may see of somebody.
    async fn find(&self, user: UserId) -> Result<Option<Account>, StoreError>;
}

#[async_trait]
impl UserDirectory for Accounts {
    async fn find(&self, user: UserId) -> Result<Option<Account>, StoreError> {
        self.profile(user).await
    }
}

impl Accounts {
    /// The caller's own account.
    pub async fn own_profile(&self, caller: Bearer) -> Result<Account, ProfileError> {
        let user = caller.may(Scope::ReadProfile)?;
        self.0.accounts.find(user).await?.ok_or(ProfileError::NotFound)
    }

    /// What the caller logs in with, if they have a password.
    pub async fn log_in_means(
        &self,
        caller: &Principal,
    ) -> Result<Option<LogInMeans>, ProfileError> {
        caller.session()?;
        let found = self.0.credentials.find_by_user(caller.user).await?;
        let means = found.map(|found| {
            let Credential { email_verified_at, password_changed_at, .. } = found;
            let email = self.email_of(caller.user, &found.email)?;
            Ok::<_, StoreError>(LogInMeans { email, email_verified_at, password_changed_at })
        });
        Ok(means.transpose()?)
    }

    /// Changes what others see of the caller; gives the account after it.
    pub async fn change_profile(
        &self,
        caller: Bearer,
        change: ProfileChange,
    ) -> Result<Account, ProfileError> {
        let user = caller.may(Scope::WriteProfile)?;
        self.0.accounts.change(user, change).await?.ok_or(ProfileError::NotFound)
    }

    /// What others may see of somebody.
    pub async fn profile(&self, user: UserId) -> Result<Option<Account>, StoreError> {
        self.0.accounts.find(user).await
    }
}
