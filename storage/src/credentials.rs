//! Who logs in with what. Lives in a store of its own that only services/accounts can open.
//!
//! The secret is the user's; an address is a claim that names a user, and can be another's later. No address
//! stands here as it is: whoever reads the disk or a backup, and has no keys, learns none.

use std::fmt;

use async_trait::async_trait;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::UserId;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;

/// By what an address is found: a digest of it under a key that the store has not (HMAC-SHA256). The same
/// for the same address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EmailKey(pub [u8; 32]);

/// An address, as it is kept. Two that are found by the same are the same address.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptEmail {
    /// By what it is found.
    pub key: EmailKey,
    /// The address, sealed by the caller; perhaps another text each time.
    pub sealed: Vec<u8>,
}

impl fmt::Debug for KeptEmail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeptEmail(…)")
    }
}

/// The secret of one account.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// Whose.
    pub user: UserId,
    /// The name to log in by.
    pub email: KeptEmail,
    /// When they showed that mail to the address reaches them; `None` if they did not yet.
    pub email_verified_at: Option<Timestamp>,
    /// Hash in PHC string format; `None` for who signs in by an outer provider only.
    pub password_hash: Option<String>,
    /// When the password was last set.
    pub password_changed_at: Timestamp,
    /// What else they have to show.
    pub second_factor: Option<SecondFactor>,
}

/// A generator of codes that change with the time (RFC 6238).
#[derive(Clone, PartialEq, Eq)]
pub struct SecondFactor {
    /// What codes are made from, sealed by the caller.
    pub secret: Vec<u8>,
    /// When the first code was shown; `None` before: it is not asked for yet.
    pub confirmed_at: Option<Timestamp>,
    /// The last time step whose code was used: no code counts twice.
    pub last_step: u64,
    /// SHA-256 of each recovery code that is left.
    pub recovery: Vec<[u8; 32]>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The rest is not for logs.
        f.debug_struct("Credential").field("user", &self.user).finish_non_exhaustive()
    }
}

impl fmt::Debug for SecondFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecondFactor(…)")
    }
}

/// What became of a replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaced {
    /// In place.
    Done,
    /// Somebody was faster, or it was removed; nothing changed.
    Changed,
    /// The new address is another's; nothing changed.
    Taken,
}

/// The secrets of all accounts.
#[async_trait]
pub trait Credentials: Send + Sync {
    /// Inserts the credential of a user who has none. `false` when the address is taken, or the user
    /// has one, and nothing changes.
    async fn insert(&self, credential: Credential) -> Result<bool, StoreError>;

    /// Finds the credential of an address.
    async fn find(&self, email: EmailKey) -> Result<Option<Credential>, StoreError>;

    /// Finds the credential of a user.
    async fn find_by_user(&self, user: UserId) -> Result<Option<Credential>, StoreError>;

    /// Puts `new` in the place of the same user's credential where that is still `old` in everything;
    /// an address that it leaves is free again.
    async fn replace(&self, old: &Credential, new: Credential) -> Result<Replaced, StoreError>;

    /// Removes a user's credential; the address is free again. `false`: there is none.
    async fn remove(&self, user: UserId) -> Result<bool, StoreError>;
}
