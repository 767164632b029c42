//! Who logs in with what. Lives in a store of its own that only services/accounts can open.

use async_trait::async_trait;
use barterline_domain::account::Email;
use barterline_domain::ids::UserId;

use crate::error::StoreError;

/// The secret of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Whose.
    pub user: UserId,
    /// The name to log in by.
    pub email: Email,
    /// Hash in PHC string format.
    pub password_hash: String,
}

/// The secrets of all accounts.
#[async_trait]
pub trait Credentials: Send + Sync {
    /// Inserts a credential; `false` when the address is taken, and nothing changes.
    async fn insert(&self, credential: Credential) -> Result<bool, StoreError>;

    /// Finds the credential of an address.
    async fn find(&self, email: &Email) -> Result<Option<Credential>, StoreError>;
}
