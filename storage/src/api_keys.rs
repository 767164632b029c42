//! Keys of programs and devices, each with what its bearer may do.

use async_trait::async_trait;
use barterline_domain::account::{ApiKeyName, Scope};
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{ApiKeyId, UserId};

use crate::error::StoreError;

/// Most keys that a person has, not counting those that are revoked.
pub const API_KEYS_MAX: usize = 64;
/// Most of a person's revoked keys that are kept: it is told of them that they are revoked.
const REVOKED_MAX: usize = 64;

/// One key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its name among all.
    pub id: ApiKeyId,
    /// Whose.
    pub user: UserId,
    /// What its owner calls it.
    pub name: ApiKeyName,
    /// SHA-256 of its secret.
    pub hash: [u8; 32],
    /// What its bearer may do.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; `None`: nobody said.
    pub expires_at: Option<Timestamp>,
    /// Taken back by its owner.
    pub revoked: bool,
}

/// All keys.
#[async_trait]
pub trait ApiKeys: Send + Sync {
    /// Inserts a key whose id is new. `false` when its owner has [`API_KEYS_MAX`] that are not
    /// revoked, and nothing changes.
    async fn insert(&self, key: ApiKey) -> Result<bool, StoreError>;

    /// Finds a key. One that was revoked long ago may be found no more.
    async fn find(&self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError>;

    /// Lists a person's keys that are not revoked, in the order they were made.
    async fn list(&self, user: UserId) -> Result<Vec<ApiKey>, StoreError>;

    /// Revokes a key of a person; twice is once. `false`: they have no such key.
    async fn revoke(&self, user: UserId, id: ApiKeyId) -> Result<bool, StoreError>;
}

/// All keys of one person, in the order they were made: both backends keep them together, so that
/// they are counted and changed in one step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyRing(pub Vec<ApiKey>);

impl KeyRing {
    pub(crate) fn find(&self, id: ApiKeyId) -> Option<&ApiKey> {
        self.0.iter().find(|key| key.id == id)
    }

    pub(crate) fn good(self) -> Vec<ApiKey> {
        self.0.into_iter().filter(|key| !key.revoked).collect()
    }

    /// The ring with one key more; `None` when there are too many.
    pub(crate) fn with(mut self, key: ApiKey) -> Option<Self> {
        if self.0.iter().filter(|key| !key.revoked).count() >= API_KEYS_MAX {
            return None;
        }
        self.0.push(key);
        let mut too_many = self.0.iter().filter(|key| key.revoked).count();
        self.0.retain(|key| {
            let goes = key.revoked && too_many > REVOKED_MAX;
            too_many -= usize::from(key.revoked);
            !goes
        });
        Some(self)
    }

    /// The ring with a key revoked; `None` when it has no such key.
    pub(crate) fn without(mut self, id: ApiKeyId) -> Option<Self> {
        self.0.iter_mut().find(|key| key.id == id)?.revoked = true;
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::api_keys::key;

    #[test]
    fn a_ring_keeps_the_last_of_its_revoked_keys() {
        let mut ring = KeyRing::default();
        for n in 0..=200 {
            ring = ring.with(key(n)).and_then(|ring| ring.without(key(n).id)).expect("room");
        }
        let kept: Vec<_> = ring.0.iter().map(|key| key.id).collect();
        assert_eq!(kept, (136..=200).map(|n| key(n).id).collect::<Vec<_>>());
    }
}
