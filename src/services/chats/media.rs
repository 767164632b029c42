//! What chats ask about uploads.

use async_trait::async_trait;
use barterline_domain::ids::{ChatId, MediaId, UserId};
use barterline_storage::error::StoreError;

/// Knows what was uploaded, by whom and for which chat.
#[async_trait]
pub trait MediaDirectory: Send + Sync {
    /// Whether `user` may send `media` in `chat`: uploaded by them, for this chat, and whole.
    async fn may_send(
        &self,
        user: UserId,
        chat: ChatId,
        media: MediaId,
    ) -> Result<bool, StoreError>;
}

/// A server without uploads.
pub struct NoMedia;

#[async_trait]
impl MediaDirectory for NoMedia {
    async fn may_send(&self, _: UserId, _: ChatId, _: MediaId) -> Result<bool, StoreError> {
        Ok(false)
    }
}
