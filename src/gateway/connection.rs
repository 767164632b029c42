//! One connection after `hello`: frames in, noted chats out. One task, one loop, no queue.
//!
//! Idle connections are the most there is of anything, and a task is as large as its largest state:
//! the connection stands in one box, and whatever waits for a store in a box of its own for its time.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use barterline_domain::account::Scope;
use barterline_domain::clock::Timestamp;
use barterline_domain::event::Seq;
use barterline_domain::ids::ChatId;
use barterline_protocol::close_code::CloseCode;
use barterline_protocol::cursor::Cursor;
use barterline_protocol::limits::ROWS_MAX;
use barterline_protocol::push::{Live, Rows};
use barterline_protocol::response::Done;
use barterline_protocol::{Encoding, Outgoing, Request};
use barterline_storage::inbox::Position;
use bytes::Bytes;
use futures_util::future::OptionFuture;
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::time::Sleep;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use super::close::refused;
use super::drain::retry_after_ms;
use super::handshake::token_close_code;
use super::pull::{Pull, Pulled};
use super::socket::{Socket, SocketIo, WriteHalf as _};
use super::{Gateway, dispatch};
use crate::fault::{Fault, planted};
use crate::hub::slot::{Dirty, Slot, Todo};
use crate::limits::{Exceeded, Meter, Rate};
use crate::services::chats::{ChatError, Membership};
use crate::telemetry::refusals::Kind;
use crate::wire;

/// How long the appends of a connection that ends may take.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a client may take to answer a close frame.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// Requests over a limit before a connection is closed: as many as are on their way when a client is
/// told to wait, and then one for each wait that was too short.
const OFFENCES_AT_ONCE: u64 = 256;
const OFFENCES_PER_MINUTE: u64 = 60;
/// Between two signs that somebody types, in one chat.
const TYPING_PAUSE: Duration = Duration::from_secs(3);
/// Between two tries to read what a connection lacks, while the store cannot be read.
const PULL_PAUSE: Duration = Duration::from_secs(1);
/// How long a pull holds up the requests of its connection. One that takes longer goes on beside them.
const PULL_HOLD: Duration = Duration::from_millis(500);
/// Chats whose membership a connection remembers: what one person has open at a time.
const MEMBERSHIPS_MAX: usize = 8;

/// A live connection.
pub struct Connection<S: Socket> {
    pub(super) gateway: Gateway,
    pub(super) slot: Arc<Slot>,
    ws: WebSocketStream<SocketIo<S>>,
    write: S::Write,
    resume: Option<Resume>,
    memberships: Vec<Membership>,
    /// When the client last typed, by chat.
    typed: Vec<(ChatId, Timestamp)>,
    /// Requests, and those of them that were over a limit.
    requests: Meter,
    offences: Meter,
}

/// What is left to do about a frame.
pub type Rest<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// How far the client has come.
pub struct Resume {
    /// The newest cursor it stored.
    pub cursor: Option<Cursor>,
    /// Chats on screen.
    pub have: Vec<(ChatId, Seq)>,
}

/// Why a connection ends.
pub enum Ending {
    /// The client went.
    Gone,
    /// We say why, and go.
    Close(CloseCode),
}

/// Waits for what is left of a request, and has a pull go on meanwhile: others may wait for the room
/// that it loads.
async fn beside(mut rest: Rest<'_>, pulling: &mut Option<Pull>) -> Option<(Dirty, Pulled)> {
    let mut done = None;
    loop {
        tokio::select! {
            biased;
            () = &mut rest => return done,
            Some(pulled) = finished(pulling), if pulling.is_some() => {
                *pulling = None;
                done = Some(pulled);
            }
        }
    }
}

/// Waits for a pull that goes on beside the requests.
async fn finished(pulling: &mut Option<Pull>) -> Option<(Dirty, Pulled)> {
    let pull = pulling.as_mut()?;
    let dirty = pull.dirty;
    Some((dirty, pull.await))
}

impl<S: Socket> Connection<S> {
    pub(super) fn new(
        gateway: Gateway,
        ws: WebSocketStream<SocketIo<S>>,
        write: S::Write,
        slot: Arc<Slot>,
        resume: Resume,
    ) -> Self {
        Self {
            gateway,
            slot,
            ws,
            write,
            resume: Some(resume),
            memberships: Vec::new(),
            typed: Vec::new(),
            requests: Meter::default(),
            offences: Meter::default(),
        }
    }

