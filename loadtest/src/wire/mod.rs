//! The protocols the harness speaks. An adapter says which path to upgrade, how a message is put
//! into a frame, and what a frame that came means; everything else is the same for all of them, so
//! that figures can be compared.

pub mod barterline;
pub mod raw_ack;

use barterline_domain::event::Author;
use barterline_domain::ids::{ChatId, ClientId};
use barterline_protocol::Outgoing;
use barterline_protocol::frame::Frame;

use crate::message::Side;

/// Whose protocol is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Adapter {
    /// Protocol v1, `MessagePack`.
    Barterline,
    /// The floor's: named frames, relayed and acknowledged.
    RawAck,
}

impl Adapter {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Barterline => "barterline",
            Self::RawAck => "raw-ack",
        }
    }

    /// Path and query of the upgrade for one side of a room.
    pub fn path(self, room: u32, side: Side) -> String {
        match self {
            Self::Barterline => "/v1/socket".to_owned(),
            Self::RawAck => format!("/?room={room}&side={}", side.index()),
        }
    }

    /// The subprotocol that must be agreed on.
    pub fn subprotocol(self) -> Option<&'static str> {
        match self {
            Self::Barterline => Some(barterline_protocol::Encoding::MsgPack.subprotocol()),
            Self::RawAck => None,
        }
    }

    /// The server numbers messages, stores them and can be asked for them.
    pub fn numbers(self) -> bool {
        self == Self::Barterline
    }
}

/// A message on its way out.
#[derive(Debug, Clone, Copy)]
pub struct Send<'a> {
    /// The request's number.
    pub reference: u32,
    /// In which chat.
    pub chat: ChatId,
    /// The message's name.
    pub id: ClientId,
    /// The highest number known when it was written first.
    pub base: u64,
    /// What it says.
    pub text: &'a [u8],
}

impl Send<'_> {
    /// Appends the payload of the frame.
    pub fn write(&self, adapter: Adapter, out: &mut Vec<u8>) {
        match adapter {
            Adapter::Barterline => barterline::write_send(self, out),
            Adapter::RawAck => raw_ack::write_send(self, out),
        }
    }
}

/// A frame that came.
#[derive(Debug)]
pub enum Incoming<'a> {
    /// A message of ours is durable.
    Ack(Ack),
    /// A message arrived.
    Event(Event<'a>),
    /// Anything else.
    Other(Box<Frame<Outgoing>>),
}

/// An acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack {
    /// In which chat; `None` where the protocol does not say.
    pub chat: Option<ChatId>,
    /// The message's name.
    pub id: ClientId,
    /// Its number; 0 where there are none.
    pub seq: u64,
    /// The answer to a retry.
    pub repeat: bool,
}

/// An event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// In which chat; `None` where the protocol does not say.
    pub chat: Option<ChatId>,
    /// Its number; 0 where there are none.
    pub seq: u64,
    /// Who made it; `None` where the protocol does not say.
    pub from: Option<Author>,
    /// The author's name for it.
    pub id: ClientId,
    /// What it says; `None` for kinds without a text.
    pub text: Option<&'a [u8]>,
}

/// Reads the payload of a data frame.
pub fn read(adapter: Adapter, payload: &[u8], text_bytes: usize) -> anyhow::Result<Incoming<'_>> {
    match adapter {
        Adapter::Barterline => barterline::read(payload),
        Adapter::RawAck => raw_ack::read(payload, text_bytes),
    }
}
