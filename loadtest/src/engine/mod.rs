//! Plays participants: one connection for each of their devices, all on one thread.
//!
//! Every connection is a task that reads into one shared buffer; a frame is handled where it is
//! read, and what it sets free (the next message of a closed loop, a queued one) is written at once
//! from there. There is no queue and no task switch between reading an answer and sending the next
//! message: the harness must cost less a message than the fastest server it measures.
//!
//! - `state`: everything the tasks share, and in `hear` what frames mean; synchronous.
//! - `outbox`: what a device has to say, and how far it came; `hold`: when it must wait;
//!   `copies`: what it sends twice; pure.
//! - `aim`: when a SIGKILL hits; pure.
//! - `link`, `connection`: sockets, and coming back after they are lost.
//! - `pace`: time. `readback`: what is stored, asked for over fresh connections.

mod aim;
mod connection;
mod copies;
mod crowd;
mod device;
mod hold;
mod link;
mod outbox;
mod pace;
mod readback;
mod seat;
mod socket;
mod state;

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

pub use aim::{Aim, Target};
pub use crowd::Crowd;
pub use pace::{Pacer, RunClock};
pub use seat::Seat;
pub use socket::Socket;
pub use state::State;

use crate::message::Texts;
use crate::wire::Adapter;

/// At most so many connections are being set up at a time.
const CONNECTS_MAX: usize = 64;
/// One read of any socket.
const READ_BYTES: usize = 64 * 1024;
/// Between two marks of one device.
const MARK_EVERY: Duration = Duration::from_millis(400);
/// Devices mark in so many groups, one after the other: people do not act in step.
const MARK_SLICES: usize = 20;
/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A handle to the participants.
#[derive(Debug, Clone)]
pub struct Engine {
    shared: Rc<Shared>,
}

/// What all tasks of the engine share.
#[derive(Debug)]
struct Shared {
    state: RefCell<State>,
    read_buffer: RefCell<Vec<u8>>,
    clock: RunClock,
    adapter: Adapter,
    flap: Option<Duration>,
    /// Those that stall read from now on.
    reading: watch::Sender<bool>,
    server: Cell<SocketAddr>,
    connects: Arc<Semaphore>,
    tasks: RefCell<Vec<JoinHandle<()>>>,
}

impl Engine {
    /// A crowd of participants of the server at `server`. `seed` makes the run repeatable, as far
    /// as two processes on one machine are.
    pub fn new(
        adapter: Adapter,
        server: SocketAddr,
        crowd: Crowd,
        texts: Texts,
        seed: u64,
    ) -> Self {
        let clock = RunClock::start();
        Self {
            shared: Rc::new_cyclic(|shared| Shared {
                state: RefCell::new(State::new(adapter, crowd, texts, seed, clock, shared.clone())),
                read_buffer: RefCell::new(vec![0; READ_BYTES]),
                clock,
                adapter,
                flap: crowd.flap,
                reading: watch::Sender::new(false),
                server: Cell::new(server),
                connects: Arc::new(Semaphore::new(CONNECTS_MAX)),
                tasks: RefCell::default(),
            }),
        }
    }

    /// The clock that due times are given by.
    pub fn clock(&self) -> RunClock {
        self.shared.clock
    }

    /// Seats a participant and starts the connections of their devices. Participants join in the
    /// order of their numbers, which are `room * 2 + side`.
    pub fn join(&self, seat: &Seat) {
        self.with(|state| state.join(seat)).for_each(|index| self.connect(index));
    }

    /// Gives so many participants a device more each, or all of them several, that stalls. Nobody
    /// may join after that.
    pub fn join_stalled(&self, count: usize) {
        for nth in 0..count {
            self.connect(self.with(|state| state.join_stalled(nth)));
        }
    }

    fn connect(&self, index: usize) {
        let task = connection::keep(Rc::clone(&self.shared), index);
        let handle = tokio::task::spawn_local(task);
        self.shared.tasks.borrow_mut().push(handle);
    }

