//! What the connections share, and how messages leave; `hear` says what a frame means. Synchronous:
//! whoever holds it finishes before anybody else runs.

mod hear;

use std::rc::Weak;

use barterline_domain::ids::ChatId;
use barterline_protocol::Request;
use barterline_protocol::limits::IN_FLIGHT_MAX;
use barterline_protocol::request::Open;
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::OwnedSemaphorePermit;

use super::Shared;
use super::aim::{Aim, Order};
use super::pace::RunClock;
use super::seat::Seat;
use crate::checker::Checker;
use crate::fault;
use crate::latency::Waits;
use crate::message::{Name, Side, Texts, hash_text};
use crate::wire::barterline::write_request;
use crate::wire::{self, Adapter};
use crate::ws::frame;

/// What happened while the window was open.
#[derive(Debug)]
pub struct Window {
    /// Due to acknowledged.
    pub ack: Waits,
    /// Due to delivered.
    pub deliver: Waits,
    /// Messages delivered while it was open.
    pub delivered: u64,
    /// When it was opened; closed windows count what was due inside.
    from_ns: u64,
    to_ns: u64,
}

impl Window {
    fn covers(&self, due_ns: u64) -> bool {
        (self.from_ns..self.to_ns).contains(&due_ns)
    }
}

/// Everything the connections share.
#[derive(Debug)]
pub struct State {
    adapter: Adapter,
    /// Tells this run's messages from all others.
    nonce: u32,
    texts: Texts,
    clock: RunClock,
    shared: Weak<Shared>,
    /// For masks, and the waits before coming back.
    pub(super) rng: SmallRng,
    pub(super) seats: Vec<Seat>,
    checker: Checker,
    window: Window,
    measuring: bool,
    closed_loop: bool,
    aim: Aim,
    live: usize,
    waiting: usize,
    in_flight: usize,
    acked: u64,
    delivered: u64,
    refused: u64,
    drops: u64,
    pulls: u64,
    last_drop: Option<String>,
    text: Vec<u8>,
    payload: Vec<u8>,
    scratch: Vec<u8>,
}

