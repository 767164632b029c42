//! The chat log over the embedded log.

use std::sync::Arc;

use async_trait::async_trait;
use barterline_domain::chat::Chat;
use barterline_domain::event::{Event, Seq};
use barterline_domain::ids::ChatId;
use tokio::sync::oneshot;

use super::log::Log;
use crate::chat_log::{Append, ChatHead, ChatLog, Range};
use crate::error::StoreError;

#[async_trait]
impl ChatLog for Log {
    async fn create(&self, chat: Chat) -> Result<Arc<Chat>, StoreError> {
        self.create_chat(chat).await
    }

    fn append(&self, append: Append) {
        self.take_append(append);
    }

    fn pipelines(&self) -> bool {
        // One writer, one queue: a failure fails everything behind it.
        true
    }

    async fn head(&self, chat: ChatId) -> Result<Option<ChatHead>, StoreError> {
        self.chat_head(chat)
    }

    async fn original(&self, chat: ChatId, seq: Seq) -> Result<Option<Event>, StoreError> {
        let log = self.clone();
        blocking("read the chat log", move || log.original_event(chat, seq)).await
    }

    async fn read(
        &self,
        chat: ChatId,
        range: Range,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        let log = self.clone();
        blocking("read the chat log", move || log.read_events(chat, range, limit)).await
    }
}

/// Runs file work where it may wait.
pub(super) async fn blocking<T: Send + 'static>(
    operation: &'static str,
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(StoreError::unavailable(operation, error)))
}

/// The committer went away with the request: nobody knows.
pub(super) fn lost(operation: &'static str) -> impl Fn(oneshot::error::RecvError) -> StoreError {
    move |_| StoreError::Unknown { operation }
}
