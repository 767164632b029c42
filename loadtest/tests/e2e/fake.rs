//! A server in a few lines, in memory, which breaks its promises on request. One listener for the
//! socket, the public API and the admin routes.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;

use barterline_domain::chat::Role;
use barterline_domain::clock::Timestamp;
use barterline_domain::event::{Author, Seq};
use barterline_domain::ids::{ChatId, ClientId, ListingId, SessionId, UserId};
use barterline_domain::marks::Marks;
use barterline_domain::money::{Currency, Money};
use barterline_loadtest::ws::frame;
use barterline_loadtest::ws::upgrade::{accept, header};
use barterline_protocol::cursor::Cursor;
use barterline_protocol::hello::Welcome;
use barterline_protocol::limits::{Limits, PAGE_EVENTS_MAX};
use barterline_protocol::push::{Behind, ChatState, Event, Live, Row, Rows};
use barterline_protocol::request::{Ping, Send};
use barterline_protocol::response::{Ack, Done, ErrorBody, Page};
use barterline_protocol::{Encoding, Outgoing, Request};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// What the server does wrong, each once in a while: at every n-th send, counted over all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// Closes the sender's connection: in turn before and after storing the message.
    pub drop_connection: Option<u64>,
    /// Refuses with `server.busy`, and what follows with `send.after_refused`.
    pub busy: Option<u64>,
    /// Refuses with a code that no client knows, and with how long to wait; what follows as above.
    pub limited: Option<u64>,
    /// Not at every so many sends: refuses a base that lies so far below the head.
    pub base_distance: Option<u64>,
    /// Not at every so many sends: pushes no more than so many events when a connection resumes.
    pub push_at_most: Option<usize>,
    /// Acknowledges and delivers, but does not store.
    pub forget: Option<u64>,
    /// Delivers twice.
    pub double: Option<u64>,
    /// Does not deliver.
    pub swallow: Option<u64>,
    /// Does not deliver to the connection that was opened last.
    pub skip_one: Option<u64>,
    /// Delivers another text.
    pub garble: Option<u64>,
    /// Stores a message again under the next number.
    pub store_twice: Option<u64>,
    /// Does not know its own messages again after a retry.
    pub no_dedupe: bool,
}

struct Chat {
    users: [UserId; 2],
    events: Vec<Event>,
    /// The numbers given, which are more than the events when the server forgets.
    head: u64,
}

#[derive(Default)]
struct World {
    faults: Faults,
    sends: u64,
    users: u64,
    tokens: HashMap<String, UserId>,
    listings: HashMap<ListingId, UserId>,
    chats: HashMap<ChatId, Chat>,
    connections: HashMap<UserId, Vec<Wire>>,
    /// Connections that were refused and must send this again first.
    refused: HashMap<u64, ClientId>,
    next_connection: u64,
}

#[derive(Clone)]
struct Wire {
    number: u64,
    out: mpsc::Sender<Vec<u8>>,
}

impl Wire {
    fn push(&self, message: &Outgoing) {
        let mut payload = Vec::new();
        Encoding::MsgPack.encode(None, message, &mut payload);
        let mut bytes = Vec::new();
        frame::write(&mut bytes, frame::BINARY, &payload, None);
        // A reader that is gone misses it, and resumes.
        let _ = self.out.try_send(bytes);
    }
}

/// Starts the server on a free port. Must run within a `LocalSet`.
pub async fn start(faults: Faults) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let world = Rc::new(RefCell::new(World { faults, ..World::default() }));
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::task::spawn_local(serve(stream, Rc::clone(&world)));
        }
    });
    address
}

async fn serve(mut stream: TcpStream, world: Rc<RefCell<World>>) -> Option<()> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    if let Some(key) = header(&head, "sec-websocket-key") {
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: barterline.v1\r\n\r\n",
            accept(key)
        );
        stream.write_all(answer.as_bytes()).await.ok()?;
        return socket(stream, world).await;
    }
    let length: usize = header(&head, "content-length")?.parse().ok()?;
    while bytes.len() < end + 4 + length {
        stream.read_buf(&mut bytes).await.ok()?;
    }
    let body: Value = serde_json::from_slice(&bytes[end + 4..]).ok()?;
    let answer = route(&head, &body, &mut world.borrow_mut())?.to_string();
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{answer}", answer.len());
    stream.write_all(answer.as_bytes()).await.ok()
}

