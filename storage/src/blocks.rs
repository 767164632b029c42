//! Who does not want to hear of whom.

use async_trait::async_trait;
use barterline_domain::ids::UserId;

use crate::error::StoreError;

/// All blocks.
#[async_trait]
pub trait Blocks: Send + Sync {
    /// Blocks somebody, or takes that back. Gives whether that changed anything.
    async fn set(&self, blocker: UserId, blocked: UserId, on: bool) -> Result<bool, StoreError>;

    /// Whether `blocker` blocks `blocked`.
    async fn contains(&self, blocker: UserId, blocked: UserId) -> Result<bool, StoreError>;

    /// Lists at most `limit` of those whom `blocker` blocks, by id, above `after`.
    async fn list(
        &self,
        blocker: UserId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError>;
}
