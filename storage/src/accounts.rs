//! Who people are: what others may see of an account.

use async_trait::async_trait;
use barterline_domain::account::{AccountRole, DisplayName};
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::UserId;

use crate::error::StoreError;

/// One account without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Who.
    pub id: UserId,
    /// What others call them.
    pub name: DisplayName,
    /// What they may do.
    pub roles: Vec<AccountRole>,
    /// Since when.
    pub created_at: Timestamp,
    /// Since when staff keep them out; `None` if they do not.
    pub suspended_at: Option<Timestamp>,
}

/// All accounts.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Inserts accounts whose ids are new. All or none.
    async fn insert(&self, accounts: Vec<Account>) -> Result<(), StoreError>;

    /// Finds an account.
    async fn find(&self, user: UserId) -> Result<Option<Account>, StoreError>;

    /// Suspends an account, or takes that back; gives it after the change. The time of the first
    /// suspension stays. `None`: no such account.
    async fn suspend(
        &self,
        user: UserId,
        at: Option<Timestamp>,
    ) -> Result<Option<Account>, StoreError>;
}
