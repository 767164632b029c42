//! What each person has: their chats, with heads, marks and unread counts.

use std::sync::Arc;

use async_trait::async_trait;
use barterline_domain::chat::{Chat, Role};
use barterline_domain::event::{Event, Seq, SmallState};
use barterline_domain::ids::{ChatId, DeviceId, UserId};
use barterline_domain::marks::{Marks, Visibility};
use barterline_domain::personal::{Personal, PersonalChange};

use crate::error::StoreError;

/// One chat of one person.
#[derive(Debug, Clone)]
pub struct InboxRow {
    /// The chat.
    pub chat: Arc<Chat>,
    /// The side the person is on.
    pub role: Role,
    /// The chat's head.
    pub head: Seq,
    /// The chat's small state at the head.
    pub state: SmallState,
    /// The event at the head.
    pub last: Option<Event>,
    /// The person's marks; `delivered` is the furthest of their devices.
    pub marks: Marks,
    /// The other person's marks, as far as they are shown.
    pub peer_marks: Marks,
    /// What is this person's alone.
    pub personal: Personal,
    /// Messages by the other person above the read mark. Computed, never counted up and down.
    pub unread: u64,
    /// Inbox position of the last change.
    pub changed: u64,
}

/// A person's marks in a chat moved, and that is durable.
#[derive(Debug, Clone)]
pub struct MarkMoved {
    /// In which chat.
    pub chat: Arc<Chat>,
    /// Whose.
    pub role: Role,
    /// The marks after the move.
    pub marks: Marks,
    /// What the other person sees of them, if that moved.
    pub shown: Option<Marks>,
}

/// What is one person's alone in a chat changed, and that is durable.
#[derive(Debug, Clone)]
pub struct PersonalMoved {
    /// In which chat.
    pub chat: Arc<Chat>,
    /// Whose.
    pub role: Role,
    /// All of it after the change.
    pub personal: Personal,
}

/// Where the store stands: the user cursor is made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Raised by restore and repair.
    pub epoch: u32,
    /// Grows with every durable change of any inbox.
    pub position: u64,
}

/// A page of rows, and where the next begins.
#[derive(Debug, Default)]
pub struct InboxPage {
    /// The rows, newest change last.
    pub rows: Vec<InboxRow>,
    /// Ask again after this position; `None` at the end.
    pub next: Option<u64>,
}

/// What somebody has not read, of all their chats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unread {
    /// Chats with something unread in them, or marked as unread.
    pub chats: u64,
    /// Messages.
    pub messages: u64,
}

impl Unread {
    /// Adds a chat with so many unread messages, which may be marked as unread besides.
    pub fn add(&mut self, messages: u64, marked: bool) {
        self.chats += u64::from(messages > 0 || marked);
        self.messages += messages;
    }
}

/// The inboxes of all people.
#[async_trait]
pub trait Inbox: Send + Sync {
    /// Finds the chat if `user` takes part in it. Same work and same answer for a chat that does
    /// not exist and one of other people (G6).
    async fn membership(&self, user: UserId, chat: ChatId)
    -> Result<Option<Arc<Chat>>, StoreError>;

    /// The head of one of `user`'s chats as their row has it: what was told to them is not above it.
    async fn row_head(&self, user: UserId, chat: ChatId) -> Result<Option<Seq>, StoreError>;

    /// Finds one row.
    async fn row(&self, user: UserId, chat: ChatId) -> Result<Option<InboxRow>, StoreError>;

    /// Lists at most `limit` rows of `user` that changed after `position`, in the order of their
    /// last change. Every change up to [`Inbox::position`], read before, is in them.
    async fn changed_after(
        &self,
        user: UserId,
        position: u64,
        limit: usize,
    ) -> Result<InboxPage, StoreError>;

    /// Lists at most `limit` rows of `user`, the newest change first, of those that changed before
    /// `before`.
    async fn list(
        &self,
        user: UserId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<InboxPage, StoreError>;

    /// Counts the chats of `user`, those in which nothing was said included.
    async fn count(&self, user: UserId) -> Result<usize, StoreError>;

    /// Counts what `user` has not read, over all their chats.
    async fn unread(&self, user: UserId) -> Result<Unread, StoreError>;

    /// Merges marks of one device into those of its person; gives the person's marks after it.
    /// Durable when it returns. A mark that goes back changes nothing. Marks above the head are
    /// the caller's mistake and are cut to it. The other person is shown as much of the move as
    /// `visibility` says. A read mark that grows takes the flag "unread" away.
    async fn mark(
        &self,
        user: UserId,
        chat: ChatId,
        device: DeviceId,
        marks: Marks,
        visibility: Visibility,
    ) -> Result<Option<Marks>, StoreError>;

    /// Changes what is `user`'s alone in a chat; gives all of it after the change. Durable when it
    /// returns. Changes of several devices at once are all kept. `None`: no chat of theirs.
    async fn change(
        &self,
        user: UserId,
        chat: ChatId,
        change: PersonalChange,
    ) -> Result<Option<Personal>, StoreError>;

    /// Where the store stands now: every change that was durable before is at or below it.
    fn position(&self) -> Position;

    /// How far below a position changes may still come to be that a read at that position did not
    /// see: who resumes from it reads from so much earlier, which is nothing where positions follow
    /// commits.
    fn overlap(&self) -> u64;
}
