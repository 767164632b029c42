//! A device that comes back and catches up as docs/protocol.md asks a client to: rows, events of
//! the chats on screen, and a pull for every gap. It writes down what it heard and judges nothing
//! while the clock runs.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use barterline_domain::event::Seq;
use barterline_domain::ids::{ChatId, ClientId, DeviceId};
use barterline_protocol::cursor::Cursor;
use barterline_protocol::hello::{Hello, VERSION};
use barterline_protocol::push::{self, Row};
use barterline_protocol::request::{Ping, Pull};
use barterline_protocol::response::Page;
use barterline_protocol::{Outgoing, Request};

use crate::engine::Socket;
use crate::message::{Side, hash_text};
use crate::probe::{MemoryWatch, ProcessCpu, Reading, Used};
use crate::scenario::speaker::next;

/// How often the server's memory is read: a whole inbox is there within some of these.
const MEMORY_EVERY: Duration = Duration::from_millis(20);

/// An event, as far as it is held against the server.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// Of which chat.
    pub chat: ChatId,
    /// Its number.
    pub seq: u64,
    /// Its author's name for it.
    pub id: ClientId,
    /// Whose it is said to be; `None` for the server's.
    pub from: Option<Side>,
    /// Hash of the text.
    pub hash: u64,
}

/// What a device was told, in the order in which it came.
#[derive(Debug, Clone, Copy)]
pub enum Heard {
    /// A connection began.
    Connected,
    /// An event came by itself.
    Pushed(Seen),
    /// An event came because it was asked for.
    Paged(Seen),
    /// More than is pushed waits in a chat.
    Behind {
        /// The chat.
        chat: ChatId,
        /// Its newest number.
        head: u64,
    },
}

/// How to catch up.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// Events in one page.
    pub page: u32,
    /// Pages under way at a time.
    pub pulls: usize,
    /// Longest wait for a frame.
    pub patience: Duration,
}

/// One stay of a device, from the connect to the last event.
#[derive(Debug)]
pub struct Visit {
    /// From the connect to `live`.
    pub live: Duration,
    /// From the connect to the first page; `None` when nothing had to be asked for.
    pub first_page: Option<Duration>,
    /// From the connect until everything was there.
    pub complete: Duration,
    /// Events stored.
    pub events: u64,
    /// Pages.
    pub pulls: u64,
    /// Times that more waited than is pushed.
    pub behind: u64,
    /// Bytes that came.
    pub bytes: u64,
    /// Resident memory of the server before the connect.
    pub rss_start: Option<u64>,
    /// The most while the device caught up.
    pub rss_max: Option<u64>,
    /// When everything was there.
    pub rss_end: Option<u64>,
    /// What was used.
    pub used: Used,
}

/// What a device has of a chat.
#[derive(Debug, Default)]
struct Stored {
    /// Every event up to here.
    have: u64,
    /// The newest number it was told of.
    head: u64,
    /// A pull is due or under way.
    asked: bool,
}

/// One installation of a client, with what it stored.
#[derive(Debug)]
pub struct Device {
    id: [u8; 16],
    token: String,
    cursor: Option<Cursor>,
    chats: BTreeMap<ChatId, Stored>,
    /// Over all connections.
    pub heard: Vec<Heard>,
}

impl Device {
    /// A device that has nothing stored.
    pub fn new(id: [u8; 16], token: String) -> Self {
        Self { id, token, cursor: None, chats: BTreeMap::new(), heard: Vec::new() }
    }

    /// The chats it knows, each with its newest number.
    pub fn heads(&self) -> impl Iterator<Item = (ChatId, u64)> {
        self.chats.iter().map(|(chat, stored)| (*chat, stored.head))
    }

    /// Connects, catches up, and leaves. So many of the chats it knows are on screen.
    pub async fn visit(
        &mut self,
        server: SocketAddr,
        on_screen: usize,
        manner: Manner,
        cpu: &Rc<ProcessCpu>,
    ) -> anyhow::Result<Visit> {
        let memory = MemoryWatch::start(cpu, MEMORY_EVERY);
        let before = Reading::take(cpu);
        let start = Instant::now();
        let mut catching_up = CatchingUp {
            socket: Socket::open(server, self.id).await?,
            on_screen: self.chats.keys().take(on_screen).copied().collect(),
            device: self,
            manner,
            due: VecDeque::new(),
            under_way: 0,
            live: false,
            events: 0,
            pulls: 0,
            behind: 0,
        };
        catching_up.say_hello().await?;
        let (mut live, mut first_page) = (None, None);
        while !catching_up.is_complete() {
            match catching_up.step().await? {
                Step::Live => live = live.or(Some(start.elapsed())),
                Step::Page => first_page = first_page.or(Some(start.elapsed())),
                Step::Other => {}
            }
        }
        let complete = start.elapsed();
        let rss_end = cpu.rss_bytes();
        let used = Reading::take(cpu).since(&before);
        let visit = Visit {
            live: live.unwrap_or(complete),
            first_page,
            complete,
            events: catching_up.events,
            pulls: catching_up.pulls,
            behind: catching_up.behind,
            bytes: catching_up.socket.received(),
            rss_start: memory.start_bytes(),
            rss_max: memory.max_bytes().max(rss_end),
            rss_end,
            used,
        };
        catching_up.hush().await?;
        Ok(visit)
    }
}

/// What a frame brought.
enum Step {
    Live,
    Page,
    Other,
}

