//! What a person chose for all their chats, and when they were last seen.

use async_trait::async_trait;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::UserId;

use crate::error::StoreError;

/// One person's choices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserState {
    /// Others see how far this person has read.
    pub shows_read: bool,
    /// Others see whether this person is there, and when they last were.
    pub shows_presence: bool,
    /// When their last connection ended.
    pub last_seen: Option<Timestamp>,
}

impl Default for UserState {
    fn default() -> Self {
        Self { shows_read: true, shows_presence: true, last_seen: None }
    }
}

/// One choice made. Making it twice is making it once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserChange {
    /// Whether others see how far this person has read.
    ShowRead(bool),
    /// Whether others see that this person is there.
    ShowPresence(bool),
    /// They were there; an earlier time changes nothing.
    Seen(Timestamp),
}

impl UserState {
    /// Takes in a change.
    pub fn apply(&mut self, change: UserChange) {
        match change {
            UserChange::ShowRead(shows) => self.shows_read = shows,
            UserChange::ShowPresence(shows) => self.shows_presence = shows,
            UserChange::Seen(at) => self.last_seen = self.last_seen.max(Some(at)),
        }
    }
}

/// The choices of all people.
#[async_trait]
pub trait UserStates: Send + Sync {
    /// Finds a person's choices; who made none has the usual ones.
    async fn find(&self, user: UserId) -> Result<UserState, StoreError>;

    /// Makes choices; gives all of them after it. Of several at once all are kept.
    async fn change(&self, user: UserId, changes: Vec<UserChange>)
    -> Result<UserState, StoreError>;
}
