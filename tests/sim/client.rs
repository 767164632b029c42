//! A client as docs/protocol.md has it: an outbox stored before the first byte leaves, a cursor
//! stored together with the heads it stands for, gaps filled by `pull`. It believes nothing: each
//! frame is held against the disk when it arrives.

mod hear;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use barterline_domain::clock::Timestamp;
use barterline_domain::event::Seq;
use barterline_domain::ids::{ChatId, ClientId, DeviceId, ListingId, UserId};
use barterline_domain::marks::Marks;
use barterline_protocol::cursor::Cursor;
use barterline_protocol::error_code::ErrorCode;
use barterline_protocol::hello::Hello;
use barterline_protocol::limits::{IN_FLIGHT_MAX, PAGE_EVENTS_MAX};
use barterline_protocol::push::Row;
use barterline_protocol::request::{Mark, Open, Ping, Pull, Send};
use barterline_protocol::{Encoding, Request};

use crate::disk::Disk;
use crate::frames;
use crate::people::{token, user};
use crate::pipe::ClientEnd;
use crate::rng::Rng;

/// What a frame is held against.
pub struct Truth<'a> {
    pub disk: &'a Disk,
    pub now: Timestamp,
}

/// One installation of a client program.
pub struct Device {
    pub person: usize,
    pub id: DeviceId,
    pub encoding: Encoding,
    /// Stored: survives everything.
    pub chats: BTreeMap<ChatId, Known>,
    pub cursor: Option<Cursor>,
    /// Everything this device has said, in the order in which it was written. What has no number
    /// yet is the outbox.
    pub said: Vec<Said>,
    /// Does not keep to the order of its outbox: its own order is not held against the server.
    pub reorders: bool,
    /// Events asked for in one page.
    pub page_max: u64,
    /// Not before this.
    pub connect_at: Timestamp,
    pub link: Option<Link>,
    rng: Rng,
    /// What was heard and asked, if somebody looks on.
    pub trace: Option<String>,
}

/// What a device has stored of a chat.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Known {
    /// Every event up to here.
    pub have: Seq,
    /// The highest number heard of.
    pub head: Seq,
    /// Of buyer and seller.
    pub marks: [Marks; 2],
}

/// A message of this device.
#[derive(Debug, Clone)]
pub struct Said {
    pub chat: ChatId,
    pub id: ClientId,
    pub base: Seq,
    pub text: String,
    pub seq: Option<Seq>,
}

/// One connection.
pub struct Link {
    end: ClientEnd,
    /// Come, and no whole frame yet.
    heard: Vec<u8>,
    /// Written, and not handed to the network yet.
    outgoing: Vec<u8>,
    next_reference: u32,
    waiting: BTreeMap<u32, Asked>,
    welcomed: bool,
    live: bool,
    announced: Vec<Row>,
    /// Sends under way or answered on this connection.
    sent: BTreeSet<ClientId>,
    in_flight: usize,
    /// Chats to which nothing is sent before this, and what has to come again first, even if it has
    /// its number by now.
    refused: BTreeMap<ChatId, (Timestamp, Vec<ClientId>)>,
    /// The next number to be pushed, where it is certain.
    next_push: BTreeMap<ChatId, Seq>,
    last_push: BTreeMap<ChatId, Seq>,
    last_marks: BTreeMap<(ChatId, usize), Marks>,
    /// Chats to be pulled, not before this.
    lacking: BTreeMap<ChatId, Timestamp>,
    pulling: BTreeSet<ChatId>,
    /// Requests to be refused once more, not before this.
    wrong: Vec<(Timestamp, Request, &'static str, Option<ChatId>)>,
    /// Leaves it to the server to push what `have` lacks.
    have: BTreeSet<ChatId>,
    /// Bytes read in one go: everything, or a trickle, or nothing.
    pub reads: usize,
    /// Said `bye`.
    parting: bool,
}

impl Link {
    /// Reads, from now on, all that there is.
    pub fn read_everything(&mut self) {
        self.reads = usize::MAX;
        self.end.widen();
    }
}

/// A request that waits for its answer.
#[derive(Debug, Clone)]
enum Asked {
    Hello,
    Send(ChatId, ClientId),
    Mark(ChatId, Marks),
    Pull(ChatId, Wanted, usize),
    Open,
    Ping,
    /// Has to be refused with this code; asked again while it is refused as retryable.
    Refused(Request, &'static str, Option<ChatId>),
}

/// Which part of a chat was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    After(Seq),
    Before(Seq),
    Newest,
}

impl Device {
    pub fn new(person: usize, id: DeviceId, encoding: Encoding, rng: Rng) -> Self {
        Self {
            person,
            id,
            encoding,
            chats: BTreeMap::new(),
            cursor: None,
            said: Vec::new(),
            reorders: false,
            page_max: PAGE_EVENTS_MAX as u64,
            connect_at: Timestamp::from_millis(0),
            link: None,
            rng,
            trace: None,
        }
    }