    /// Runs until either side ends it.
    pub async fn run(mut self: Box<Self>) {
        let ending = self.live().await;
        if matches!(ending, Ending::Close(_)) {
            Box::pin(self.settle()).await;
        }
        self.gateway.0.chats.hub().registry().remove(&self.slot);
        self.gateway.left(self.slot.user);
        self.gateway.0.metrics.connections.dec();
        match ending {
            Ending::Gone => tracing::debug!(user = %self.slot.user, "a client went"),
            Ending::Close(code) => {
                tracing::debug!(user = %self.slot.user, code = code.name(), "closing a connection");
                if let Some(kind) = Kind::of_close(code) {
                    self.slot.note_refusal(kind, code.name(), None);
                }
                Box::pin(self.say_goodbye(code)).await;
            }
        }
    }

    async fn live(&mut self) -> Ending {
        if let Err(ending) = Box::pin(self.check_standing()).await {
            return ending;
        }
        Box::pin(self.gateway.arrived(self.slot.user)).await;
        if let Some(resume) = self.resume.take()
            && let Err(ending) = Box::pin(self.resume(resume)).await
        {
            return ending;
        }
        // Boxed, and there only while the store fails: a connection has no timer of its own.
        let mut pause: Option<Pin<Box<Sleep>>> = None;
        // There only while the store is slow.
        let mut pulling: Option<Pull> = None;
        loop {
            self.slot.flush();
            let todo = self.slot.todo();
            let blocked = match todo {
                // Its requests are answered meanwhile, and its cursor stays where it is.
                Todo::Pull(_) if pause.is_some() || pulling.is_some() => false,
                Todo::Close(code) => return Ending::Close(code),
                Todo::Broken => return Ending::Gone,
                Todo::Announce(since) => {
                    // What it would tell is told by rows.
                    pulling = None;
                    let from = self.gateway.0.chats.overlapped(since);
                    if let Err(ending) = Box::pin(self.announce(from)).await {
                        return ending;
                    }
                    continue;
                }
                Todo::Pull(dirty) => {
                    let known = self.known_membership(dirty.chat).cloned();
                    let mut pull = Pull::begin(&self.gateway, &self.slot, dirty, known);
                    let pulled = Box::pin(tokio::time::timeout(PULL_HOLD, &mut pull)).await;
                    if let Ok(pulled) = pulled {
                        pause = self.pulled(dirty, pulled);
                    } else {
                        self.slot.stall(dirty.chat);
                        pulling = Some(pull);
                    }
                    continue;
                }
                Todo::WaitForSocket => true,
                Todo::Nothing => false,
            };
            // In order of importance: what others want of this connection, then what its socket
            // takes, then what it wants itself.
            tokio::select! {
                biased;
                () = self.slot.woken() => {}
                () = OptionFuture::from(pause.as_mut()).map(drop), if pause.is_some() => {
                    pause = None;
                }
                Some((dirty, pulled)) = finished(&mut pulling), if pulling.is_some() => {
                    pulling = None;
                    pause = self.pulled(dirty, pulled);
                }
                writable = self.write.writable(), if blocked => {
                    if writable.is_err() {
                        return Ending::Gone;
                    }
                }
                message = self.ws.next(), if self.slot.may_read() => {
                    let done = match self.take_in(message) {
                        Ok(None) => None,
                        Ok(Some(rest)) => beside(rest, &mut pulling).await,
                        Err(ending) => return ending,
                    };
                    if let Some((dirty, pulled)) = done {
                        pause = self.pulled(dirty, pulled);
                    }
                }
            }
        }
    }

    /// Whoever ends session or account from here on finds this connection; before, it could be
    /// missed.
    async fn check_standing(&self) -> Result<(), Ending> {
        let admitted = self.gateway.0.accounts.admits(self.slot.bearer()).await;
        admitted.map(drop).map_err(|refusal| Ending::Close(token_close_code(&refusal)))
    }

