//! One schedule: people on several devices, a network and a store with a will of their own, and a
//! server that crashes; every step drawn from one seed, every law held after each.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use barterline_domain::chat::{Chat, ListingSnapshot, Participants, Role};
use barterline_domain::clock::Timestamp;
use barterline_domain::event::{Author, Event, Seq};
use barterline_domain::ids::{ChatId, ClientId, DeviceId};
use barterline_domain::marks::Marks;
use barterline_domain::message::EventKind;
use barterline_domain::money::{Currency, Money};
use barterline_protocol::cursor::Cursor;
use barterline_protocol::error_code::ErrorCode;
use barterline_protocol::request::{Mark, Pull, Send};
use barterline_protocol::{Encoding, Request};

use crate::client::{Device, Known, Said, Truth, Wanted};
use crate::disk::EPOCH;
use crate::laws::{Verdict, Violation, law};
use crate::panics;
use crate::people::{ANA, BEN, EVE, START, Shop, listing, user};
use crate::pipe::pipe;
use crate::rng::Rng;
use crate::server::Server;
use crate::store::Ground;

/// Steps of the shortest schedule.
const STEPS_MIN: u64 = 50;
/// Rounds in which a sound server brings everybody up to date once nothing goes wrong any more:
/// enough for a few retries, and for the longest history in the smallest pages.
const PEACE_ROUNDS_MAX: u32 = 1_000;
/// One such round.
const PEACE_ROUND: Duration = Duration::from_millis(300);
/// What a server may take to let everybody go (G9), and how often is looked.
const DRAIN_MAX: Duration = Duration::from_secs(10);
const DRAIN_ROUND: Duration = Duration::from_millis(500);
/// Bytes that a slot may hold for its socket beyond the largest answers: docs of `hub::slot`.
const HELD_BYTES_MAX: usize = barterline::hub::slot::WAITING_BYTES_MAX;
/// Events before the schedule begins: none, some, more than a ring holds, more than is pushed.
const HISTORIES: &[(u64, u64)] = &[(38, 0), (25, 5), (23, 40), (8, 90), (6, 260)];

/// Bytes that the network keeps for a client that does not read.
const ROOMS: &[usize] = &[300, 4_000, 64_000, 1 << 20];

/// What a schedule came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub broken: Option<Violation>,
    /// Sum over everything that happened: equal seeds have equal ones.
    pub digest: u64,
    pub steps: u64,
}

/// One kind of step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Connect,
    Say,
    Repeat,
    Mark,
    Pull,
    Ping,
    Open,
    Edit,
    Err,
    Snoop,
    Disconnect,
    Stall,
    Wait,
    Weather,
    Crash,
}

const ACTS: &[(u64, Act)] = &[
    (16, Act::Connect),
    (26, Act::Say),
    (8, Act::Repeat),
    (8, Act::Mark),
    (4, Act::Pull),
    (3, Act::Ping),
    (1, Act::Open),
    (3, Act::Edit),
    (2, Act::Err),
    (3, Act::Snoop),
    (6, Act::Disconnect),
    (4, Act::Stall),
    (7, Act::Wait),
    (8, Act::Weather),
    (1, Act::Crash),
];

struct World {
    rng: Rng,
    ground: Arc<Ground>,
    server: Option<Server>,
    now: Timestamp,
    devices: Vec<Device>,
    chats: Vec<ChatId>,
    /// Listings whose chats may be opened.
    listings: usize,
    /// Longest text of this schedule, in characters.
    text_max: u64,
    faults: u64,
    trace: Option<String>,
    digest: u64,
}

/// Runs the schedule of a seed; with `trace` its steps are printed.
pub fn run(seed: u64, trace: bool) -> Outcome {
    let mut world = World::new(seed, trace);
    let steps = STEPS_MIN + world.rng.below(31);
    let broken = world.live(steps).err();
    if let Some(trace) = &world.trace {
        println!("{trace}");
    }
    Outcome { broken, digest: world.digest, steps }
}