    pub fn user(&self) -> UserId {
        user(self.person)
    }

    /// Messages without a number.
    pub fn outbox(&self) -> impl Iterator<Item = &Said> {
        self.said.iter().filter(|said| said.seq.is_none())
    }

    /// Whether nothing is under way or lacking.
    pub fn is_at_rest(&self) -> bool {
        let link_rests = self.link.as_ref().is_some_and(|link| {
            link.live
                && link.waiting.is_empty()
                && link.lacking.is_empty()
                && link.wrong.is_empty()
                && link.outgoing.is_empty()
        });
        link_rests && self.outbox().next().is_none()
    }

    /// What is under way or lacking, for a report.
    pub fn waits_for(&self) -> String {
        let outbox: Vec<_> = self.outbox().map(|said| said.id).collect();
        let link = self.link.as_ref().map(|link| {
            (link.live, &link.waiting, &link.lacking, &link.refused, link.outgoing.len())
        });
        format!("outbox {outbox:?}, link {link:?}")
    }

    /// Connects, and says hello with what is stored. The chats in `have` are left to the server.
    pub fn connect(&mut self, end: ClientEnd, have: &[ChatId]) {
        let have = have.iter().filter_map(|chat| Some((*chat, self.chats.get(chat)?.have)));
        let have: Vec<_> = have.collect();
        self.link = Some(Link {
            end,
            heard: Vec::new(),
            outgoing: Vec::new(),
            next_reference: 1,
            waiting: BTreeMap::new(),
            welcomed: false,
            live: false,
            announced: Vec::new(),
            sent: BTreeSet::new(),
            in_flight: 0,
            refused: BTreeMap::new(),
            next_push: have.iter().map(|(chat, seq)| (*chat, seq.next())).collect(),
            last_push: BTreeMap::new(),
            last_marks: BTreeMap::new(),
            lacking: BTreeMap::new(),
            pulling: BTreeSet::new(),
            wrong: Vec::new(),
            have: have.iter().map(|(chat, _)| *chat).collect(),
            reads: usize::MAX,
            parting: false,
        });
        let hello = Hello {
            token: token(self.person).to_owned(),
            device: self.id,
            versions: vec![1],
            cursor: self.cursor.clone(),
            have,
        };
        self.ask(&Request::Hello(hello), Asked::Hello);
    }

    /// Loses the connection, after the network has taken `bytes` more of what was written.
    pub fn disconnect(&mut self, bytes: usize) {
        if let Some(link) = self.link.take() {
            link.end.write(&link.outgoing[..bytes.min(link.outgoing.len())]);
        }
    }

    /// Writes a message into the outbox, with what this device knows now.
    pub fn compose(&mut self, chat: ChatId, id: ClientId, text: String) {
        let base = self.chats.get(&chat).map(|known| known.head).unwrap_or_default();
        self.said.push(Said { chat, id, base, text, seq: None });
    }

    /// Sends something that was sent before once more.
    pub fn repeat(&mut self, at: usize) {
        let Said { chat, id, .. } = self.said[at];
        let ready = self.link.as_ref().is_some_and(|link| {
            link.welcomed && link.in_flight < IN_FLIGHT_MAX && !link.refused.contains_key(&chat)
        });
        if !ready {
            return;
        }
        let under_way =
            |said: &Said| said.chat == chat && said.seq.is_none() && self.has_sent(said.id);
        if self.reorders {
            self.send(at);
        } else if self.said[at].seq.is_some() {
            // What was refused has to come again first: not in the middle of the others.
            if !self.said.iter().any(under_way) {
                self.send(at);
            }
        } else if self.has_sent(id) {
            // In the order of the outbox, so everything that is under way in this chat.
            let all = (0..self.said.len()).filter(|at| under_way(&self.said[*at]));
            let room = self.link.as_ref().map_or(0, |link| IN_FLIGHT_MAX - link.in_flight);
            for at in all.take(room).collect::<Vec<_>>() {
                self.send(at);
            }
        }
    }

    fn has_sent(&self, id: ClientId) -> bool {
        self.link.as_ref().is_some_and(|link| link.sent.contains(&id))
    }

    fn send(&mut self, at: usize) {
        let Said { chat, id, base, text, .. } = self.said[at].clone();
        let request = Send::text(chat, id, base, text);
        if let Some(link) = &mut self.link {
            link.sent.insert(id);
            link.in_flight += 1;
        }
        self.ask(&Request::Send(request), Asked::Send(chat, id));
    }

    pub fn mark(&mut self, chat: ChatId, marks: Marks) {
        let mark = Mark { chat, delivered: Some(marks.delivered), read: Some(marks.read) };
        self.ask_if_welcome(&Request::Mark(mark), Asked::Mark(chat, marks));
    }

