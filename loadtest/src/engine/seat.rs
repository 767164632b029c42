//! A participant: an account, its side of a room, and what its device remembers between
//! connections.

use barterline_domain::event::Seq;
use barterline_domain::ids::{ChatId, DeviceId, ListingId};
use barterline_protocol::Request;
use barterline_protocol::cursor::Cursor;
use barterline_protocol::hello::{Hello, VERSION};

use super::link::Link;
use super::outbox::Outbox;
use crate::message::Side;

/// One participant.
#[derive(Debug)]
pub struct Seat {
    pub(super) token: String,
    pub(super) room: u32,
    pub(super) side: Side,
    /// `None` for a connection that only listens.
    pub(super) chat: Option<ChatId>,
    /// The listing whose chat this side opens before it speaks.
    pub(super) opens: Option<ListingId>,
    pub(super) device: DeviceId,
    pub(super) cursor: Option<Cursor>,
    pub(super) link: Link,
    pub(super) outbox: Outbox,
    /// A refusal said to wait.
    pub(super) stalled: bool,
    /// A `pull` is under way.
    pub(super) pulling: bool,
}

impl Seat {
    /// A side of a room. `device` tells its installation from all others.
    pub fn new(token: String, room: u32, side: Side, device: [u8; 16]) -> Self {
        Self {
            token,
            room,
            side,
            chat: None,
            opens: None,
            device: DeviceId::from_bytes(device),
            cursor: None,
            link: Link::default(),
            outbox: Outbox::new(),
            stalled: false,
            pulling: false,
        }
    }

    /// The chat exists already.
    #[must_use]
    pub fn in_chat(mut self, chat: ChatId) -> Self {
        self.chat = Some(chat);
        self
    }

    /// The chat is to be opened over this connection.
    #[must_use]
    pub fn opening(mut self, listing: ListingId) -> Self {
        self.opens = Some(listing);
        self
    }

    /// The first frame of a connection, claiming every event up to `have`.
    pub(super) fn hello(&self, have: u64) -> Request {
        Request::Hello(Hello {
            token: self.token.clone(),
            device: self.device,
            versions: vec![VERSION],
            cursor: self.cursor.clone(),
            have: self.chat.map(|chat| vec![(chat, Seq(have))]).unwrap_or_default(),
        })
    }
}