impl World {
    fn new(seed: u64, trace: bool) -> Self {
        let mut rng = Rng::new(seed);
        let pipelines = rng.percent(50);
        let ground = Arc::new(Ground::new(pipelines, rng.fork()));
        // Long texts for the slow reader's bounds, and then short pages.
        let (text_max, page_max) = if rng.percent(15) { (3_500, 10) } else { (40, 100) };
        let mut devices = Vec::new();
        for person in [ANA, ANA, BEN, BEN, EVE] {
            let encoding = rng.pick(&[Encoding::MsgPack, Encoding::Json]);
            let id = DeviceId::from_bytes(rng.id());
            let fork = rng.fork();
            let mut device = Device::new(person, id, encoding, fork);
            device.reorders = rng.percent(10);
            device.page_max = page_max;
            devices.push(device);
        }
        let mut world = Self {
            rng,
            ground,
            server: None,
            now: START,
            devices,
            chats: Vec::new(),
            listings: 0,
            text_max,
            faults: 0,
            trace: trace.then(String::new),
            digest: 0,
        };
        for _ in 0..=world.rng.below(3) {
            world.open_with_history();
        }
        world.listings = world.chats.len() + 1;
        for device in 0..world.devices.len() {
            world.devices[device].trace = trace.then(String::new);
            world.remember(device);
        }
        world.note(format_args!("seed {seed}, pipelines {pipelines}, text {text_max}"));
        world.start();
        for at in 0..world.devices.len() {
            if world.rng.percent(75) {
                let room = world.rng.pick(ROOMS);
                world.connect(at, room);
            }
        }
        world
    }

    /// A chat that has a history before the schedule begins.
    fn open_with_history(&mut self) {
        let listing = listing(self.chats.len());
        // Ben sells; now and then to Eve, and never the first.
        let buyer = if self.chats.is_empty() || self.rng.percent(80) { ANA } else { EVE };
        let id = ChatId::of(listing, user(buyer));
        let price = Money { minor: 100, currency: Currency::parse("EUR").expect("a currency") };
        let chat = Chat {
            id,
            listing,
            participants: Participants { buyer: user(buyer), seller: user(BEN) },
            snapshot: ListingSnapshot { title: "A bike".to_owned(), price, version: 1 },
            opened_at: START,
        };
        let ground = Arc::clone(&self.ground);
        let mut disk = ground.disk.lock();
        disk.create(chat);
        let events = self.rng.weighted(HISTORIES);
        let events = if events == 0 { 0 } else { events + self.rng.below(events) };
        for n in 0..events {
            let person = self.rng.pick(&[buyer, BEN]);
            let author = if person == buyer { Author::Buyer } else { Author::Seller };
            let text = format!("earlier {n}");
            let kind = EventKind::text(&text);
            let stored = &disk.chats[&id];
            let seq = stored.head().next();
            let event = Event {
                seq,
                at: START,
                author,
                id: ClientId::from_bytes(self.rng.id()),
                digest: kind.digest(),
                after: stored.state().after(author, &kind, false),
                kind,
                withheld: false,
                amended: None,
            };
            // The devices that said it may say it again.
            let of: Vec<_> = (0..self.devices.len())
                .filter(|device| self.devices[*device].person == person)
                .collect();
            let device = self.rng.pick(&of);
            let base = Seq(seq.0 - 1 - self.rng.below(4).min(seq.0 - 1));
            let said = Said { chat: id, id: event.id, base, text, seq: Some(seq) };
            self.devices[device].said.push(said);
            disk.append(id, &[event]).expect("a sound history");
        }
        self.chats.push(id);
    }

    /// What a device has stored before the schedule begins: everything, a part, or nothing.
    fn remember(&mut self, at: usize) {
        let disk = self.ground.disk.lock();
        let device = &mut self.devices[at];
        if self.rng.percent(30) {
            return;
        }
        for (id, stored) in &disk.chats {
            if stored.chat.participants.role_of(device.user()).is_none() {
                continue;
            }
            let head = stored.head();
            let have = match self.rng.below(3) {
                0 => Seq(self.rng.below(head.0 + 1)),
                1 => Seq(head.0 - self.rng.below(head.0.min(50) + 1)),
                _ => head,
            };
            device.chats.insert(*id, Known { have, head, ..Known::default() });
        }
        device.cursor = Some(Cursor::new(EPOCH, disk.position));
    }