    pub fn pull(&mut self, chat: ChatId, wanted: Wanted, limit: Option<u32>) {
        let (after, before) = match wanted {
            Wanted::After(seq) => (Some(seq), None),
            Wanted::Before(seq) => (None, Some(seq)),
            Wanted::Newest => (None, None),
        };
        let most = limit.map_or(PAGE_EVENTS_MAX, |limit| (limit as usize).min(PAGE_EVENTS_MAX));
        let pull = Pull { chat, after, before, limit };
        self.ask_if_welcome(&Request::Pull(pull), Asked::Pull(chat, wanted, most));
    }

    pub fn open(&mut self, listing: ListingId) {
        self.ask_if_welcome(&Request::Open(Open { listing }), Asked::Open);
    }

    pub fn ping(&mut self) {
        self.ask_if_welcome(&Request::Ping(Ping::default()), Asked::Ping);
    }

    /// Asks for what has to be refused with `code`.
    pub fn ask_wrongly(&mut self, request: &Request, code: ErrorCode, chat: Option<ChatId>) {
        let asked = Asked::Refused(request.clone(), code.name(), chat);
        self.ask_if_welcome(request, asked);
    }

    fn ask_if_welcome(&mut self, request: &Request, asked: Asked) {
        if self.link.as_ref().is_some_and(|link| link.welcomed && !link.parting) {
            self.ask(request, asked);
        }
    }

    fn ask(&mut self, request: &Request, asked: Asked) {
        let encoding = self.encoding;
        self.note(format_args!("asks {request:?}"));
        if let Some(link) = &mut self.link {
            let reference = link.next_reference;
            link.next_reference += 1;
            link.waiting.insert(reference, asked);
            link.outgoing.extend(frames::encode(encoding, reference, request));
        }
    }

    fn note(&mut self, what: std::fmt::Arguments<'_>) {
        if let Some(trace) = &mut self.trace {
            write!(trace, "\n            {what}").expect("a string takes everything");
        }
    }

    /// Hands what was written to the network: mostly everything.
    pub fn transmit(&mut self, everything: bool) {
        let Some(link) = &mut self.link else { return };
        let whole = everything || self.rng.percent(85);
        let n = if whole || link.outgoing.is_empty() {
            link.outgoing.len()
        } else {
            self.rng.index(link.outgoing.len())
        };
        if n > 0 {
            link.end.write(&link.outgoing[..n]);
            link.outgoing.drain(..n);
        }
    }

    /// Does what a client does by itself: sends its outbox, fills its gaps.
    pub fn go_on(&mut self, truth: &Truth<'_>) {
        let Some(link) = &mut self.link else { return };
        if !link.welcomed || link.parting {
            return;
        }
        let mut first = Vec::new();
        link.refused.retain(|chat, (until, refused)| {
            let over = *until <= truth.now;
            if over {
                // From the refused message on.
                let unsettled = |said: &&Said| said.chat == *chat && said.seq.is_none();
                for said in self.said.iter().filter(unsettled) {
                    link.sent.remove(&said.id);
                }
                first.append(refused);
            }
            !over
        });
        let unsent = |at: &usize| {
            let Said { chat, id, seq, .. } = &self.said[*at];
            seq.is_none() && !link.sent.contains(id) && !link.refused.contains_key(chat)
        };
        let mut due: Vec<_> = (0..self.said.len()).filter(unsent).collect();
        let room = IN_FLIGHT_MAX.saturating_sub(link.in_flight);
        due.truncate(room);
        let lacking = link.lacking.iter().filter(|(_, at)| **at <= truth.now);
        let lacking: Vec<_> = lacking.map(|(chat, _)| *chat).collect();
        if self.reorders {
            let by = if due.is_empty() { 0 } else { self.rng.index(due.len()) };
            due.rotate_left(by);
        }
        let wrong = link.wrong.extract_if(.., |(at, ..)| *at <= truth.now).collect::<Vec<_>>();
        for (_, request, code, chat) in wrong {
            self.ask(&request.clone(), Asked::Refused(request, code, chat));
        }
        let settled = |id| self.said.iter().position(|said| said.id == id && said.seq.is_some());
        let first = first.into_iter().filter_map(settled);
        // Before and after, because they may have been refused before or after.
        let first: Vec<_> = first.collect();
        for at in first.iter().copied().chain(due).chain(first.iter().copied()) {
            self.send(at);
        }
        for chat in lacking {
            self.fill(chat);
        }
    }

    /// Pulls what follows the last event without a gap, unless that is under way.
    fn fill(&mut self, chat: ChatId) {
        let Some(link) = &mut self.link else { return };
        let Known { have, .. } = self.chats[&chat];
        if link.pulling.insert(chat) {
            let limit = 1 + self.rng.below(self.page_max);
            self.pull(chat, Wanted::After(have), Some(limit as u32));
        }
    }
}
