//! The inbox over the embedded log: heads and counts follow from the chats' tails, marks are
//! records of their own.

use std::sync::Arc;

use async_trait::async_trait;
use barterline_domain::chat::Chat;
use barterline_domain::event::Seq;
use barterline_domain::ids::{ChatId, DeviceId, UserId};
use barterline_domain::marks::{Marks, Visibility};
use barterline_domain::personal::{Personal, PersonalChange};

use super::chat_log::blocking;
use super::log::Log;
use crate::error::StoreError;
use crate::inbox::{Inbox, InboxPage, InboxRow, Position, Unread};

#[async_trait]
impl Inbox for Log {
    async fn membership(
        &self,
        user: UserId,
        chat: ChatId,
    ) -> Result<Option<Arc<Chat>>, StoreError> {
        self.member_chat(user, chat)
    }

    async fn row_head(&self, user: UserId, chat: ChatId) -> Result<Option<Seq>, StoreError> {
        self.head_for(user, chat)
    }

    async fn row(&self, user: UserId, chat: ChatId) -> Result<Option<InboxRow>, StoreError> {
        let log = self.clone();
        blocking("read the inbox", move || log.inbox_row(user, chat)).await
    }

    async fn changed_after(
        &self,
        user: UserId,
        position: u64,
        limit: usize,
    ) -> Result<InboxPage, StoreError> {
        let log = self.clone();
        blocking("read the inbox", move || {
            log.inbox_page(user, limit, |changed| changed > position, false)
        })
        .await
    }

    async fn list(
        &self,
        user: UserId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<InboxPage, StoreError> {
        let log = self.clone();
        let before = before.unwrap_or(u64::MAX);
        blocking("read the inbox", move || {
            log.inbox_page(user, limit, |changed| changed < before, true)
        })
        .await
    }

    async fn count(&self, user: UserId) -> Result<usize, StoreError> {
        let log = self.clone();
        blocking("count the chats", move || log.count_of(user)).await
    }

    async fn unread(&self, user: UserId) -> Result<Unread, StoreError> {
        let log = self.clone();
        blocking("count what is unread", move || log.unread_of(user)).await
    }

    async fn mark(
        &self,
        user: UserId,
        chat: ChatId,
        device: DeviceId,
        marks: Marks,
        visibility: Visibility,
    ) -> Result<Option<Marks>, StoreError> {
        self.move_marks(user, chat, device, marks, visibility).await
    }

    async fn change(
        &self,
        user: UserId,
        chat: ChatId,
        change: PersonalChange,
    ) -> Result<Option<Personal>, StoreError> {
        self.change_personal(user, chat, change).await
    }

    fn position(&self) -> Position {
        self.durable_position()
    }

    fn overlap(&self) -> u64 {
        0
    }
}