    fn note(&mut self, what: std::fmt::Arguments<'_>) {
        if let Some(trace) = &mut self.trace {
            let at = self.now.since(START).as_millis();
            writeln!(trace, "{at:>8} ms  {what}").expect("a string takes everything");
        }
    }

    fn mix(&mut self, number: u64) {
        self.digest = (self.digest ^ number).wrapping_mul(0x100_0000_01b3).rotate_left(23);
    }

    fn start(&mut self) {
        self.ground.weather.lock().dead = false;
        self.server = Some(Server::start(&self.ground, self.now));
    }

    fn server(&self) -> &Server {
        self.server.as_ref().expect("a server runs between two steps")
    }

    /// The server is gone, wherever it was, and another is started over the same disk.
    fn crash(&mut self) -> Verdict {
        self.faults += 1;
        let turns = self.rng.below(60);
        self.server().turns(turns);
        self.now = self.server().now();
        self.server = None;
        for at in 0..self.devices.len() {
            // What has arrived is read or lost.
            if self.rng.percent(50) {
                self.hear(at)?;
            }
            self.devices[at].disconnect(0);
        }
        let written = self.rng.percent(50);
        self.ground.disk.lock().reopen(written)?;
        self.now = self.now.plus(Duration::from_millis(self.rng.below(3_000)));
        self.note(format_args!("crash after {turns} turns"));
        self.start();
        Ok(())
    }

    /// The server is asked to stop, and another is started over the same disk.
    fn stop(&mut self) -> Verdict {
        self.note(format_args!("stop"));
        let spread = self.rng.pick(&[0, 300, 2_000]);
        self.server().drain(Duration::from_millis(spread));
        let until = self.now.plus(DRAIN_MAX);
        while self.now < until {
            self.server().pass(DRAIN_ROUND);
            self.now = self.server().now();
            self.check_step()?;
            for at in 0..self.devices.len() {
                self.hear(at)?;
                self.devices[at].transmit(true);
            }
        }
        let left = self.server().connections();
        // What waits for a store that stands still is cut off by the process's end.
        let excused = self.ground.weather.lock().stalled;
        law("g9_drains", left == 0 || excused, || format!("{left} connections are left"))?;
        self.crash()
    }

    fn hear(&mut self, at: usize) -> Verdict {
        let disk = self.ground.disk.lock();
        let truth = Truth { disk: &disk, now: self.now };
        let verdict = self.devices[at].hear(&truth);
        drop(disk);
        if let Some(heard) = self.devices[at].trace.as_mut().map(std::mem::take)
            && !heard.is_empty()
        {
            self.note(format_args!("device {at}{heard}"));
        }
        verdict
    }

    fn go_on(&mut self, at: usize) {
        let disk = self.ground.disk.lock();
        let truth = Truth { disk: &disk, now: self.now };
        self.devices[at].go_on(&truth);
    }

    /// The whole schedule: steps with faults, then peace, in which everybody gets everything.
    fn live(&mut self, steps: u64) -> Verdict {
        for step in 0..steps {
            let act = self.rng.weighted(ACTS);
            // A schedule without a fault shows little.
            let act = if step == steps / 2 && self.faults == 0 { Act::Crash } else { act };
            self.act(act)?;
            self.run_on()?;
        }
        self.make_peace()?;
        self.check_all("g5_live_has_everything")?;
        for at in 0..self.devices.len() {
            self.devices[at].disconnect(usize::MAX);
        }
        self.make_peace()?;
        self.check_all("g5_resume_has_everything")?;
        self.check_order()
    }

    /// Lets the server run for a while, and everybody hear.
    fn run_on(&mut self) -> Verdict {
        if self.rng.percent(30) {
            let time = 1 + self.rng.below(5);
            self.server().pass(Duration::from_millis(time));
        } else {
            let turns = self.rng.below(40);
            self.server().turns(turns);
        }
        self.now = self.server().now();
        self.check_step()?;
        for at in 0..self.devices.len() {
            self.hear(at)?;
            if self.rng.percent(80) {
                self.go_on(at);
            }
            self.devices[at].transmit(false);
        }
        Ok(())
    }

