//! A client of docs/protocol.md, one frame at a time; nothing is sent that a test did not say.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use barterline_domain::event::Seq;
use barterline_domain::ids::{ChatId, ClientId, DeviceId, ListingId};
use barterline_protocol::close_code::CloseCode;
use barterline_protocol::cursor::Cursor;
use barterline_protocol::hello::{Hello, VERSION, Welcome};
use barterline_protocol::push::{Event, MarksMoved, Row};
use barterline_protocol::request::{Auth, Mark, Open, Ping, Pull, Send};
use barterline_protocol::response::{Ack, ErrorBody, Page};
use barterline_protocol::{Encoding, Frame, Outgoing, Request};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::tls::{self, Secured};
use super::{Person, World};

/// Nothing that a test waits for takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a socket runs over: a connection, plain or under TLS.
trait Wire: AsyncRead + AsyncWrite + std::marker::Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + std::marker::Send + Unpin> Wire for T {}

/// One socket.
pub struct Client {
    ws: WebSocketStream<Box<dyn Wire>>,
    encoding: Encoding,
    asked: u32,
    /// What was heard while something else was waited for.
    heard: VecDeque<Frame<Outgoing>>,
}

/// What came up to `live`.
pub struct Opening {
    pub welcome: Welcome,
    pub rows: Vec<Row>,
    pub cursor: Cursor,
}

/// A number that no other call in this process gives.
fn fresh() -> [u8; 16] {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    (u128::from(NEXT.fetch_add(1, Ordering::Relaxed)) | 0xab << 120).to_be_bytes()
}

pub fn fresh_id() -> ClientId {
    ClientId::from_bytes(fresh())
}

/// A first frame with nothing stored.
pub fn hello(token: &str) -> Hello {
    let device = DeviceId::from_bytes(fresh());
    Hello { token: token.to_owned(), device, versions: vec![VERSION], cursor: None, have: vec![] }
}

/// A message composed when `base` was the newest number.
pub fn text(chat: ChatId, base: u64, text: &str) -> Send {
    Send::text(chat, fresh_id(), Seq(base), text.to_owned())
}

/// A client's frame of RFC 6455 with the mask 0: final, of this opcode, shorter than 126 bytes.
pub fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("a short frame");
    assert!(length < 126);
    [&[0x80 | opcode, 0x80 | length, 0, 0, 0, 0], payload].concat()
}

impl World {
    /// A socket that has not said anything.
    pub async fn dial(&self, encoding: Encoding) -> Client {
        self.dial_from(TcpSocket::new_v4().expect("a socket"), encoding).await
    }

    async fn dial_from(&self, socket: TcpSocket, encoding: Encoding) -> Client {
        let to = self.secured.as_ref().map_or(self.listening, |secured| secured.at);
        let stream = socket.connect(to).await.expect("the server listens");
        stream.set_nodelay(true).expect("a socket");
        let stream: Box<dyn Wire> = match &self.secured {
            None => Box::new(stream),
            Some(Secured { config, .. }) => {
                let connector = TlsConnector::from(Arc::clone(config));
                Box::new(connector.connect(tls::name(), stream).await.expect("a handshake"))
            }
        };
        let mut request =
            format!("ws://{}/v1/socket", self.listening).into_client_request().expect("a request");
        let subprotocol = encoding.subprotocol().parse().expect("a header");
        request.headers_mut().insert("sec-websocket-protocol", subprotocol);
        let opened = tokio_tungstenite::client_async(request, stream);
        let (ws, answer) = timeout(PATIENCE, opened).await.expect("in time").expect("an upgrade");
        assert_eq!(answer.headers()["sec-websocket-protocol"], encoding.subprotocol());
        Client { ws, encoding, asked: 0, heard: VecDeque::new() }
    }

    /// A new device of somebody, live.
    pub async fn device(&self, person: &Person, encoding: Encoding) -> Client {
        self.opening(hello(&person.token), encoding).await.0
    }

    /// A socket that went live with this `hello`.
    pub async fn opening(&self, hello: Hello, encoding: Encoding) -> (Client, Opening) {
        let mut client = self.dial(encoding).await;
        let opening = client.goes_live(hello).await;
        (client, opening)
    }

    /// A new device, live, for which the kernel keeps little while it does not read.
    pub async fn device_with_little_room(&self, person: &Person, encoding: Encoding) -> Client {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(16 * 1024).expect("a size");
        let mut client = self.dial_from(socket, encoding).await;
        client.goes_live(hello(&person.token)).await;
        client
    }

    /// Two people, and the chat they have about what one of them sells: buyer, seller, chat.
    pub async fn chat(&self) -> (Person, Person, ChatId) {
        let (ana, bob) = (self.person("ana"), self.person("bob"));
        let listing = self.listing(&bob);
        let chat = self.device(&ana, Encoding::MsgPack).await.opens(&listing).await.chat;
        (ana, bob, chat)
    }
}