    /// Takes in what the socket brought; what has to wait for a store is left to do.
    fn take_in(
        &mut self,
        message: Option<Result<Message, WsError>>,
    ) -> Result<Option<Rest<'_>>, Ending> {
        let bytes: Bytes = match (message, self.slot.encoding) {
            (Some(Ok(Message::Binary(bytes))), Encoding::MsgPack) => bytes,
            (Some(Ok(Message::Text(text))), Encoding::Json) => text.into(),
            (Some(Ok(Message::Binary(_) | Message::Text(_))), _) => {
                return Err(Ending::Close(CloseCode::WrongFrameType));
            }
            (Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))), _) => {
                self.slot.heard(self.gateway.0.clock.now());
                self.flush_websocket();
                return Ok(None);
            }
            (None | Some(Ok(Message::Close(_))), _) => {
                self.flush_websocket();
                self.slot.flush();
                return Err(Ending::Gone);
            }
            (Some(Err(error)), _) => {
                return Err(close_code_of(&error).map_or(Ending::Gone, Ending::Close));
            }
        };
        self.slot.heard(self.gateway.0.clock.now());
        dispatch::dispatch(self, &bytes).map_err(Ending::Close)
    }

    /// Has the WebSocket layer hand over what it wants to say, a pong or the echo of a close: the
    /// slot takes it at once.
    fn flush_websocket(&mut self) {
        let flushed = self.ws.flush().now_or_never();
        debug_assert!(flushed.is_some(), "writing to a slot never waits");
    }

    /// Announces what changed since the client's cursor, then goes live.
    async fn resume(&mut self, resume: Resume) -> Result<(), Ending> {
        let cursor = resume.cursor.as_ref().and_then(|cursor| cursor.parts().ok());
        let since = cursor
            .and_then(|(epoch, position)| self.gateway.0.chats.known(Position { epoch, position }));
        for (chat, seq) in resume.have {
            if let Err(refusal) = self.note_have(chat, seq).await {
                self.slot.answer(None, &refused(&refusal, Some(chat), None));
            }
        }
        if resume.cursor.is_some() && since.is_none() {
            // Its numbers are of another history: after a restored backup they mean other events.
            self.slot.answer(None, &Outgoing::Reset(Done {}));
        }
        let skipped = u64::from(planted(Fault::RowsFromNext));
        let chats = &self.gateway.0.chats;
        let from = since.map_or(0, |at| chats.overlapped(at) + skipped);
        self.announce(from).await
    }

    async fn note_have(&mut self, chat: ChatId, seq: Seq) -> Result<(), ChatError> {
        let row = self.gateway.0.chats.row(self.slot.bearer(), chat).await?;
        if seq > row.head {
            return Err(ChatError::SeqAhead { head: row.head });
        }
        if seq < row.head {
            let next = if planted(Fault::HaveFromNext) { seq.next().next() } else { seq.next() };
            self.slot.note(chat, next, self.gateway.0.chats.hub().delivered());
        }
        Ok(())
    }

    async fn announce(&mut self, mut since: u64) -> Result<(), Ending> {
        let gateway = self.gateway.clone();
        let chats = &gateway.0.chats;
        // Read before the rows: whatever changes meanwhile is noted for this connection.
        let delivered = chats.hub().delivered();
        loop {
            let page = match chats.changed_after(self.slot.bearer(), since, ROWS_MAX).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::warn!(%error, "cannot announce an inbox");
                    return Err(Ending::Close(CloseCode::Overloaded));
                }
            };
            let rows: Vec<_> = page.rows.iter().map(wire::row).collect();
            if !rows.is_empty() {
                self.slot.answer(None, &Outgoing::Rows(Rows { rows }));
            }
            self.drain().await?;
            match page.next {
                Some(next) => since = next,
                None => break,
            }
        }
        let now = chats.position().position;
        let reached = if planted(Fault::CursorIsNow) { now } else { delivered };
        let cursor = Cursor::new(chats.position().epoch, reached);
        if planted(Fault::RegisteredLate) {
            chats.hub().registry().add(Arc::clone(&self.slot));
        }
        self.slot.answer(None, &Outgoing::Live(Live { cursor }));
        self.slot.go_live();
        Ok(())
    }

    /// Waits until the socket has taken most of what waits for it.
    async fn drain(&self) -> Result<(), Ending> {
        loop {
            self.slot.flush();
            match self.slot.todo() {
                Todo::WaitForSocket => {
                    tokio::select! {
                        biased;
                        () = self.slot.woken() => {}
                        writable = self.write.writable() => {
                            writable.map_err(|_| Ending::Gone)?;
                        }
                    }
                }
                Todo::Close(code) => return Err(Ending::Close(code)),
                Todo::Broken => return Err(Ending::Gone),
                Todo::Announce(_) | Todo::Pull(_) | Todo::Nothing => return Ok(()),
            }
        }
    }

    /// Takes note of what a pull found; a pause before the next when the store could not say.
    fn pulled(&mut self, dirty: Dirty, pulled: Pulled) -> Option<Pin<Box<Sleep>>> {
        if let Some(found) = pulled.found {
            self.remember(found);
        }
        let error = pulled.outcome.err()?;
        tracing::warn!(%error, chat = %dirty.chat, "cannot push a chat");
        if error.is_retryable() && !planted(Fault::PullGivesUp) {
            self.slot.stall(dirty.chat);
            return Some(Box::pin(tokio::time::sleep(PULL_PAUSE)));
        }
        // Damaged: the client sees a gap and asks by itself; it is answered with the cause.
        self.gateway.0.chats.hub().leave_to_client(&self.slot, dirty.chat, Seq::ZERO);
        None
    }

    /// The part of the connection's user in a chat, if it is remembered and still so.
    pub(super) fn known_membership(&self, chat: ChatId) -> Option<&Membership> {
        let known = self.memberships.iter().find(|known| known.chat.id == chat)?;
        self.gateway.0.chats.is_current(known).then_some(known)
    }

    /// The part of the connection's user in a chat, remembered for the chats in use.
    pub(super) async fn membership(&mut self, chat: ChatId) -> Result<Membership, ChatError> {
        if let Some(known) = self.known_membership(chat) {
            return Ok(known.clone());
        }
        let found = Box::pin(self.gateway.0.chats.membership(self.slot.user, chat)).await?;
        self.remember(found.clone());
        Ok(found)
    }

    fn remember(&mut self, found: Membership) {
        self.memberships.retain(|known| known.chat.id != found.chat.id);
        if self.memberships.len() == MEMBERSHIPS_MAX {
            self.memberships.remove(0);
        }
        self.memberships.push(found);
    }

    /// Takes a request of the client's. Signs of life are free.
    pub(super) fn take_request(&mut self, request: &Request) -> Result<(), Exceeded> {
        if matches!(request, Request::Ping(_) | Request::Pong(_)) {
            return Ok(());
        }
        self.gateway.0.limits.request(&mut self.requests, self.gateway.0.clock.now())
    }

    /// Notes a request over a limit. `Err` when that has gone on for too long.
    pub(super) fn offend(&mut self) -> Result<(), CloseCode> {
        let rate = Rate::new(OFFENCES_PER_MINUTE, Duration::from_mins(1), OFFENCES_AT_ONCE);
        let offended = self.offences.take(rate, self.gateway.0.clock.now());
        offended.map_err(|_| CloseCode::TooManyRequests)
    }

    /// Whether the client typed in this chat a moment ago; if not, it did now.
    pub(super) fn types_too_often(&mut self, chat: ChatId, now: Timestamp) -> bool {
        self.typed.retain(|(_, at)| now.since(*at) < TYPING_PAUSE);
        let too_often = self.typed.iter().any(|(known, _)| *known == chat);
        if !too_often && self.typed.len() < MEMBERSHIPS_MAX {
            self.typed.push((chat, now));
        }
        too_often || self.typed.len() >= MEMBERSHIPS_MAX
    }

    /// Tells the person's other connections of something that stands in no chat.
    pub(super) fn tell_other_devices(&self, message: &Outgoing) {
        self.gateway.0.chats.hub().registry().each_of(self.slot.user, |slot| {
            let may_hear = slot.bearer().may(Scope::ReadProfile).is_ok();
            if slot.id != self.slot.id && may_hear {
                slot.tell(message);
            }
        });
    }

    /// Waits for the answers to what was read: a client should not have to ask again for what is
    /// on its way.
    async fn settle(&self) {
        let settled = async {
            while !self.slot.is_settled() {
                self.slot.woken().await;
            }
        };
        let _ = tokio::time::timeout(SETTLE_TIMEOUT, settled).await;
    }

    async fn say_goodbye(mut self: Box<Self>, code: CloseCode) {
        self.slot.put_close(code, retry_after_ms(code, self.slot.id));
        let goodbye = async {
            loop {
                self.slot.flush();
                match self.slot.todo() {
                    Todo::Broken => return,
                    Todo::Close(_) | Todo::WaitForSocket if self.slot.waits() => {
                        if self.write.writable().await.is_err() {
                            return;
                        }
                    }
                    _ => break,
                }
            }
            // Until the client answers the close frame; what it says meanwhile is not heard.
            while let Some(Ok(_)) = self.ws.next().await {
                // Pings are answered still, as far as the socket takes it.
                self.slot.flush();
                if !self.slot.may_read() {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, goodbye).await;
    }
}

/// What a failure of the WebSocket layer means; `None` when the client simply went.
pub fn close_code_of(error: &WsError) -> Option<CloseCode> {
    match error {
        WsError::Io(_)
        | WsError::ConnectionClosed
        | WsError::AlreadyClosed
        | WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        WsError::Capacity(CapacityError::MessageTooLong { .. }) => Some(CloseCode::FrameTooLarge),
        WsError::Utf8(_) => Some(CloseCode::Malformed),
        _ => Some(CloseCode::WebSocketViolation),
    }
}