fn route(head: &str, body: &Value, world: &mut World) -> Option<Value> {
    let count = || body["count"].as_u64();
    match head.split(' ').nth(1)? {
        "/load-test/accounts" => {
            let accounts: Vec<Value> = (0..count()?).map(|_| world.account().1).collect();
            Some(json!({ "accounts": accounts }))
        }
        "/load-test/rooms" => {
            let rooms: Vec<Value> = (0..count()?).map(|_| world.room()).collect();
            Some(json!({ "rooms": rooms }))
        }
        "/v1/listings" => {
            let token = header(head, "authorization")?.strip_prefix("Bearer ")?;
            let seller = *world.tokens.get(token)?;
            assert!(body["price"]["minor"].is_u64() && body["title"].is_string());
            Some(json!({ "id": world.listing(seller).to_string() }))
        }
        _ => None,
    }
}

impl World {
    fn account(&mut self) -> (UserId, Value) {
        self.users += 1;
        let mut bytes = [0; 16];
        bytes[8..].copy_from_slice(&self.users.to_be_bytes());
        let user = UserId::from_bytes(bytes);
        let token = format!("token-{}", self.users);
        self.tokens.insert(token.clone(), user);
        (user, json!({ "user": user.to_string(), "token": token }))
    }

    fn listing(&mut self, seller: UserId) -> ListingId {
        let mut bytes = [1; 16];
        bytes[8..].copy_from_slice(&(self.listings.len() as u64).to_be_bytes());
        let listing = ListingId::from_bytes(bytes);
        self.listings.insert(listing, seller);
        listing
    }

    fn room(&mut self) -> Value {
        let (buyer, buyer_account) = self.account();
        let (seller, seller_account) = self.account();
        let listing = self.listing(seller);
        let chat = self.open(listing, buyer);
        json!({ "chat": chat.to_string(), "listing": listing.to_string(),
            "buyer": buyer_account, "seller": seller_account })
    }

    fn open(&mut self, listing: ListingId, buyer: UserId) -> ChatId {
        let chat = ChatId::of(listing, buyer);
        let users = [buyer, self.listings[&listing]];
        self.chats.entry(chat).or_insert(Chat { users, events: Vec::new(), head: 0 });
        chat
    }

    /// Every n-th send.
    fn strikes(&self, every: Option<u64>) -> bool {
        every.is_some_and(|every| self.sends.is_multiple_of(every))
    }
}