impl Client {
    /// Says `hello` and hears everything up to `live`.
    pub async fn goes_live(&mut self, hello: Hello) -> Opening {
        let asked = self.ask(Request::Hello(hello)).await;
        let Outgoing::Welcome(welcome) = self.answer(asked).await else {
            panic!("no welcome");
        };
        let (mut rows, mut early) = (Vec::new(), Vec::new());
        let cursor = loop {
            match self.next().await {
                Outgoing::Rows(more) => rows.extend(more.rows),
                Outgoing::Live(live) => break live.cursor,
                message => early.push(Frame { reference: None, message }),
            }
        };
        self.heard.extend(early);
        Opening { welcome, rows, cursor }
    }

    /// Sends a request; gives its number.
    pub async fn ask(&mut self, request: Request) -> u32 {
        self.asked += 1;
        let mut bytes = Vec::new();
        self.encoding.encode(Some(self.asked), &request, &mut bytes);
        self.says(bytes).await;
        self.asked
    }

    /// Sends these bytes as a message of the right type.
    pub async fn says(&mut self, bytes: impl Into<Vec<u8>>) {
        let bytes = bytes.into();
        let message = match self.encoding {
            Encoding::MsgPack => Message::binary(bytes),
            Encoding::Json => Message::text(String::from_utf8(bytes).expect("UTF-8")),
        };
        self.sends_message(message).await;
    }

    pub async fn sends_message(&mut self, message: Message) {
        // The server may have closed already: what it said before counts.
        let _ = timeout(PATIENCE, self.ws.send(message)).await.expect("the server reads");
    }

    /// Puts bytes on the wire as they are.
    pub async fn writes(&mut self, bytes: &[u8]) {
        self.ws.get_mut().write_all(bytes).await.expect("a connection");
    }

    async fn frame(&mut self) -> Frame<Outgoing> {
        loop {
            let heard = timeout(PATIENCE, self.ws.next()).await.expect("something in time");
            let bytes = match heard.expect("no end").expect("a message") {
                Message::Binary(bytes) if self.encoding == Encoding::MsgPack => bytes.to_vec(),
                Message::Text(text) if self.encoding == Encoding::Json => text.as_bytes().to_vec(),
                Message::Ping(_) | Message::Pong(_) => continue,
                other => panic!("{other:?} in {:?}", self.encoding),
            };
            return self.encoding.decode(&bytes).expect("a frame");
        }
    }

    /// The first of what was or will be heard that `wanted` takes.
    async fn first<T>(&mut self, mut wanted: impl FnMut(&Frame<Outgoing>) -> Option<T>) -> T {
        let known = self.heard.iter().enumerate();
        if let Some((at, found)) =
            known.into_iter().find_map(|(at, frame)| Some((at, wanted(frame)?)))
        {
            self.heard.remove(at);
            return found;
        }
        let search = async {
            loop {
                let frame = self.frame().await;
                match wanted(&frame) {
                    Some(found) => return found,
                    None => self.heard.push_back(frame),
                }
            }
        };
        // Pings come all the time: the wait as a whole has an end, too.
        timeout(PATIENCE, search).await.expect("what is waited for, in time")
    }

    /// What the server says next of its own accord, whatever it is.
    pub async fn next(&mut self) -> Outgoing {
        self.first(|frame| frame.reference.is_none().then(|| frame.message.clone())).await
    }

    /// The same, but for signs of life, which may come at any time.
    pub async fn news(&mut self) -> Outgoing {
        self.first(|frame| {
            let is_news = frame.reference.is_none() && !matches!(frame.message, Outgoing::Ping(_));
            is_news.then(|| frame.message.clone())
        })
        .await
    }

    /// What the server says next, answers included.
    pub async fn any(&mut self) -> Outgoing {
        self.first(|frame| Some(frame.message.clone())).await
    }

    pub async fn answer(&mut self, asked: u32) -> Outgoing {
        self.first(|frame| (frame.reference == Some(asked)).then(|| frame.message.clone())).await
    }

    /// The next event, of any chat.
    pub async fn event(&mut self) -> Event {
        self.first(|frame| match &frame.message {
            Outgoing::Event(event) => Some(event.clone()),
            _ => None,
        })
        .await
    }

    pub async fn marks(&mut self) -> MarksMoved {
        self.first(|frame| match &frame.message {
            Outgoing::Marks(marks) => Some(marks.clone()),
            _ => None,
        })
        .await
    }

    /// An error that answers no request.
    pub async fn complaint(&mut self) -> ErrorBody {
        self.first(|frame| match &frame.message {
            Outgoing::Error(error) if frame.reference.is_none() => Some(error.clone()),
            _ => None,
        })
        .await
    }

