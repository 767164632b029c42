//! The chat log over CQL.

use std::sync::Arc;

use async_trait::async_trait;
use barterline_domain::chat::Chat;
use barterline_domain::event::{Event, Seq};
use barterline_domain::ids::ChatId;

use super::chats::ScyllaChats;
use crate::chat_log::{Append, ChatHead, ChatLog, Range};
use crate::error::StoreError;

#[async_trait]
impl ChatLog for ScyllaChats {
    async fn create(&self, chat: Chat) -> Result<Arc<Chat>, StoreError> {
        self.store().create(chat).await
    }

    fn append(&self, append: Append) {
        self.begin(append);
    }

    fn pipelines(&self) -> bool {
        // Of two under way the second can be applied and the first lost: one at a time.
        false
    }

    async fn original(&self, chat: ChatId, seq: Seq) -> Result<Option<Event>, StoreError> {
        self.store().original(chat, seq).await
    }

    async fn head(&self, chat: ChatId) -> Result<Option<ChatHead>, StoreError> {
        self.store().head(chat).await
    }

    async fn read(
        &self,
        chat: ChatId,
        range: Range,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        let store = self.store();
        let mut events = store.raw_events(chat, range, limit).await?;
        store.amend(chat, &mut events).await?;
        Ok(events)
    }
}
