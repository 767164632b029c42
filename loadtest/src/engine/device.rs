//! One device of a participant: its connection, what it has to say, and what it remembers between
//! connections.

use std::rc::Rc;

use barterline_domain::event::Seq;
use barterline_domain::ids::{ChatId, DeviceId, ListingId};
use barterline_protocol::Request;
use barterline_protocol::cursor::Cursor;
use barterline_protocol::hello::{Hello, VERSION};

use super::copies::Copies;
use super::hold::Hold;
use super::link::Link;
use super::outbox::Outbox;
use super::seat::Seat;
use crate::message::Place;

/// One installation of a client program.
#[derive(Debug)]
pub struct Device {
    pub(super) place: Place,
    pub(super) token: Rc<str>,
    pub(super) chat: Option<ChatId>,
    /// The listing whose chat is opened over this device.
    pub(super) opens: Option<ListingId>,
    id: DeviceId,
    pub(super) cursor: Option<Cursor>,
    pub(super) link: Link,
    /// It does not read while the others talk.
    pub(super) stalls: bool,
    pub(super) outbox: Outbox,
    pub(super) copies: Copies,
    /// A refusal said to wait.
    pub(super) hold: Option<Hold>,
    /// The request number of a `pull` that is under way.
    pub(super) pulling: Option<u32>,
    /// Numbers up to here were announced and are not pushed: they have to be asked for.
    pub(super) announced: u64,
    /// Marked as delivered up to here, as far as this connection knows.
    pub(super) marked: u64,
    /// A `pong` must come, on this connection or a later one.
    pub(super) awaits_pong: bool,
}

impl Device {
    /// A device of `seat` under `id`. `listeners` other devices must be shown what it says.
    pub(super) fn new(seat: &Seat, place: Place, id: [u8; 16], listeners: u8) -> Self {
        Self {
            place,
            token: seat.token.as_str().into(),
            chat: seat.chat,
            opens: seat.opens.filter(|_| place.device == 0),
            id: DeviceId::from_bytes(id),
            cursor: None,
            link: Link::default(),
            stalls: false,
            outbox: Outbox::new(listeners),
            copies: Copies::default(),
            hold: None,
            pulling: None,
            announced: 0,
            marked: 0,
            awaits_pong: false,
        }
    }

    /// One more device of the same participant, which only listens, and that late.
    pub(super) fn stalled(&self, number: u8, id: [u8; 16]) -> Self {
        let mut seat = Seat::new(self.token.to_string(), self.place.room, self.place.side);
        seat.chat = self.chat;
        let place = Place { device: number, ..self.place };
        Self { stalls: true, ..Self::new(&seat, place, id, 0) }
    }

    /// Sends of this connection that wait for their answer.
    pub(super) fn in_flight(&self) -> usize {
        self.outbox.in_flight() + self.copies.in_flight()
    }

    /// The first frame of a connection, claiming every event up to `have`.
    pub(super) fn hello(&self, have: u64) -> Request {
        Request::Hello(Hello {
            token: self.token.to_string(),
            device: self.id,
            versions: vec![VERSION],
            cursor: self.cursor.clone(),
            have: self.chat.map(|chat| vec![(chat, Seq(have))]).unwrap_or_default(),
        })
    }
}
