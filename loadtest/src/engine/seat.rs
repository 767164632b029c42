//! A participant about to join: an account and its side of a room.

use barterline_domain::ids::{ChatId, ListingId};

use crate::message::Side;

/// One participant.
#[derive(Debug)]
pub struct Seat {
    pub(super) token: String,
    pub(super) room: u32,
    pub(super) side: Side,
    /// `None` for somebody who only listens, or while the chat is not open.
    pub(super) chat: Option<ChatId>,
    /// The listing whose chat this side opens before it speaks.
    pub(super) opens: Option<ListingId>,
}

impl Seat {
    /// A side of a room.
    pub fn new(token: String, room: u32, side: Side) -> Self {
        Self { token, room, side, chat: None, opens: None }
    }

    /// The chat exists already.
    #[must_use]
    pub fn in_chat(mut self, chat: ChatId) -> Self {
        self.chat = Some(chat);
        self
    }

    /// The chat is to be opened over this participant's first device.
    #[must_use]
    pub fn opening(mut self, listing: ListingId) -> Self {
        self.opens = Some(listing);
        self
    }
}