    fn check_step(&mut self) -> Verdict {
        self.ground.verdict()?;
        law("g11_no_panic", panics::none(), panics::last)?;
        // What has left is given back when it is as much again; an answer may be on top: a page.
        let event = 350 + self.text_max as usize;
        let bound = 2 * HELD_BYTES_MAX + (self.devices[0].page_max as usize + 1) * event;
        let held = self.server().held_bytes_max();
        law("g7_bounded", held <= bound, || format!("{held} bytes wait for a socket"))?;
        let (position, heads) = {
            let disk = self.ground.disk.lock();
            (disk.position, disk.chats.values().map(|chat| chat.head().0).sum::<u64>())
        };
        self.mix(position);
        self.mix(heads);
        self.mix(held as u64);
        self.mix(self.now.as_millis());
        Ok(())
    }

    fn act(&mut self, act: Act) -> Verdict {
        let at = self.rng.index(self.devices.len());
        let own: Vec<_> = self.devices[at].chats.keys().copied().collect();
        let chat = (!own.is_empty()).then(|| self.rng.pick(&own));
        self.note(format_args!("{act:?} {at} {chat:?}"));
        match (act, chat) {
            (Act::Connect, _) => self.connect_somebody(),
            (Act::Say, Some(chat)) => self.say(at, chat),
            (Act::Repeat, _) => {
                for _ in 0..=self.rng.below(3) {
                    let said = self.devices[at].said.len();
                    // Mostly of the newest.
                    let among = if self.rng.percent(70) { said.min(4) } else { said };
                    if among > 0 {
                        let back = self.rng.index(among);
                        self.devices[at].repeat(said - 1 - back);
                    }
                }
            }
            (Act::Mark, Some(chat)) => {
                let Known { have, .. } = self.devices[at].chats[&chat];
                let delivered = Seq(self.rng.below(have.0 + 1).max(have.0.saturating_sub(2)));
                let read = Seq(self.rng.below(delivered.0 + 1));
                self.devices[at].mark(chat, Marks::new(delivered, read));
            }
            (Act::Pull, Some(chat)) => {
                let head = self.devices[at].chats[&chat].head;
                let somewhere = Seq(self.rng.below(head.0 + 2));
                let wanted = match self.rng.below(3) {
                    0 => Wanted::After(somewhere),
                    1 => Wanted::Before(somewhere),
                    _ => Wanted::Newest,
                };
                let limit = 1 + self.rng.below(self.devices[at].page_max);
                let any = self.devices[at].page_max == 100 && self.rng.percent(30);
                let limit = (!any).then_some(limit as u32);
                self.devices[at].pull(chat, wanted, limit);
            }
            (Act::Ping, _) => self.devices[at].ping(),
            (Act::Open, _) => {
                let n = self.rng.index(self.listings);
                if self.devices[at].person == ANA {
                    self.devices[at].open(listing(n));
                }
            }
            (Act::Edit, _) => {
                self.ground.disk.lock().edits += 1;
                // On this server, or on another.
                if self.rng.percent(50) {
                    let edited = listing(self.rng.index(self.listings));
                    let edited = Shop(Arc::clone(&self.ground)).listing(edited);
                    self.server().edited(&edited);
                }
            }
            (Act::Err, Some(chat)) => self.err(at, chat),
            (Act::Snoop, _) => self.snoop(),
            (Act::Disconnect, _) => {
                let bytes = self.rng.below(200) as usize;
                self.devices[at].disconnect(bytes);
            }
            (Act::Stall, _) => {
                let reads = self.rng.pick(&[0, 0, 30, 700, 3_000, 3_000, usize::MAX, usize::MAX]);
                if let Some(link) = &mut self.devices[at].link {
                    link.reads = reads;
                }
            }
            (Act::Wait, _) => return self.wait(),
            (Act::Weather, _) => self.change_weather(),
            (Act::Crash, _) if self.rng.percent(20) => return self.stop(),
            (Act::Crash, _) => return self.crash(),
            (Act::Say | Act::Mark | Act::Pull | Act::Err, None) => {}
        }
        Ok(())
    }

    fn connect_somebody(&mut self) {
        let offline: Vec<_> = (0..self.devices.len())
            .filter(|at| {
                self.devices[*at].link.is_none() && self.devices[*at].connect_at <= self.now
            })
            .collect();
        if !offline.is_empty() {
            let at = self.rng.pick(&offline);
            let room = self.rng.pick(ROOMS);
            self.connect(at, room);
        }
    }