    /// From now on devices mark what they got, each at most every [`MARK_EVERY`].
    pub fn start_marking(&self) {
        let shared = Rc::clone(&self.shared);
        let handle = tokio::task::spawn_local(async move {
            for nth in (0..MARK_SLICES).cycle() {
                tokio::time::sleep(MARK_EVERY / MARK_SLICES as u32).await;
                shared.state.borrow_mut().mark_some(nth, MARK_SLICES);
            }
        });
        self.shared.tasks.borrow_mut().push(handle);
    }

    /// Those that stalled read from now on.
    pub fn read_again(&self) {
        self.shared.reading.send_replace(true);
    }

    /// Looks at, or changes, the shared state. Never across an await.
    pub fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.shared.state.borrow_mut())
    }

    /// Waits until `condition` holds. Fails when `progress` has not changed for `patience`.
    pub async fn until<P: PartialEq>(
        &self,
        what: &str,
        patience: Duration,
        condition: impl Fn(&State) -> bool,
        progress: impl Fn(&State) -> P,
    ) -> anyhow::Result<()> {
        let mut last = self.with(|state| progress(state));
        let mut since = tokio::time::Instant::now();
        loop {
            if self.with(|state| condition(state)) {
                return Ok(());
            }
            let now = self.with(|state| progress(state));
            if now != last {
                last = now;
                since = tokio::time::Instant::now();
            } else if since.elapsed() > patience {
                let why = self.with(|state| state.last_drop().map(str::to_owned));
                match why {
                    Some(why) => bail!("waited in vain for {what}; last connection lost: {why}"),
                    None => bail!("waited in vain for {what}"),
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until everybody who joined is live.
    pub async fn all_live(&self) -> anyhow::Result<()> {
        self.until(
            "all connections to be live",
            Duration::from_secs(30),
            |state| state.live() == state.devices() && state.unopened() == 0,
            |state| (state.live(), state.unopened()),
        )
        .await
    }

    /// Waits until all are live, or where devices come and go: nine in ten.
    pub async fn crowd_live(&self) -> anyhow::Result<()> {
        if self.shared.flap.is_none() {
            return self.all_live().await;
        }
        let most = |state: &State| state.live() * 10 >= state.devices() * 9;
        let patience = Duration::from_secs(30);
        self.until("most connections to be live", patience, most, State::live).await
    }

    /// From now on devices come and go, if they do at all; or they stay again. At first they stay.
    pub fn stay(&self, calm: bool) {
        self.with(|state| state.calm = calm);
    }

    /// Waits until every message is acknowledged and delivered to every device.
    pub async fn drained(&self, patience: Duration) -> anyhow::Result<()> {
        self.until(
            "every message to be acknowledged and delivered",
            patience,
            State::drained,
            |state| (state.acked(), state.deliveries()),
        )
        .await
    }

    /// Waits until all that was said is acknowledged, and delivered to those who read.
    pub async fn talked_out(&self, patience: Duration) -> anyhow::Result<()> {
        let moving = |state: &State| (state.acked(), state.deliveries());
        self.until("the last answers", patience, State::talked_out, moving).await
    }

    /// Waits until each device has got whatever was on its way to it, so that a duplicate that comes
    /// late is caught. A server without the protocol's `ping` is not waited for.
    pub async fn hushed(&self, patience: Duration) -> anyhow::Result<()> {
        if !self.shared.adapter.numbers() {
            return Ok(());
        }
        self.with(State::ask_for_pongs);
        let all_came = |state: &State| state.awaiting_pongs() == 0;
        self.until("every device's pong", patience, all_came, State::awaiting_pongs).await
    }

    /// Reads every chat back, over fresh connections, into the checker.
    pub async fn read_back(&self) -> anyhow::Result<()> {
        readback::read_back(&self.shared).await
    }

    /// Takes leave of the server and ends every task. A task that panicked passes that on.
    pub async fn close(&self) {
        self.with(State::say_goodbye);
        let tasks = std::mem::take(&mut *self.shared.tasks.borrow_mut());
        // All before any is waited for: what is closed must not connect again.
        tasks.iter().for_each(JoinHandle::abort);
        for task in tasks {
            if let Err(error) = task.await
                && error.is_panic()
            {
                std::panic::resume_unwind(error.into_panic());
            }
        }
    }
}
