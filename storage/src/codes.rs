//! Single-use secrets that are sent to people. Lives with the credentials.
//!
//! A code is worth nothing after its end, and is gone from the disk some time later.

use async_trait::async_trait;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::UserId;

use crate::credentials::KeptEmail;
use crate::error::StoreError;

/// SHA-256 of a code's secret.
pub type CodeHash = [u8; 32];

/// What a code is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodePurpose {
    /// Shows that mail to an address reaches its owner.
    VerifyEmail,
    /// Sets a new password.
    ResetPassword,
    /// Moves an account to another address.
    ChangeEmail,
    /// Logs in.
    SignIn,
}

/// One code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// Hash of its secret.
    pub hash: CodeHash,
    /// Whose.
    pub user: UserId,
    /// What it is good for.
    pub purpose: CodePurpose,
    /// Where it was sent to.
    pub email: KeptEmail,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// All codes.
#[async_trait]
pub trait Codes: Send + Sync {
    /// Inserts a code whose hash is new.
    async fn insert(&self, code: Code) -> Result<(), StoreError>;

    /// Uses a code up: it is given once, and not after its end. One of another purpose stays as it
    /// is.
    async fn take(
        &self,
        hash: CodeHash,
        purpose: CodePurpose,
        now: Timestamp,
    ) -> Result<Option<Code>, StoreError>;
}