    fn connect(&mut self, at: usize, room: usize) {
        let (client, server) = pipe(room);
        let share = self.rng.pick(&[0, 50, 100]);
        let known: Vec<_> = self.devices[at].chats.keys().copied().collect();
        let mut have: Vec<_> = known.into_iter().filter(|_| self.rng.percent(share)).collect();
        have.truncate(64);
        self.devices[at].connect(client, &have);
        self.server().serve(server, self.devices[at].encoding);
        self.note(format_args!("device {at} connects, {room} bytes of room, has {have:?}"));
    }

    fn say(&mut self, at: usize, chat: ChatId) {
        let often = if self.text_max > 1_000 { 25 } else { 5 };
        let burst = if self.rng.percent(often) { 40 } else { 3 };
        for _ in 0..=self.rng.below(burst) {
            let id = ClientId::from_bytes(self.rng.id());
            let chars = 1 + self.rng.below(self.text_max) as usize;
            let text = "é".repeat(chars / 2) + "x";
            self.devices[at].compose(chat, id, text);
        }
        self.go_on(at);
    }

    /// A mistake of the client's: refused, and nothing changes.
    fn err(&mut self, at: usize, chat: ChatId) {
        let far = Seq(1_000_000);
        let id = ClientId::from_bytes(self.rng.id());
        let text = Some("x".to_owned());
        let (request, code) = match self.rng.below(4) {
            0 => {
                let mark = Mark { chat, delivered: Some(far), read: None };
                (Request::Mark(mark), ErrorCode::SeqAhead)
            }
            1 => {
                let send = Send { text, ..Send::new(chat, id, Seq(0), "note") };
                (Request::Send(send), ErrorCode::KindUnsupported)
            }
            2 => {
                let send = Send::text(chat, id, Seq(0), " ".to_owned());
                (Request::Send(send), ErrorCode::TextEmpty)
            }
            _ => {
                let pull = Pull { chat, after: Some(far), before: Some(far), limit: None };
                (Request::Pull(pull), ErrorCode::InvalidRequest)
            }
        };
        let chat = (code != ErrorCode::InvalidRequest).then_some(chat);
        self.devices[at].ask_wrongly(&request, code, chat);
    }

    /// Eve asks for a chat she has no part in, or for one that is not there: one answer (G6).
    fn snoop(&mut self) {
        let chat =
            if self.rng.percent(50) { self.chats[0] } else { ChatId::from_bytes(self.rng.id()) };
        let id = ClientId::from_bytes(self.rng.id());
        let request = match self.rng.below(4) {
            0 => Request::Send(Send::text(chat, id, Seq(0), "let me in".to_owned())),
            1 => Request::Mark(Mark { chat, delivered: Some(Seq(1)), read: None }),
            2 => Request::Mark(Mark { chat, delivered: Some(Seq(1_000_000)), read: None }),
            _ => Request::Pull(Pull { chat, after: Some(Seq(0)), before: None, limit: None }),
        };
        let eve = self.devices.len() - 1;
        self.devices[eve].ask_wrongly(&request, ErrorCode::ChatNotFound, Some(chat));
    }

    fn wait(&mut self) -> Verdict {
        let time = match self.rng.below(10) {
            0..5 => self.rng.below(50),
            5..8 => self.rng.below(5_000),
            8 => 61_000,
            // Rooms are forgotten, and clients that have not spoken.
            _ => 100_000,
        };
        for device in &mut self.devices {
            // A hello that takes longer than its timeout is the network's fault.
            device.transmit(true);
        }
        self.server().pass(Duration::from_millis(1 + time));
        self.now = self.server().now();
        self.check_step()
    }

