//! Who somebody is: to themselves, and to others.
//!
//! A picture is claimed before a profile shows it, and shown soon after that or not at all ([`NAMED_WITHIN`]). The
//! one that it takes the place of is doubted before (docs/decisions/0023).

use std::time::Duration;

use async_trait::async_trait;
use barterline_domain::account::{Email, Scope};
use barterline_domain::bearer::{Bearer, Unpermitted};
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{MediaId, UserId};
use barterline_storage::accounts::{Account, ProfileChange};
use barterline_storage::credentials::Credential;
use barterline_storage::error::StoreError;

use super::Accounts;
use crate::auth::principal::Principal;

/// For so long after it was claimed a picture may come to be shown. What takes longer is given up.
pub const NAMED_WITHIN: Duration = Duration::from_mins(1);

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
    /// There is no such file that the caller may show in their profile.
    #[error("no such picture")]
    AvatarNotFound,
    /// It is not whole yet, or is still being looked at.
    #[error("the picture is not ready")]
    AvatarNotReady,
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who people are, for other services.
#[async_trait]
pub trait UserDirectory: Send + Sync {
    /// Finds what others may see of somebody.
    async fn find(&self, user: UserId) -> Result<Option<Account>, StoreError>;

    /// The same behind all that was on its way to it: what was begun before this call, and is not seen by it, never
    /// takes place.
    async fn settled(&self, user: UserId) -> Result<Option<Account>, StoreError> {
        self.find(user).await
    }
}

/// Knows which pictures people uploaded of themselves.
#[async_trait]
pub trait Avatars: Send + Sync {
    /// Has somebody's profile show a picture that they uploaded for it, and that is whole. It is to show it within
    /// [`NAMED_WITHIN`]: what it does not show by then may end.
    async fn claim(
        &self,
        user: UserId,
        picture: MediaId,
        now: Timestamp,
    ) -> Result<(), ProfileError>;

    /// Has a picture looked at again that a profile is to show no more.
    async fn doubt(&self, picture: MediaId, now: Timestamp) -> Result<(), StoreError>;
}

/// A server without uploads.
pub struct NoAvatars;

#[async_trait]
impl Avatars for NoAvatars {
    async fn claim(&self, _: UserId, _: MediaId, _: Timestamp) -> Result<(), ProfileError> {
        Err(ProfileError::AvatarNotFound)
    }

    async fn doubt(&self, _: MediaId, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }
}

#[async_trait]
impl UserDirectory for Accounts {
    async fn find(&self, user: UserId) -> Result<Option<Account>, StoreError> {
        self.profile(user).await
    }

    async fn settled(&self, user: UserId) -> Result<Option<Account>, StoreError> {
        let found = self.profile(user).await?;
        // Changes nothing. But it stands in line behind what was on its way, or, on a cluster, brings that to its
        // end.
        let settled = self.0.accounts.change(user, ProfileChange::default()).await?;
        let avatar_of = |account: &Option<Account>| account.as_ref().and_then(|it| it.avatar);
        if let Some(lost) = avatar_of(&found)
            && avatar_of(&settled) != Some(lost)
        {
            // Whoever changed it was not told, and may have looked after it for nothing.
            self.0.avatars.doubt(lost, self.0.clock.now()).await?;
        }
        Ok(settled)
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
        if let Some(picture) = change.avatar {
            self.take_avatar(user, picture).await?;
        }
        self.0.accounts.change(user, change).await?.ok_or(ProfileError::NotFound)
    }

    /// Lets a profile show this picture, or none, and no longer the one that it shows. To be done at once.
    async fn take_avatar(
        &self,
        user: UserId,
        picture: Option<MediaId>,
    ) -> Result<(), ProfileError> {
        let now = self.0.clock.now();
        // Also where it is shown already: somebody else may take it away just now.
        if let Some(picture) = picture {
            self.0.avatars.claim(user, picture, now).await?;
        }
        let before = self.0.accounts.find(user).await?.ok_or(ProfileError::NotFound)?;
        if let Some(shown) = before.avatar.filter(|shown| picture != Some(*shown)) {
            self.0.avatars.doubt(shown, now).await?;
        }
        // Else a look may come before the profile shows it.
        if self.0.clock.now().since(now) >= NAMED_WITHIN {
            return Err(StoreError::unavailable("change a profile", "it took too long").into());
        }
        Ok(())
    }

    /// Has somebody show no picture, before its file goes with all that they brought.
    pub(in crate::services) async fn hide_avatar(&self, user: UserId) -> Result<(), StoreError> {
        let account = self.0.accounts.find(user).await?;
        let Some(shown) = account.and_then(|account| account.avatar) else { return Ok(()) };
        self.0.avatars.doubt(shown, self.0.clock.now()).await?;
        let change = ProfileChange { avatar: Some(None), ..ProfileChange::default() };
        self.0.accounts.change(user, change).await.map(drop)
    }

    /// What others may see of somebody.
    pub async fn profile(&self, user: UserId) -> Result<Option<Account>, StoreError> {
        self.0.accounts.find(user).await
    }
}