impl State {
    pub(super) fn new(
        adapter: Adapter,
        rooms: usize,
        texts: Texts,
        seed: u64,
        clock: RunClock,
        shared: Weak<Shared>,
    ) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        Self {
            adapter,
            nonce: rng.random(),
            texts,
            clock,
            shared,
            rng,
            seats: Vec::new(),
            checker: Checker::new(adapter.numbers(), rooms),
            window: Window {
                ack: Waits::new(),
                deliver: Waits::new(),
                delivered: 0,
                from_ns: 0,
                to_ns: 0,
            },
            measuring: false,
            closed_loop: false,
            aim: Aim::Off,
            live: 0,
            waiting: 0,
            in_flight: 0,
            acked: 0,
            delivered: 0,
            refused: 0,
            drops: 0,
            pulls: 0,
            last_drop: None,
            text: Vec::new(),
            payload: Vec::new(),
            scratch: Vec::new(),
        }
    }

    pub(super) fn join(&mut self, seat: Seat) -> usize {
        self.seats.push(seat);
        self.seats.len() - 1
    }

    /// Participants that joined.
    pub fn seats(&self) -> usize {
        self.seats.len()
    }

    /// Live connections.
    pub fn live(&self) -> usize {
        self.live
    }

    /// Chats that are still to be opened.
    pub fn unopened(&self) -> usize {
        self.seats.iter().filter(|seat| seat.opens.is_some()).count()
    }

    /// Messages acknowledged.
    pub fn acked(&self) -> u64 {
        self.acked
    }

    /// Messages delivered.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Messages the server refused for good.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Live connections that were lost.
    pub fn drops(&self) -> u64 {
        self.drops
    }

    /// Ranges that were asked for because of holes.
    pub fn pulls(&self) -> u64 {
        self.pulls
    }

    /// Why the last connection was lost.
    pub fn last_drop(&self) -> Option<&str> {
        self.last_drop.as_deref()
    }

    /// Nothing is under way.
    pub fn drained(&self) -> bool {
        self.seats.iter().all(|seat| seat.outbox.is_empty())
    }

    /// Opens the measuring window.
    pub fn start_measuring(&mut self) {
        self.window = Window {
            ack: Waits::new(),
            deliver: Waits::new(),
            delivered: 0,
            from_ns: self.clock.now(),
            to_ns: u64::MAX,
        };
        self.measuring = true;
    }

    /// Closes the window: what was due in it still counts for latency when it arrives.
    pub fn stop_measuring(&mut self) {
        self.window.to_ns = self.clock.now();
        self.measuring = false;
    }

    /// What the window saw.
    pub fn window(&self) -> &Window {
        &self.window
    }

    /// The checker, to be asked for its verdict at the end.
    pub fn take_checker(&mut self) -> Checker {
        std::mem::replace(&mut self.checker, Checker::new(false, 0))
    }

    pub(super) fn checker(&mut self) -> &mut Checker {
        &mut self.checker
    }

    /// From now on (or no longer), a message that is acknowledged and delivered is followed by the
    /// next.
    pub fn close_loop(&mut self, closed: bool) {
        self.closed_loop = closed;
    }

    /// Takes aim at the server, or lets it be and everything held back go.
    pub fn take_aim(&mut self, aim: Aim) {
        self.aim = aim;
        self.aim_step();
        if self.aim.gate_open() {
            self.pump_all();
        }
    }

    /// A number from the run's seed.
    pub fn random(&mut self, range: std::ops::RangeInclusive<usize>) -> usize {
        self.rng.random_range(range)
    }

    /// Where the kill stands.
    pub fn aim(&self) -> Aim {
        self.aim
    }

    /// A participant says the next thing, due at `due_ns`.
    pub fn compose(&mut self, index: usize, due_ns: u64) {
        let seat = &mut self.seats[index];
        let name = Name { room: seat.room, side: seat.side, counter: seat.outbox.push(due_ns) };
        self.text.clear();
        self.texts.write(name, due_ns, &mut self.text);
        self.checker.sent(name, hash_text(&self.text));
        self.waiting += 1;
        self.pump(index);
        self.aim_step();
    }

    fn aim_step(&mut self) {
        if self.aim.composed(self.waiting, self.in_flight) == Order::Release {
            self.pump_all();
        }
    }

    fn pump_all(&mut self) {
        for index in 0..self.seats.len() {
            self.pump(index);
        }
    }

    /// Writes what a participant may write.
    fn pump(&mut self, index: usize) {
        while self.aim.gate_open() && self.may_write(index) {
            let Some(chat) = self.chat_of(index) else {
                return;
            };
            if !self.write_next(index, chat) {
                return;
            }
        }
    }

    fn chat_of(&self, index: usize) -> Option<ChatId> {
        if self.adapter.numbers() {
            self.seats[index].chat
        } else {
            Some(ChatId::from_bytes([0; 16]))
        }
    }

    fn may_write(&self, index: usize) -> bool {
        let seat = &self.seats[index];
        seat.link.is_live() && !seat.stalled && seat.outbox.in_flight() < IN_FLIGHT_MAX
    }

    /// Writes the next message that is due; false when there is none.
    fn write_next(&mut self, index: usize, chat: ChatId) -> bool {
        let seat = &mut self.seats[index];
        let Some((counter, entry)) = seat.outbox.next() else {
            return false;
        };
        let name = Name { room: seat.room, side: seat.side, counter };
        if entry.written {
            self.checker.resent(name);
        } else {
            entry.written = true;
            entry.base = self.checker.have(name.room, name.side);
            self.waiting -= 1;
        }
        self.text.clear();
        self.texts.write(name, entry.due_ns, &mut self.text);
        self.payload.clear();
        let send = wire::Send {
            reference: counter,
            chat,
            id: name.id(self.nonce),
            base: entry.base,
            text: &self.text,
        };
        send.write(self.adapter, &mut self.payload);
        seat.link.send(frame::BINARY, &self.payload, &mut self.scratch);
        self.in_flight += 1;
        let order = self.aim.written(self.in_flight);
        obey(order);
        true
    }

    /// A socket was upgraded: the connection introduces itself.
    pub(super) fn opened(
        &mut self,
        index: usize,
        writer: OwnedWriteHalf,
        permit: OwnedSemaphorePermit,
    ) {
        let mask = self.rng.random();
        let seat = &mut self.seats[index];
        seat.link.opened(writer, mask, permit);
        if !self.adapter.numbers() {
            self.went_live(index);
            return;
        }
        let have = if seat.chat.is_some() {
            self.checker.connected(seat.room, seat.side);
            self.checker.have(seat.room, seat.side)
        } else {
            0
        };
        let hello = seat.hello(have);
        self.request(index, None, &hello);
    }

    fn went_live(&mut self, index: usize) {
        let seat = &mut self.seats[index];
        if seat.link.is_live() {
            return;
        }
        seat.link.set_live();
        self.live += 1;
        if let Some(listing) = seat.opens {
            self.request(index, Some(0), &Request::Open(Open { listing }));
        }
        self.pump(index);
    }

    /// The connection is gone.
    pub(super) fn closed(&mut self, index: usize, why: &str) {
        let seat = &mut self.seats[index];
        seat.pulling = false;
        seat.stalled = false;
        self.in_flight -= seat.outbox.disconnected();
        if seat.link.closed() {
            self.live -= 1;
            self.drops += 1;
        }
        self.last_drop = Some(why.to_owned());
    }

    pub(super) fn say_goodbye(&mut self) {
        for seat in &mut self.seats {
            // 1000: normal closure (RFC 6455, section 7.4.1).
            seat.link.send(frame::CLOSE, &1_000_u16.to_be_bytes(), &mut self.scratch);
        }
    }

    fn request(&mut self, index: usize, reference: Option<u32>, request: &Request) {
        self.payload.clear();
        write_request(reference, request, &mut self.payload);
        self.seats[index].link.send(frame::BINARY, &self.payload, &mut self.scratch);
    }

    pub(super) fn pong(&mut self, index: usize, payload: &[u8]) {
        self.seats[index].link.send(frame::PONG, payload, &mut self.scratch);
    }

    /// The chat of a room and who sits on one of its sides, for the read-back.
    pub(super) fn chat_and_token(&self, room: usize, side: Side) -> Option<(ChatId, &Seat)> {
        let seat = self.seats.get(room * 2 + side.index())?;
        Some((seat.chat?, seat))
    }
}

fn obey(order: Order) {
    if let Order::Kill(pid) = order {
        fault::kill(pid);
    }
}