    /// Everything that came up to the answer to a `ping` and was not asked for, but for signs of
    /// life.
    pub async fn unasked(&mut self) -> Vec<Outgoing> {
        self.pings().await;
        let heard = self.heard.drain(..).map(|frame| frame.message);
        heard.filter(|message| !matches!(message, Outgoing::Ping(_))).collect()
    }

    pub async fn opens(&mut self, listing: &str) -> Row {
        let listing: ListingId = listing.parse().expect("an id");
        let asked = self.ask(Request::Open(Open { listing })).await;
        match self.answer(asked).await {
            Outgoing::Chat(row) => *row,
            other => panic!("{other:?}"),
        }
    }

    /// Sends a message that is taken.
    pub async fn sends(&mut self, send: &Send) -> Ack {
        let asked = self.ask(Request::Send(send.clone())).await;
        match self.answer(asked).await {
            Outgoing::Ack(ack) => ack,
            other => panic!("{other:?}"),
        }
    }

    /// Says something new that is taken; gives its number.
    pub async fn tells(&mut self, chat: ChatId, words: &str) -> u64 {
        self.sends(&text(chat, 0, words)).await.seq.0
    }

    pub async fn moves_marks(&mut self, chat: ChatId, delivered: u64, read: u64) {
        let (delivered, read) = (Some(Seq(delivered)), Some(Seq(read)));
        let asked = self.ask(Request::Mark(Mark { chat, delivered, read })).await;
        let answer = self.answer(asked).await;
        assert!(matches!(answer, Outgoing::Ok(_)), "{answer:?}");
    }

    pub async fn pulls(&mut self, pull: Pull) -> Page {
        let asked = self.ask(Request::Pull(pull)).await;
        match self.answer(asked).await {
            Outgoing::Page(page) => page,
            other => panic!("{other:?}"),
        }
    }

    pub async fn pings(&mut self) {
        let asked = self.ask(Request::Ping(Ping::default())).await;
        let answer = self.answer(asked).await;
        assert!(matches!(answer, Outgoing::Pong(_)), "{answer:?}");
    }

    /// Asks for something that must be refused with this code.
    #[track_caller]
    pub fn is_refused(
        &mut self,
        request: Request,
        code: &'static str,
    ) -> impl Future<Output = ErrorBody> + use<'_> {
        let place = std::panic::Location::caller();
        async move {
            let asked = self.ask(request).await;
            match self.answer(asked).await {
                Outgoing::Error(error) => {
                    assert_eq!(error.code, code, "at {place}");
                    error
                }
                other => panic!("{other:?}, at {place}"),
            }
        }
    }

    pub async fn renews(&mut self, token: &str) -> Outgoing {
        let asked = self.ask(Request::Auth(Auth { token: token.to_owned() })).await;
        self.answer(asked).await
    }

    /// The server says `bye` and closes, both with this code.
    #[track_caller]
    pub fn is_closed(&mut self, code: CloseCode) -> impl Future<Output = ()> + use<'_> {
        let place = std::panic::Location::caller();
        async move {
            let bye = self.first(|frame| match &frame.message {
                Outgoing::Bye(bye) => Some(bye.clone()),
                _ => None,
            });
            let bye = bye.await;
            assert_eq!((bye.code, &*bye.reason), (code.code(), code.name()), "at {place}");
            let last = timeout(PATIENCE, self.ws.next()).await.expect("a close in time");
            let Some(Ok(Message::Close(Some(close)))) = last else {
                panic!("{last:?} in the place of a close frame, at {place}");
            };
            let close = (u16::from(close.code), close.reason.to_string());
            assert_eq!(close, (code.code(), code.name().to_owned()), "at {place}");
        }
    }

    /// The pong to a ping with these bytes comes, though nothing else happens.
    pub async fn hears_pong(&mut self, payload: &[u8]) {
        loop {
            match timeout(PATIENCE, self.ws.next()).await.expect("a pong in time") {
                Some(Ok(Message::Pong(bytes))) => return assert_eq!(&*bytes, payload),
                Some(Ok(Message::Binary(_) | Message::Text(_))) => {}
                other => panic!("{other:?} in the place of a pong"),
            }
        }
    }

    /// The server answers a close frame by one.
    pub async fn hears_close(&mut self, code: u16) {
        match timeout(PATIENCE, self.ws.next()).await.expect("a close in time") {
            Some(Ok(Message::Close(Some(close)))) => assert_eq!(u16::from(close.code), code),
            other => panic!("{other:?} in the place of a close frame"),
        }
    }

    /// The server ends the connection; what it says first does not count.
    pub async fn ends(&mut self) {
        while let Some(Ok(_)) = timeout(PATIENCE, self.ws.next()).await.expect("an end in time") {}
    }
}
