//! Who somebody is elsewhere: identities at outer providers, by which people sign in. Lives with the
//! credentials.
//!
//! An identity is a provider's word for a person: issuer and subject together, and never one of them
//! alone (OpenID Connect Core 1.0, section 5.7). What the provider calls the person is not kept, only a
//! digest by which the two are known again.

use std::fmt;

use async_trait::async_trait;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{IdentityId, UserId};

use crate::error::StoreError;

/// Most identities that a person has.
pub const IDENTITIES_MAX: usize = 16;

/// One identity.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// Whose.
    pub user: UserId,
    /// What it is found by.
    pub key: IdentityKey,
    /// Who says so: a URL.
    pub issuer: String,
    /// What the issuer was called here when it was linked.
    pub provider: String,
    /// When it was linked.
    pub linked_at: Timestamp,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What it is found by is not for logs.
        let mut shown = f.debug_struct("Identity");
        shown.field("user", &self.user).field("provider", &self.provider).finish_non_exhaustive()
    }
}

/// What became of an insertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linked {
    /// In place.
    Done,
    /// It is somebody's already, perhaps the same person's; nothing changed.
    Taken,
    /// The person has [`IDENTITIES_MAX`]; nothing changed.
    TooMany,
}

/// All identities.
#[async_trait]
pub trait Identities: Send + Sync {
    /// Inserts an identity that nobody has, if its person has fewer than [`IDENTITIES_MAX`].
    async fn insert(&self, identity: Identity) -> Result<Linked, StoreError>;

    /// Finds whose an identity is.
    async fn find(&self, key: IdentityKey) -> Result<Option<Identity>, StoreError>;

    /// Lists a person's identities, in the order they were linked.
    async fn list(&self, user: UserId) -> Result<Vec<Identity>, StoreError>;

    /// Removes an identity of a person; somebody may link it anew. `false`: they have no such
    /// identity.
    async fn remove(&self, user: UserId, key: IdentityKey) -> Result<bool, StoreError>;

    /// Removes all identities of a person.
    async fn remove_all(&self, user: UserId) -> Result<(), StoreError>;
}

/// A digest of issuer and subject, under a key that no store has.
pub type IdentityKey = [u8; 32];

/// All identities of one person, in the order they were linked: both backends keep them together, so
/// that they are counted and changed in one step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdentityRing(pub Vec<Identity>);

impl IdentityRing {
    pub(crate) fn find(&self, key: IdentityKey) -> Option<&Identity> {
        self.0.iter().find(|identity| identity.key == key)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= IDENTITIES_MAX
    }

    /// The ring with one more.
    pub(crate) fn with(mut self, identity: Identity) -> Self {
        self.0.push(identity);
        self
    }

    /// The ring without one; `None` when it has no such.
    pub(crate) fn without(mut self, key: IdentityKey) -> Option<Self> {
        let at = self.0.iter().position(|identity| identity.key == key)?;
        self.0.remove(at);
        Some(self)
    }
}

impl Identity {
    /// Its name here, which follows from what it is.
    pub fn id(&self) -> IdentityId {
        IdentityId::from_bytes(std::array::from_fn(|at| self.key[at]))
    }
}
