//! Somebody who asks for chats of other people, one question at a time, over both doors.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use barterline_domain::event::Seq;
use barterline_domain::ids::{ChatId, ClientId, DeviceId};
use barterline_protocol::hello::{Hello, VERSION};
use barterline_protocol::request::{Mark, Ping, Pull, Send, SetState, Watch};
use barterline_protocol::{Encoding, Outgoing, Request};
use rand::Rng as _;
use rand::rngs::SmallRng;

use crate::engine::Socket;
use crate::http::Connection;
use crate::scenario::speaker::next;

/// The number of the first request. From here on all take five bytes, so that they can be blanked.
const FIRST_REFERENCE: u32 = 1 << 16;
const TEXT: &str = "Is it still available?";

/// What is asked of a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Its events, over HTTP.
    History,
    /// Its row, over HTTP.
    Row,
    /// To say something, over HTTP.
    Post,
    /// To move marks, over HTTP.
    PutMarks,
    /// Its events.
    Pull,
    /// To say something.
    Send,
    /// To move marks.
    Mark,
    /// To pin it.
    State,
    /// To have it on screen.
    Watch,
}

impl Question {
    /// All.
    pub const ALL: [Self; 9] = [
        Self::History,
        Self::Row,
        Self::Post,
        Self::PutMarks,
        Self::Pull,
        Self::Send,
        Self::Mark,
        Self::State,
        Self::Watch,
    ];

    /// `http` or `socket`, and what is asked there.
    pub const fn name(self) -> (&'static str, &'static str) {
        match self {
            Self::History => ("http", "history"),
            Self::Row => ("http", "row"),
            Self::Post => ("http", "send"),
            Self::PutMarks => ("http", "mark"),
            Self::Pull => ("socket", "pull"),
            Self::Send => ("socket", "send"),
            Self::Mark => ("socket", "mark"),
            Self::State => ("socket", "state"),
            Self::Watch => ("socket", "watch"),
        }
    }
}

/// An answer, and how long it took.
#[derive(Debug)]
pub struct Answer {
    /// Nanoseconds from the question's first byte to the answer's last.
    pub nanos: u64,
    /// As it came, but what the stranger itself had sent and the date blanked.
    pub bytes: Vec<u8>,
}

/// A user with a connection at each door.
#[derive(Debug)]
pub struct Stranger {
    server: SocketAddr,
    token: String,
    device: [u8; 16],
    http: Connection,
    socket: Socket,
    reference: u32,
    patience: Duration,
}

impl Stranger {
    /// Connects at both doors.
    pub async fn arrive(
        server: SocketAddr,
        token: String,
        device: [u8; 16],
        patience: Duration,
    ) -> anyhow::Result<Self> {
        let http = Connection::open(server).await?;
        let mut socket = Socket::open(server, device).await?;
        let hello = Hello {
            token: token.clone(),
            device: DeviceId::from_bytes(device),
            versions: vec![VERSION],
            cursor: None,
            have: Vec::new(),
        };
        socket.send(&Request::Hello(hello)).await?;
        while !matches!(next(&mut socket, patience).await?, Outgoing::Live(_)) {}
        Ok(Self { server, token, device, http, socket, reference: FIRST_REFERENCE, patience })
    }