/// A connection that is not yet up to date.
struct CatchingUp<'a> {
    device: &'a mut Device,
    socket: Socket,
    manner: Manner,
    on_screen: Vec<ChatId>,
    /// Chats that lack something, next first.
    due: VecDeque<ChatId>,
    /// Pulls that wait for their page.
    under_way: usize,
    live: bool,
    events: u64,
    pulls: u64,
    behind: u64,
}

impl CatchingUp<'_> {
    async fn say_hello(&mut self) -> anyhow::Result<()> {
        self.device.heard.push(Heard::Connected);
        let have = self.on_screen.iter().map(|chat| (*chat, Seq(self.device.chats[chat].have)));
        let hello = Hello {
            token: self.device.token.clone(),
            device: DeviceId::from_bytes(self.device.id),
            versions: vec![VERSION],
            cursor: self.device.cursor.clone(),
            have: have.collect(),
        };
        self.socket.send(&Request::Hello(hello)).await
    }

    /// Everything that was announced is there.
    fn is_complete(&self) -> bool {
        self.live
            && self.under_way == 0
            && self.due.is_empty()
            && self.device.chats.values().all(|stored| stored.have >= stored.head)
    }

    /// Takes one frame, and asks for more where something is due.
    async fn step(&mut self) -> anyhow::Result<Step> {
        let mut step = Step::Other;
        match next(&mut self.socket, self.manner.patience).await? {
            Outgoing::Rows(rows) => rows.rows.iter().for_each(|row| self.row(row)),
            Outgoing::Live(live) => {
                self.device.cursor = Some(live.cursor);
                self.live = true;
                step = Step::Live;
            }
            Outgoing::Ping(ping) | Outgoing::Pong(ping) => {
                self.device.cursor = ping.cursor.or(self.device.cursor.take());
            }
            Outgoing::Event(event) => self.pushed(&event),
            Outgoing::Behind(behind) => {
                let push::Behind { chat, head, .. } = behind;
                self.device.heard.push(Heard::Behind { chat, head: head.0 });
                self.behind += 1;
                let stored = self.device.chats.entry(chat).or_default();
                stored.head = stored.head.max(head.0);
                self.want(chat);
            }
            Outgoing::Page(page) => {
                self.page(&page)?;
                step = Step::Page;
            }
            Outgoing::Error(error) => bail!("{}: {}", error.code, error.message),
            Outgoing::Reset(_) => bail!("the server does not know the cursor it gave"),
            _ => {}
        }
        self.pull().await?;
        Ok(step)
    }

    fn row(&mut self, row: &Row) {
        let stored = self.device.chats.entry(row.chat).or_default();
        stored.head = stored.head.max(row.head.0);
        // The events of a chat on screen come by themselves, or `behind` does.
        if stored.have < stored.head && !self.on_screen.contains(&row.chat) {
            self.want(row.chat);
        }
    }

    /// A gap is to be filled.
    fn want(&mut self, chat: ChatId) {
        let stored = self.device.chats.entry(chat).or_default();
        if !std::mem::replace(&mut stored.asked, true) {
            self.due.push_back(chat);
        }
    }

    fn pushed(&mut self, event: &push::Event) {
        self.device.heard.push(Heard::Pushed(seen(event)));
        let stored = self.device.chats.entry(event.chat).or_default();
        stored.head = stored.head.max(event.seq.0);
        if event.seq.0 == stored.have + 1 {
            stored.have += 1;
            self.events += 1;
        } else if event.seq.0 > stored.have {
            self.want(event.chat);
        }
    }

    fn page(&mut self, page: &Page) -> anyhow::Result<()> {
        self.under_way = self.under_way.saturating_sub(1);
        self.device.heard.extend(page.events.iter().map(|event| Heard::Paged(seen(event))));
        let stored = self.device.chats.entry(page.chat).or_default();
        stored.head = stored.head.max(page.head.0);
        stored.asked = false;
        let before = stored.have;
        for event in &page.events {
            if event.chat == page.chat && event.seq.0 == stored.have + 1 {
                stored.have += 1;
            }
        }
        self.events += stored.have - before;
        if stored.have < stored.head {
            ensure!(stored.have > before, "a page of {} brings nothing new", page.chat);
            // One chat after the other, so that a person can read the first one early.
            stored.asked = true;
            self.due.push_front(page.chat);
        }
        Ok(())
    }

    async fn pull(&mut self) -> anyhow::Result<()> {
        while self.under_way < self.manner.pulls {
            let Some(chat) = self.due.pop_front() else { break };
            let after = self.device.chats.get(&chat).map(|stored| Seq(stored.have));
            let pull = Pull { chat, after, before: None, limit: Some(self.manner.page) };
            self.socket.send(&Request::Pull(pull)).await?;
            self.under_way += 1;
            self.pulls += 1;
        }
        Ok(())
    }

    /// Waits for whatever is still on its way, so that a duplicate that comes late is caught.
    async fn hush(&mut self) -> anyhow::Result<()> {
        self.socket.send(&Request::Ping(Ping::default())).await?;
        loop {
            match next(&mut self.socket, self.manner.patience).await? {
                Outgoing::Event(event) => self.pushed(&event),
                Outgoing::Pong(_) => return Ok(()),
                _ => {}
            }
        }
    }
}

fn seen(event: &push::Event) -> Seen {
    Seen {
        chat: event.chat,
        seq: event.seq.0,
        id: event.id,
        from: Side::of_author(event.from),
        hash: event.text.as_ref().map_or(0, |text| hash_text(text.as_bytes())),
    }
}
