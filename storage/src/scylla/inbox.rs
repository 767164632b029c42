//! The inbox over CQL: a partition for each person, sorted in memory.

use std::sync::Arc;

use async_trait::async_trait;
use barterline_domain::chat::Chat;
use barterline_domain::event::Seq;
use barterline_domain::ids::{ChatId, DeviceId, UserId};
use barterline_domain::marks::{Marks, Visibility};
use barterline_domain::personal::{Personal, PersonalChange};

use super::chats::ScyllaChats;
use crate::error::StoreError;
use crate::inbox::{Inbox, InboxPage, InboxRow, Position, Unread};

/// Ten minutes: far more than a write is under way, and clocks are apart.
const OVERLAP: u64 = 600_000_000;

#[async_trait]
impl Inbox for ScyllaChats {
    async fn membership(
        &self,
        user: UserId,
        chat: ChatId,
    ) -> Result<Option<Arc<Chat>>, StoreError> {
        self.member_chat(user, chat).await
    }

    async fn row_head(&self, user: UserId, chat: ChatId) -> Result<Option<Seq>, StoreError> {
        self.store().head_for(user, chat).await
    }

    async fn row(&self, user: UserId, chat: ChatId) -> Result<Option<InboxRow>, StoreError> {
        self.find_row(user, chat).await
    }

    async fn changed_after(
        &self,
        user: UserId,
        position: u64,
        limit: usize,
    ) -> Result<InboxPage, StoreError> {
        self.page(user, limit, |changed| changed > position, false).await
    }

    async fn list(
        &self,
        user: UserId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<InboxPage, StoreError> {
        let before = before.unwrap_or(u64::MAX);
        self.page(user, limit, |changed| changed < before, true).await
    }

    async fn count(&self, user: UserId) -> Result<usize, StoreError> {
        Ok(self.store().changes(user, |_| true).await?.len())
    }

    async fn unread(&self, user: UserId) -> Result<Unread, StoreError> {
        self.store().count_unread(user).await
    }

    async fn mark(
        &self,
        user: UserId,
        chat: ChatId,
        device: DeviceId,
        marks: Marks,
        visibility: Visibility,
    ) -> Result<Option<Marks>, StoreError> {
        self.store().move_marks(user, chat, device, marks, visibility).await
    }

    async fn change(
        &self,
        user: UserId,
        chat: ChatId,
        change: PersonalChange,
    ) -> Result<Option<Personal>, StoreError> {
        self.store().change_personal(user, chat, change).await
    }

    fn position(&self) -> Position {
        self.store().now()
    }

    fn overlap(&self) -> u64 {
        OVERLAP
    }
}