    /// Asks, and waits for the answer.
    pub async fn ask(
        &mut self,
        question: Question,
        chat: ChatId,
        rng: &mut SmallRng,
    ) -> anyhow::Result<Answer> {
        let id = ClientId::from_bytes(rng.random());
        let frame = match question {
            Question::History => return self.ask_http("GET", chat, "/events", id, "").await,
            Question::Row => return self.ask_http("GET", chat, "", id, "").await,
            Question::Post => {
                let body = format!(r#"{{"kind":"text","text":"{TEXT}"}}"#);
                return self.ask_http("POST", chat, "/events", id, &body).await;
            }
            Question::PutMarks => {
                let device = DeviceId::from_bytes(self.device);
                let body = format!(r#"{{"device":"{device}","delivered":1}}"#);
                return self.ask_http("PUT", chat, "/marks", id, &body).await;
            }
            Question::Pull => Request::Pull(Pull { chat, after: None, before: None, limit: None }),
            Question::Send => Request::Send(Send::text(chat, id, Seq::ZERO, TEXT.to_owned())),
            Question::Mark => Request::Mark(Mark { chat, delivered: Some(Seq(1)), read: None }),
            Question::State => Request::State(SetState {
                chat,
                muted_until: None,
                archived: None,
                pinned: Some(true),
                unread: None,
                hide: Vec::new(),
                hide_through: None,
            }),
            Question::Watch => Request::Watch(Watch { chat, on: true }),
        };
        self.ask_socket(&frame, chat, id).await
    }

    async fn ask_http(
        &mut self,
        method: &str,
        chat: ChatId,
        below: &str,
        id: ClientId,
        body: &str,
    ) -> anyhow::Result<Answer> {
        // The headers of a body are sent without one, too: one layout for all requests. Named by us,
        // as the answer has the name: else no two answers would be the same.
        let request = format!(
            "{method} /v1/chats/{chat}{below} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
             X-Request-Id: stranger\r\nIdempotency-Key: {id}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n\
             {body}",
            self.server,
            self.token,
            body.len()
        );
        let start = Instant::now();
        let answer = tokio::time::timeout(self.patience, self.http.ask(request.as_bytes())).await;
        let nanos = start.elapsed().as_nanos() as u64;
        let answer = without_date(&answer.context("no answer")??);
        let bytes = blanked(&answer, chat.to_string().as_bytes());
        Ok(Answer { nanos, bytes: blanked(&bytes, id.to_string().as_bytes()) })
    }

    async fn ask_socket(
        &mut self,
        request: &Request,
        chat: ChatId,
        id: ClientId,
    ) -> anyhow::Result<Answer> {
        self.reference += 1;
        let frame = self.socket.frame(Some(self.reference), request);
        let start = Instant::now();
        self.socket.write(&frame).await?;
        loop {
            let payload = tokio::time::timeout(self.patience, self.socket.next_payload()).await;
            let nanos = start.elapsed().as_nanos() as u64;
            let payload = payload.context("no answer")??;
            let said = Encoding::MsgPack.decode::<Outgoing>(&payload)?;
            if said.reference == Some(self.reference) {
                let [a, b, c, d] = self.reference.to_be_bytes();
                let bytes = blanked(&payload, &[0xce, a, b, c, d]);
                let bytes = blanked(&blanked(&bytes, chat.as_bytes()), id.as_bytes());
                return Ok(Answer { nanos, bytes });
            }
            match said.message {
                Outgoing::Ping(_) => self.socket.send(&Request::Pong(Ping::default())).await?,
                Outgoing::Bye(bye) => bail!("bye: {} {}", bye.code, bye.reason),
                _ => {}
            }
        }
    }
}

/// `bytes` with a star in the place of each `needle`.
fn blanked(bytes: &[u8], needle: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(needle) {
            out.push(b'*');
            rest = after;
        } else {
            out.push(*first);
            rest = after;
        }
    }
    out
}

/// An answer without the header that tells the time of day.
fn without_date(answer: &[u8]) -> Vec<u8> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").map_or(0, |end| end + 2);
    let (head, rest) = answer.split_at(end);
    let is_date = |line: &&[u8]| line.get(..5).is_some_and(|b| b.eq_ignore_ascii_case(b"date:"));
    let lines = head.split_inclusive(|byte| *byte == b'\n').filter(|line| !is_date(line));
    lines.chain([rest]).flatten().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_blanked_and_nothing_else() {
        assert_eq!(blanked(b"a-xy-xyz-x", b"xy"), b"a-*-*z-x");
        assert_eq!(blanked(b"nothing", b"xy"), b"nothing");
        let bare = b"HTTP/1.1 404 Not Found\r\nupdate: 1\r\n\r\nDate: in the body";
        for dated in [
            &b"HTTP/1.1 404 Not Found\r\nDate: Sat\r\nupdate: 1\r\n\r\nDate: in the body"[..],
            b"HTTP/1.1 404 Not Found\r\nupdate: 1\r\ndate: Sat\r\n\r\nDate: in the body",
            bare,
        ] {
            assert_eq!(without_date(dated), bare);
        }
    }
}