async fn socket(stream: TcpStream, world: Rc<RefCell<World>>) -> Option<()> {
    let (mut reader, mut writer) = stream.into_split();
    let (out, mut outgoing) = mpsc::channel::<Vec<u8>>(100_000);
    let writing = tokio::task::spawn_local(async move {
        while let Some(bytes) = outgoing.recv().await {
            if writer.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
    let wire = {
        let world = &mut world.borrow_mut();
        world.next_connection += 1;
        Wire { number: world.next_connection, out }
    };
    let mut user = None;
    let mut bytes = Vec::new();
    'reading: while reader.read_buf(&mut bytes).await.is_ok_and(|n| n > 0) {
        while let Some(frame) = frame::read(&bytes).ok()? {
            let mut payload = bytes[frame.payload.clone()].to_vec();
            bytes.drain(..frame.payload.end);
            frame::apply_mask(&mut payload, frame.mask.expect("clients mask"));
            if frame.opcode == frame::CLOSE {
                break 'reading;
            }
            let request = Encoding::MsgPack.decode::<Request>(&payload).expect("a request");
            let world = &mut world.borrow_mut();
            if handle(world, &wire, &mut user, request.message).is_none() {
                break 'reading;
            }
        }
    }
    let world = &mut world.borrow_mut();
    if let Some(wires) = user.and_then(|user| world.connections.get_mut(&user)) {
        wires.retain(|live| live.number != wire.number);
    }
    world.refused.remove(&wire.number);
    writing.abort();
    Some(())
}

/// `None` ends the connection.
fn handle(
    world: &mut World,
    wire: &Wire,
    user: &mut Option<UserId>,
    request: Request,
) -> Option<()> {
    match request {
        Request::Hello(hello) => {
            let who = *world.tokens.get(&hello.token)?;
            *user = Some(who);
            wire.push(&Outgoing::Welcome(Welcome {
                version: 1,
                user: who,
                session: SessionId::from_bytes([0; 16]),
                now: Timestamp::from_millis(0),
                token_expires_at: Timestamp::from_millis(u64::MAX >> 12),
                heartbeat_ms: 30_000,
                limits: Limits::default(),
                features: Vec::new(),
            }));
            wire.push(&Outgoing::Rows(Rows { rows: world.rows(who) }));
            for (chat, have) in hello.have {
                world.resume(wire, chat, have);
            }
            wire.push(&Outgoing::Live(Live { cursor: Cursor::new(1, 1) }));
            wire.push(&Outgoing::Ping(Ping::default()));
            world.connections.entry(who).or_default().push(wire.clone());
        }
        Request::Send(send) => return world.send(wire, user.expect("hello first"), &send),
        Request::Pull(pull) => {
            let chat = &world.chats[&pull.chat];
            let after = pull.after.unwrap_or_default();
            let limit = pull.limit.map_or(PAGE_EVENTS_MAX, |limit| limit as usize);
            let events = chat.events.iter().filter(|event| event.seq > after);
            wire.push(&Outgoing::Page(Page {
                chat: pull.chat,
                events: events.take(limit).cloned().collect(),
                head: chat.events.last().map_or(Seq::ZERO, |event| event.seq),
            }));
        }
        Request::Open(open) => {
            let buyer = user.expect("hello first");
            let chat = world.open(open.listing, buyer);
            let row = row(chat, open.listing, world.chats[&chat].users[1]);
            wire.push(&Outgoing::Chat(Box::new(row)));
        }
        Request::Ping(_) => wire.push(&Outgoing::Pong(Ping::default())),
        Request::Mark(mark) => {
            let head = Seq(world.chats[&mark.chat].head);
            assert!(mark.delivered.is_some_and(|seq| seq > Seq::ZERO && seq <= head));
            assert!(mark.read.is_none_or(|seq| Some(seq) == mark.delivered));
            wire.push(&Outgoing::Ok(Done {}));
        }
        Request::Pong(_)
        | Request::Auth(_)
        | Request::State(_)
        | Request::Watch(_)
        | Request::Typing(_)
        | Request::Settings(_)
        | Request::Block(_) => {}
    }
    Some(())
}

impl World {
    /// The chats in which something was said.
    fn rows(&self, user: UserId) -> Vec<Row> {
        let theirs = self.chats.iter().filter(|(_, chat)| chat.users.contains(&user));
        let rows = theirs.filter_map(|(id, chat)| {
            let head = chat.events.last()?.seq;
            let peer = chat.users[usize::from(chat.users[0] == user)];
            Some(Row { head, ..row(*id, ListingId::from_bytes([0; 16]), peer) })
        });
        rows.collect()
    }

    /// Pushes what a device lacks, or says that there is too much of it.
    fn resume(&self, wire: &Wire, chat: ChatId, have: Seq) {
        let events = &self.chats[&chat].events;
        let above: Vec<&Event> = events.iter().filter(|event| event.seq > have).collect();
        let pushed = self.faults.push_at_most.unwrap_or(usize::MAX).min(above.len());
        above[..pushed].iter().for_each(|event| wire.push(&Outgoing::Event((*event).clone())));
        if let Some(last) = above[pushed..].last() {
            let after = above[..pushed].last().map_or(have, |event| event.seq);
            wire.push(&Outgoing::Behind(Behind { chat, after, head: last.seq }));
        }
    }

    fn send(&mut self, wire: &Wire, user: UserId, send: &Send) -> Option<()> {
        self.sends += 1;
        let before = self.strikes(self.faults.drop_connection.map(|every| every * 2));
        let after = self.strikes(self.faults.drop_connection) && !before;
        if before {
            return None;
        }
        if self.refuses(wire, send) {
            return Some(());
        }
        let known = self.chats[&send.chat]
            .events
            .iter()
            .find(|event| event.id == send.id && !self.faults.no_dedupe);
        if let Some(known) = known {
            wire.push(&ack(known, true));
            return (!after).then_some(());
        }
        let event = self.append(user, send);
        if !after {
            wire.push(&ack(&event, false));
        }
        self.deliver(wire, event);
        (!after).then_some(())
    }

    fn refuses(&mut self, wire: &Wire, send: &Send) -> bool {
        let first = self.refused.get(&wire.number).copied();
        let code = match first {
            Some(first) if first != send.id => "send.after_refused",
            Some(_) => {
                self.refused.remove(&wire.number);
                return false;
            }
            None if self.strikes(self.faults.busy) => {
                self.refused.insert(wire.number, send.id);
                "server.busy"
            }
            None if self.strikes(self.faults.limited) => {
                self.refused.insert(wire.number, send.id);
                "limit.of_a_later_version"
            }
            None => return self.finds_base_old(wire, send),
        };
        wire.push(&Outgoing::Error(ErrorBody {
            code: code.to_owned(),
            chat: Some(send.chat),
            id: Some(send.id),
            retry_after_ms: Some(1),
            ..ErrorBody::default()
        }));
        true
    }

    fn finds_base_old(&self, wire: &Wire, send: &Send) -> bool {
        let head = self.chats[&send.chat].head;
        let old = self.faults.base_distance.is_some_and(|far| head > send.base.0 + far);
        if old {
            wire.push(&Outgoing::Error(ErrorBody {
                code: "base.old".to_owned(),
                chat: Some(send.chat),
                id: Some(send.id),
                head: Some(Seq(head)),
                ..ErrorBody::default()
            }));
        }
        old
    }

    fn append(&mut self, user: UserId, send: &Send) -> Event {
        let forget = self.strikes(self.faults.forget);
        let twice = self.strikes(self.faults.store_twice);
        let chat = self.chats.get_mut(&send.chat).expect("a chat");
        chat.head += 1;
        let at = Timestamp::from_millis(1_763_700_000_000);
        let from = if user == chat.users[0] { Author::Buyer } else { Author::Seller };
        let kind = send.kind.clone().into();
        let event = Event::new(send.chat, Seq(chat.head), at, from, send.id, kind);
        let event = Event { text: send.text.clone(), ..event };
        if !forget {
            chat.events.push(event.clone());
        }
        if twice {
            chat.head += 1;
            chat.events.push(Event { seq: Seq(chat.head), ..event.clone() });
        }
        event
    }

    /// To every device of both, but the one that sent it.
    fn deliver(&self, from: &Wire, mut event: Event) {
        if self.strikes(self.faults.swallow) {
            return;
        }
        if self.strikes(self.faults.garble) {
            event.text = Some("something else".to_owned());
        }
        let users = self.chats[&event.chat].users;
        let wires = users.iter().filter_map(|user| self.connections.get(user)).flatten();
        let others: Vec<&Wire> = wires.filter(|wire| wire.number != from.number).collect();
        let skipped = self.strikes(self.faults.skip_one).then(|| others.len().saturating_sub(1));
        let times = if self.strikes(self.faults.double) { 2 } else { 1 };
        for (index, wire) in others.into_iter().enumerate() {
            if skipped != Some(index) {
                (0..times).for_each(|_| wire.push(&Outgoing::Event(event.clone())));
            }
        }
    }
}

fn ack(event: &Event, repeat: bool) -> Outgoing {
    Outgoing::Ack(Ack { chat: event.chat, id: event.id, seq: event.seq, at: event.at, repeat })
}

fn row(chat: ChatId, listing: ListingId, peer: UserId) -> Row {
    let currency = Currency::parse("USD").expect("a currency");
    Row {
        chat,
        listing,
        title: "A thing".to_owned(),
        price: Money::new(1, currency).expect("an amount"),
        listing_version: 1,
        role: Role::Buyer,
        peer,
        opened_at: Timestamp::from_millis(0),
        head: Seq::ZERO,
        last: None,
        marks: Marks::default(),
        peer_marks: Marks::default(),
        unread: 0,
        state: ChatState::default(),
    }
}
