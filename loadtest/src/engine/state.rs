//! What the connections share. `connect`: they come and go; `speak`: how messages leave; `hear`:
//! what a frame means; `catch_up`: asking for what was not pushed; `refusal`: what to do about one;
//! `repeat`: sending twice;
//! `mark`: how far devices and people have come.
//! Synchronous: whoever holds it finishes before anybody else runs.

mod catch_up;
mod connect;
mod hear;
mod mark;
mod refusal;
mod repeat;
mod speak;

use std::rc::Weak;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};

use super::Crowd;
use super::Shared;
use super::aim::{Aim, Order};
use super::device::Device;
use super::pace::RunClock;
use super::seat::Seat;
use crate::checker::Checker;
use crate::fault;
use crate::latency::Waits;
use crate::message::{Place, Side, Texts};
use crate::wire::Adapter;

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
    pub(super) devices: Vec<Device>,
    /// Devices of each participant that speak. They come first, in the order of rooms and sides.
    speakers: usize,
    rooms: usize,
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
    deliveries: u64,
    refused: u64,
    /// Refusals of what may be sent again.
    put_off: u64,
    /// From written to answered, each time.
    answers: Waits,
    rebased: u64,
    drops: u64,
    disconnections: u64,
    /// Marks sent.
    marks: u64,
    /// The share of messages that are sent twice.
    duplicate: f64,
    /// Sent twice so far.
    repeats: u64,
    /// To be sent a second time later.
    repeats_due: usize,
    /// The devices stay connected for now.
    pub(super) calm: bool,
    pulls: u64,
    last_drop: Option<String>,
    text: Vec<u8>,
    payload: Vec<u8>,
    scratch: Vec<u8>,
}

impl State {
    pub(super) fn new(
        adapter: Adapter,
        crowd: Crowd,
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
            devices: Vec::new(),
            speakers: crowd.devices,
            rooms: crowd.rooms,
            checker: Checker::new(adapter.numbers(), crowd.rooms, crowd.devices_max()),
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
            deliveries: 0,
            refused: 0,
            put_off: 0,
            answers: Waits::new(),
            rebased: 0,
            drops: 0,
            disconnections: 0,
            marks: 0,
            duplicate: crowd.duplicate,
            repeats: 0,
            repeats_due: 0,
            calm: true,
            pulls: 0,
            last_drop: None,
            text: Vec::new(),
            payload: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Seats a participant; gives the indices of the devices.
    pub(super) fn join(&mut self, seat: &Seat) -> std::ops::Range<usize> {
        let first = self.devices.len();
        let listeners = 2 * self.speakers - 1;
        for number in 0..self.speakers {
            let place = Place { room: seat.room, side: seat.side, device: number as u8 };
            self.checker.join(place);
            let id = self.rng.random();
            self.devices.push(Device::new(seat, place, id, listeners as u8));
        }
        first..self.devices.len()
    }

    /// Seats the `nth` device that stalls, beside those of a participant who has a seat.
    pub(super) fn join_stalled(&mut self, nth: usize) -> usize {
        let people = self.rooms * 2;
        let number = (self.speakers + nth / people) as u8;
        let id = self.rng.random();
        let device = self.devices[nth % people * self.speakers].stalled(number, id);
        self.checker.join(device.place);
        self.devices.push(device);
        self.devices.len() - 1
    }

    /// Devices that joined.
    pub fn devices(&self) -> usize {
        self.devices.len()
    }

    /// Rooms of this run.
    pub fn rooms(&self) -> usize {
        self.rooms
    }

    /// Live connections.
    pub fn live(&self) -> usize {
        self.live
    }

    /// Chats that are still to be opened.
    pub fn unopened(&self) -> usize {
        self.devices.iter().filter(|device| device.opens.is_some()).count()
    }

    /// Messages acknowledged.
    pub fn acked(&self) -> u64 {
        self.acked
    }

    /// Messages delivered.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Times that a device was shown a message for the first time.
    pub fn deliveries(&self) -> u64 {
        self.deliveries
    }

    /// Messages the server refused for good.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Times that a message was refused for now.
    pub fn put_off(&self) -> u64 {
        self.put_off
    }

    /// From each writing of a message to the server's word on it, over the whole run.
    pub fn answers(&self) -> &Waits {
        &self.answers
    }

    /// Messages that took a newer base, because the server had come too far.
    pub fn rebased(&self) -> u64 {
        self.rebased
    }

    /// Live connections that were lost.
    pub fn drops(&self) -> u64 {
        self.drops
    }

    /// Connections that the devices ended themselves.
    pub fn disconnections(&self) -> u64 {
        self.disconnections
    }

    /// Messages that were sent twice on purpose.
    pub fn repeats(&self) -> u64 {
        self.repeats
    }

    /// Marks sent.
    pub fn marks(&self) -> u64 {
        self.marks
    }

    /// Ranges that were asked for because of holes.
    pub fn pulls(&self) -> u64 {
        self.pulls
    }

    /// Why the last connection was lost.
    pub fn last_drop(&self) -> Option<&str> {
        self.last_drop.as_deref()
    }

    /// Nothing that anybody said is under way to those who read.
    pub fn talked_out(&self) -> bool {
        let idle = |device: &Device| device.outbox.is_empty() && device.copies.is_empty();
        self.repeats_due == 0 && self.devices.iter().all(idle)
    }

    /// Nothing is under way: all is answered, and every device was shown everything.
    pub fn drained(&self) -> bool {
        self.talked_out() && self.checker.is_complete()
    }

    /// Devices whose `pong` has not come.
    pub fn awaiting_pongs(&self) -> usize {
        self.devices.iter().filter(|device| device.awaits_pong).count()
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
        std::mem::replace(&mut self.checker, Checker::new(false, 0, 1))
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

    /// Does something after a while, unless the run is over by then.
    fn later(&self, wait: Duration, what: impl FnOnce(&mut Self) + 'static) {
        let shared = self.shared.clone();
        tokio::task::spawn_local(async move {
            tokio::time::sleep(wait).await;
            if let Some(shared) = shared.upgrade() {
                what(&mut shared.state.borrow_mut());
            }
        });
    }

    /// A number from the run's seed.
    pub fn random(&mut self, range: std::ops::RangeInclusive<usize>) -> usize {
        self.rng.random_range(range)
    }

    /// Where the kill stands.
    pub fn aim(&self) -> Aim {
        self.aim
    }

    /// A device of a room's side, which knows the chat if anybody there does.
    pub(super) fn first_device(&self, room: usize, side: Side) -> Option<&Device> {
        self.devices.get((room * 2 + side.index()) * self.speakers)
    }

    /// The device at a place, if it is one that speaks.
    fn index_of(&self, place: Place) -> usize {
        (place.room as usize * 2 + place.side.index()) * self.speakers + usize::from(place.device)
    }
}

fn obey(order: Order) {
    if let Order::Kill(pid) = order {
        fault::kill(pid);
    }
}
