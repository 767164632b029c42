//! What people chose about others: who sees that they read or are there, and whom they block.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use barterline_domain::account::Scope;
use barterline_domain::bearer::{Bearer, Unpermitted};
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::UserId;
use barterline_domain::marks::Visibility;
use barterline_storage::blocks::Blocks;
use barterline_storage::error::StoreError;
use barterline_storage::user_state::{UserChange, UserState, UserStates};

use super::accounts::UserDirectory;

/// The rules between people.
#[derive(Clone)]
pub struct People(Arc<Inner>);

struct Inner {
    users: Arc<dyn UserDirectory>,
    states: Arc<dyn UserStates>,
    blocks: Arc<dyn Blocks>,
    /// Grows with every block that is set or taken back: who remembers one looks again.
    block_changes: AtomicU64,
}

/// Why something was refused. Nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// The API key is not for that.
    #[error(transparent)]
    Unpermitted(#[from] Unpermitted),
    /// No such person, or oneself.
    #[error("no such person")]
    NotFound,
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl People {
    /// The rules over these stores.
    pub fn new(
        users: Arc<dyn UserDirectory>,
        states: Arc<dyn UserStates>,
        blocks: Arc<dyn Blocks>,
    ) -> Self {
        Self(Arc::new(Inner { users, states, blocks, block_changes: AtomicU64::new(0) }))
    }

    /// What somebody chose.
    pub async fn settings(&self, user: UserId) -> Result<UserState, StoreError> {
        self.0.states.find(user).await
    }

    /// Makes choices; gives all of them after it.
    pub async fn change_settings(
        &self,
        caller: Bearer,
        changes: Vec<UserChange>,
    ) -> Result<UserState, PeopleError> {
        if changes.is_empty() {
            Ok(self.settings(caller.may(Scope::ReadProfile)?).await?)
        } else {
            Ok(self.0.states.change(caller.may(Scope::WriteProfile)?, changes).await?)
        }
    }

    /// Notes that somebody was there.
    pub async fn seen(&self, user: UserId, at: Timestamp) -> Result<(), StoreError> {
        self.0.states.change(user, vec![UserChange::Seen(at)]).await.map(|_| ())
    }

    /// Blocks somebody, or takes that back. From the moment this returns, what the blocked person
    /// says is withheld.
    pub async fn block(
        &self,
        blocker: Bearer,
        blocked: UserId,
        on: bool,
    ) -> Result<(), PeopleError> {
        let blocker = blocker.may(Scope::WriteChats)?;
        if blocker == blocked || self.0.users.find(blocked).await?.is_none() {
            return Err(PeopleError::NotFound);
        }
        self.0.blocks.set(blocker, blocked, on).await?;
        self.0.block_changes.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// Those whom somebody blocks, in pages.
    pub async fn blocked_by(
        &self,
        blocker: UserId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        self.0.blocks.list(blocker, after, limit).await
    }

    /// Whether `blocker` blocks `other`.
    pub async fn blocks(&self, blocker: UserId, other: UserId) -> Result<bool, StoreError> {
        self.0.blocks.contains(blocker, other).await
    }

    /// How often blocks have changed: what was read at the same count still holds.
    pub fn block_changes(&self) -> u64 {
        self.0.block_changes.load(Ordering::Acquire)
    }

    /// How much of `user`'s marks `other` is shown.
    pub async fn marks_shown(&self, user: UserId, other: UserId) -> Result<Visibility, StoreError> {
        if self.blocks(other, user).await? {
            return Ok(Visibility::Nothing);
        }
        let shows_read = self.settings(user).await?.shows_read;
        Ok(if shows_read { Visibility::Both } else { Visibility::Delivered })
    }

    /// Whether `other` may know if `user` is there.
    pub async fn shows_presence(&self, user: UserId, other: UserId) -> Result<bool, StoreError> {
        Ok(self.settings(user).await?.shows_presence
            && !self.blocks(user, other).await?
            && !self.blocks(other, user).await?)
    }
}
