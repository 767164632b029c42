//! Making an account.

use barterline_domain::account::{AccountRole, DisplayName, Email, Password};
use barterline_domain::ids::UserId;
use barterline_storage::accounts::Account;
use barterline_storage::credentials::Credential;
use barterline_storage::error::StoreError;

use super::Accounts;
use super::password_hashing::HashingError;

/// What a person registers with.
#[derive(Debug)]
pub struct Registration {
    /// The name to log in by.
    pub email: Email,
    /// The secret.
    pub password: Password,
    /// What others call them.
    pub name: DisplayName,
}

/// Why nobody was registered.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// Somebody has this address. Log in, or take another.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// Too many people at once.
    #[error(transparent)]
    Hashing(#[from] HashingError),
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Accounts {
    /// Makes an account.
    ///
    /// The credential is written last and decides: a crash before it leaves a profile that nobody
    /// can log in to, and the address free.
    pub async fn register(&self, registration: Registration) -> Result<Account, RegisterError> {
        let parts = &self.0.parts;
        let taken = parts.credentials.find(&registration.email).await?.is_some();
        if taken {
            return Err(RegisterError::EmailTaken);
        }
        let password_hash = parts.hashing.hash(&registration.password).await?;
        let account = Account {
            id: UserId::from_bytes(parts.ids.random()),
            name: registration.name,
            roles: vec![AccountRole::User],
            created_at: parts.clock.now(),
        };
        parts.accounts.insert(vec![account.clone()]).await?;
        let credential = Credential { user: account.id, email: registration.email, password_hash };
        if parts.credentials.insert(credential).await? {
            Ok(account)
        } else {
            Err(RegisterError::EmailTaken)
        }
    }
}
