//! Rooms are made, and everybody takes a seat.

use anyhow::ensure;
use barterline_domain::ids::{ChatId, ListingId};

use super::ground::Ground;
use crate::cli;
use crate::engine::{Crowd, Engine, Seat};
use crate::message::{DEVICES_MAX, Side, Texts};
use crate::wire::Adapter;

/// A room about to be filled.
#[derive(Debug, Default)]
pub struct Room {
    /// The tokens of buyer and seller.
    pub tokens: [String; 2],
    /// The chat, where it exists already.
    pub chat: Option<ChatId>,
    /// The listing about which the buyer opens it, where it does not.
    pub opens: Option<ListingId>,
}

/// An engine in which everybody has a seat and is live.
pub async fn fill(
    ground: &Ground,
    adapter: Adapter,
    crowd: &cli::Crowd,
    texts: Texts,
    rooms: Vec<Room>,
) -> anyhow::Result<Engine> {
    let marks = crowd.marks;
    let crowd = Crowd {
        rooms: rooms.len(),
        devices: usize::from(crowd.devices),
        flap: crowd.flap,
        duplicate: crowd.duplicate / 100.0,
        stalled: crowd.stall as usize,
    };
    ensure!(
        adapter.numbers() || (crowd.devices_max() == 1 && crowd.duplicate == 0.0 && !marks),
        "only Barterline knows several devices of one person, messages that come twice, and marks"
    );
    ensure!(
        crowd.devices_max() <= DEVICES_MAX,
        "more than {DEVICES_MAX} devices of one person: take more rooms, or let fewer stall"
    );
    let engine = Engine::new(adapter, ground.address, crowd, texts, ground.seed);
    for (index, room) in (0..).zip(rooms) {
        for (side, token) in Side::BOTH.into_iter().zip(room.tokens) {
            let mut seat = Seat::new(token, index, side);
            if let Some(chat) = room.chat {
                seat = seat.in_chat(chat);
            }
            if let Some(listing) = room.opens.filter(|_| side == Side::Buyer) {
                seat = seat.opening(listing);
            }
            engine.join(&seat);
        }
    }
    engine.join_stalled(crowd.stalled);
    engine.all_live().await?;
    if marks {
        engine.start_marking();
    }
    Ok(engine)
}