    fn change_weather(&mut self) {
        self.faults += 1;
        let kind = self.rng.below(8);
        let stalled = {
            let weather = &mut *self.ground.weather.lock();
            match kind {
                0 | 1 => Some(!weather.stalled),
                2 => {
                    weather.slow = !weather.slow;
                    None
                }
                3 => {
                    weather.refuses =
                        if weather.refuses == 0 { self.rng.pick(&[20, 100]) } else { 0 };
                    None
                }
                4 => {
                    let share =
                        if weather.refuses_reads == 0 { self.rng.pick(&[10, 50]) } else { 0 };
                    weather.refuses_reads = share;
                    None
                }
                5 if weather.pipelines => {
                    weather.dies = true;
                    None
                }
                6 | 7 if weather.pipelines => Some(false),
                5 | 6 => {
                    weather.unknown =
                        if weather.unknown == 0 { self.rng.pick(&[20, 60]) } else { 0 };
                    None
                }
                _ => {
                    weather.rival = if weather.rival == 0 { self.rng.pick(&[20, 60]) } else { 0 };
                    None
                }
            }
        };
        if let Some(stalled) = stalled {
            self.ground.stall(stalled);
        }
        self.note(format_args!("weather {kind}, stalled {stalled:?}"));
    }

    /// Nothing goes wrong any more: everybody connects, and is at rest before long.
    fn make_peace(&mut self) -> Verdict {
        self.ground.clear();
        if self.ground.weather.lock().dead {
            self.crash()?;
        }
        self.note(format_args!("peace"));
        for _ in 0..PEACE_ROUNDS_MAX {
            for at in 0..self.devices.len() {
                if let Some(link) = &mut self.devices[at].link {
                    link.read_everything();
                } else if self.devices[at].connect_at <= self.now {
                    self.connect(at, 1 << 20);
                }
                self.go_on(at);
                self.devices[at].transmit(true);
            }
            self.server().pass(PEACE_ROUND);
            self.now = self.server().now();
            self.check_step()?;
            let mut heard = true;
            for at in 0..self.devices.len() {
                self.hear(at)?;
                heard &= self.devices[at].is_at_rest() && self.is_up_to_date(at).is_ok();
            }
            if heard {
                return Ok(());
            }
        }
        for at in 0..self.devices.len() {
            self.is_up_to_date(at)?;
            law("g5_everything_is_answered", self.devices[at].is_at_rest(), || {
                format!("device {at} still waits: {}", self.devices[at].waits_for())
            })?;
        }
        Ok(())
    }

    /// Whether a device has every event and every mark of its chats.
    fn is_up_to_date(&self, at: usize) -> Verdict {
        let disk = self.ground.disk.lock();
        let device = &self.devices[at];
        for (id, stored) in &disk.chats {
            let Some(role) = stored.chat.participants.role_of(device.user()) else { continue };
            let head = stored.head();
            // A seller hears of a chat with its first message.
            let is_told = role == Role::Buyer || head > Seq::ZERO;
            law("g5_knows_its_chats", !is_told || device.chats.contains_key(id), || {
                format!("device {at} does not know of {id}")
            })?;
            let known = device.chats.get(id).copied().unwrap_or_default();
            law("g5_has_everything", known.have == head && known.head == head, || {
                format!("device {at} has {id} up to {}, not {head}", known.have)
            })?;
            for side in [role, role.other()] {
                let marks = stored.marks(side);
                law("g5_has_every_mark", known.marks[side as usize] == marks, || {
                    let known = known.marks[side as usize];
                    format!("device {at} has {side:?}'s {known:?} of {id}, not {marks:?}")
                })?;
            }
        }
        Ok(())
    }

    fn check_all(&mut self, when: &'static str) -> Verdict {
        for at in 0..self.devices.len() {
            self.is_up_to_date(at)
                .map_err(|violation| Violation { law: when, detail: violation.to_string() })?;
        }
        Ok(())
    }

    /// What a device wrote first stands first.
    fn check_order(&mut self) -> Verdict {
        let disk = self.ground.disk.lock();
        for (at, device) in self.devices.iter().enumerate().filter(|(_, device)| !device.reorders) {
            for (id, stored) in &disk.chats {
                let said = device.said.iter().filter(|said| said.chat == *id);
                let seqs: Vec<_> = said.clone().map(|said| said.seq.unwrap_or_default()).collect();
                law("g3_senders_order", seqs.is_sorted(), || {
                    format!("device {at} said {seqs:?} in {id}, in this order")
                })?;
                for said in said {
                    let event = said.seq.and_then(|seq| stored.event(seq));
                    let same = event.is_some_and(|event| event.id == said.id);
                    law("g1_acknowledged_stays", same, || format!("{said:?} is not there"))?;
                }
            }
        }
        Ok(())
    }
}
