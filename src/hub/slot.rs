//! One connection as the hub sees it: what is still to be sent, and how it leaves.
//!
//! There is no queue of messages. A slot holds the bytes that the socket would not take yet
//! (bounded), and which chats have something new from which number on (bounded; beyond, one flag
//! says "ask the inbox"). The delivering task writes straight to the socket; when the socket is
//! full, the connection's own task goes on from here when it can (G7).

mod refusals;
mod sends;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use barterline_domain::bearer::{Bearer, Proof};
use barterline_domain::chat::{Chat, Role};
use barterline_domain::clock::Timestamp;
use barterline_domain::event::Seq;
use barterline_domain::ids::{ChatId, ClientId, DeviceId, UserId};
use barterline_protocol::close_code::CloseCode;
use barterline_protocol::error_code::ErrorCode;
use barterline_protocol::limits::IN_FLIGHT_MAX;
use barterline_protocol::push::MarksMoved;
use barterline_protocol::response::Ack;
use barterline_protocol::{Encoding, Outgoing};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::ring::Entry;
use super::turn::Turn;
use crate::fault::{Fault, planted};
use crate::telemetry::refusals::Refusals;
use crate::wire::{self, outgoing};
use sends::{InFlight, Sends};

/// Bytes that may wait for one socket before deliveries to it are only noted.
pub const WAITING_BYTES_MAX: usize = 16 * 1024;
/// Chats noted one by one before the inbox is asked instead.
const DIRTY_MAX: usize = 256;

/// The way to a socket. Knows nothing of frames.
pub trait Outlet: Send + Sync {
    /// Writes what the socket takes now. After `WouldBlock` the next call brings the same bytes in
    /// front: some of them may be on their way already, and are counted then.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;
}

/// One live connection.
pub struct Slot {
    /// Unique in this process.
    pub id: u64,
    /// Whose.
    pub user: UserId,
    /// By what proof.
    pub proof: Proof,
    /// On which device.
    pub device: DeviceId,
    /// How frames are written.
    pub encoding: Encoding,
    client: IpAddr,
    refusals: Refusals,
    outlet: Box<dyn Outlet>,
    out: Mutex<Out>,
    /// Wakes the connection's task.
    wake: Notify,
    /// Milliseconds since the epoch: when something was last heard from the client.
    heard_at: AtomicU64,
    /// Milliseconds since the epoch: when the token ends.
    token_expires_at: AtomicU64,
    /// The client has been told to renew it.
    told_to_renew: AtomicBool,
}

#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about one socket")]
struct Out {
    /// Bytes for the socket; the first `sent` of them have left.
    bytes: Vec<u8>,
    sent: usize,
    /// The replay after `hello` is over.
    live: bool,
    /// The socket took less than it was given: its task waits until it takes more.
    blocked: bool,
    /// Stands in the delivering task's list of this turn.
    touched: bool,
    /// What is to be pulled, and the inbox position before the first of it.
    dirty: Vec<Dirty>,
    dirty_since: u64,
    /// What is noted cannot be pulled at the moment.
    stalled: bool,
    /// More than could be noted: announce what changed since this inbox position.
    overflow: Option<u64>,
    sends: Sends,
    /// Reading stopped because too many sends wait for their answer.
    reader_waits: bool,
    closing: Option<CloseCode>,
    broken: bool,
}

/// One chat with something to be pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dirty {
    /// Which.
    pub chat: ChatId,
    /// The first event not sent; `None` when only marks moved.
    pub from: Option<Seq>,
    /// Marks moved, or what is the person's alone.
    pub marks: bool,
}

/// What the connection's task has to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Todo {
    /// Close with this code.
    Close(CloseCode),
    /// The socket is broken.
    Broken,
    /// Wait until the socket takes more.
    WaitForSocket,
    /// Announce what changed since this inbox position.
    Announce(u64),
    /// Pull this chat.
    Pull(Dirty),
    /// Nothing.
    Nothing,
}

/// Who is on a connection.
#[derive(Debug, Clone, Copy)]
pub struct Identity {
    /// Whose.
    pub user: UserId,
    /// By what proof.
    pub proof: Proof,
    /// On which device.
    pub device: DeviceId,
    /// Until when.
    pub token_expires_at: Timestamp,
    /// From where.
    pub client: IpAddr,
}

impl Slot {
    /// A connection that is not live yet: deliveries are noted, not sent.
    pub fn new(
        id: u64,
        identity: Identity,
        encoding: Encoding,
        outlet: Box<dyn Outlet>,
        refusals: Refusals,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            user: identity.user,
            proof: identity.proof,
            device: identity.device,
            encoding,
            client: identity.client,
            refusals,
            outlet,
            out: Mutex::default(),
            wake: Notify::new(),
            heard_at: AtomicU64::new(now.as_millis()),
            token_expires_at: AtomicU64::new(identity.token_expires_at.as_millis()),
            told_to_renew: AtomicBool::new(false),
        }
    }

    /// On whose behalf the connection speaks.
    pub fn bearer(&self) -> Bearer {
        Bearer { user: self.user, proof: self.proof }
    }

    /// Waits until the connection's task has something to do.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Notes a sign of life.
    pub fn heard(&self, now: Timestamp) {
        self.heard_at.store(now.as_millis(), Ordering::Relaxed);
    }

    /// When something was last heard.
    pub fn heard_at(&self) -> Timestamp {
        Timestamp::from_millis(self.heard_at.load(Ordering::Relaxed))
    }

    /// Puts a later end to the token.
    pub fn renew(&self, expires_at: Timestamp) {
        self.token_expires_at.store(expires_at.as_millis(), Ordering::Relaxed);
        self.told_to_renew.store(false, Ordering::Relaxed);
    }

    /// Whether the client is still to be told that its token ends; from here on it has been.
    pub fn is_to_renew(&self) -> bool {
        !self.told_to_renew.swap(true, Ordering::Relaxed)
    }

    /// When the token ends.
    pub fn token_expires_at(&self) -> Timestamp {
        Timestamp::from_millis(self.token_expires_at.load(Ordering::Relaxed))
    }

    /// Asks the connection's task to say goodbye.
    pub fn close(&self, code: CloseCode) {
        self.out.lock().closing.get_or_insert(code);
        self.wake.notify_one();
    }

    /// Delivers an event, or notes that it is to be pulled.
    pub fn deliver(self: &Arc<Self>, chat: ChatId, role: Role, entry: &Entry, turn: &mut Turn) {
        let mut out = self.out.lock();
        // The first event of a chat is pulled, behind a row that says what chat it is; its buyer was
        // told when it was opened.
        let is_news = entry.seq == Seq(1) && role == Role::Seller;
        if !is_news && out.begin(self, turn) {
            out.put_entry(self.encoding, chat, role, entry);
            out.wake_reader(&self.wake);
        } else {
            out.note(chat, Some(entry.seq), turn.position_before);
            if out.stalled {
                out.give_up(self.encoding, |send| send.chat == chat && send.id == entry.id);
                out.wake_reader(&self.wake);
            }
            out.wake_if_live(&self.wake);
        }
    }

    /// Delivers what changed about a chat besides its events, or notes it.
    pub fn deliver_frame(self: &Arc<Self>, chat: ChatId, frame: &Outgoing, turn: &mut Turn) {
        let mut out = self.out.lock();
        if out.begin(self, turn) {
            outgoing::put(&mut out.bytes, self.encoding, None, frame);
        } else {
            out.note(chat, None, turn.position_before);
            out.wake_if_live(&self.wake);
        }
    }

    /// Tells of something that stands in no chat and is not announced again. A connection that does
    /// not take it is closed: the next one begins with all of it.
    pub fn tell(&self, message: &Outgoing) {
        let mut out = self.out.lock();
        if out.bytes.len() - out.sent < WAITING_BYTES_MAX {
            outgoing::put(&mut out.bytes, self.encoding, None, message);
        } else {
            out.closing.get_or_insert(CloseCode::Overloaded);
        }
        self.wake.notify_one();
    }

    /// Appends an answer. The caller flushes, and asks [`Slot::may_read`] before it reads on.
    pub fn answer(&self, reference: Option<u32>, message: &Outgoing) {
        self.note_error(message);
        outgoing::put(&mut self.out.lock().bytes, self.encoding, reference, message);
    }

    /// Appends a message that may as well be left out, unless others wait for the socket.
    pub fn answer_if_room(&self, message: &Outgoing) {
        let mut out = self.out.lock();
        if out.live && out.bytes.is_empty() {
            outgoing::put(&mut out.bytes, self.encoding, None, message);
        }
    }

    /// Whether bytes wait for the socket.
    pub fn waits(&self) -> bool {
        !self.out.lock().bytes.is_empty()
    }

    /// Bytes held for the socket, those included that have left but are not given back yet.
    pub fn held_bytes(&self) -> usize {
        self.out.lock().bytes.len()
    }

    /// Appends bytes that the WebSocket layer wants to send: pongs and the echo of a close.
    pub fn put_raw(&self, bytes: &[u8]) {
        self.out.lock().bytes.extend_from_slice(bytes);
    }

    /// Notes that the client is shown these messages of a chat: those among them that were refused
    /// hold nothing back any more.
    pub fn shown(&self, chat: ChatId, ids: impl Iterator<Item = ClientId>) {
        let mut out = self.out.lock();
        // Nearly always nothing is remembered.
        if out.sends.any_refused() {
            ids.for_each(|id| out.sends.forget_refused(chat, id));
        }
    }

    /// Appends `bye` and the close frame.
    pub fn put_close(&self, code: CloseCode, retry_after_ms: Option<u64>) {
        outgoing::put_close(&mut self.out.lock().bytes, self.encoding, code, retry_after_ms);
    }

    /// Writes what the socket takes, and gives back the buffer when all is written: an idle
    /// connection holds none. A short write leaves the rest to the connection's task.
    pub fn flush(&self) -> Vec<u8> {
        let mut out = self.out.lock();
        out.touched = false;
        while out.sent < out.bytes.len() {
            match self.outlet.try_write(&out.bytes[out.sent..]) {
                Ok(n) if n > 0 => out.sent += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if !out.blocked {
                        out.blocked = true;
                        self.wake.notify_one();
                    }
                    out.give_back();
                    if planted(Fault::RestOfWriteLost) {
                        out.bytes.clear();
                        out.sent = 0;
                    }
                    return Vec::new();
                }
                Ok(_) | Err(_) => {
                    out.broken = true;
                    out.bytes = Vec::new();
                    out.sent = 0;
                    self.wake.notify_one();
                    return Vec::new();
                }
            }
        }
        out.blocked = false;
        out.sent = 0;
        std::mem::take(&mut out.bytes)
    }

    /// Whether the connection may read its next frame: not while its answers wait for the socket,
    /// nor while too many of its sends wait for theirs.
    pub fn may_read(&self) -> bool {
        let mut out = self.out.lock();
        out.reader_waits = out.sends.in_flight() >= IN_FLIGHT_MAX;
        out.waiting() < WAITING_BYTES_MAX && !out.reader_waits
    }

    /// Whether every send has its answer. If not, the next answer wakes the connection's task.
    pub fn is_settled(&self) -> bool {
        let mut out = self.out.lock();
        out.reader_waits = out.sends.in_flight() > 0;
        out.broken || !out.reader_waits
    }

    /// What the connection's task has to do next.
    pub fn todo(&self) -> Todo {
        let mut out = self.out.lock();
        if out.broken {
            return Todo::Broken;
        }
        if let Some(code) = out.closing {
            return Todo::Close(code);
        }
        if out.waiting() >= WAITING_BYTES_MAX || out.blocked {
            return Todo::WaitForSocket;
        }
        if !out.live {
            return Todo::Nothing;
        }
        if let Some(since) = out.overflow.take() {
            out.live = false;
            // Their acknowledgements may be among what is announced by rows only.
            out.give_up(self.encoding, |_| true);
            return Todo::Announce(since);
        }
        out.dirty.first().copied().map_or(Todo::Nothing, Todo::Pull)
    }

    /// The announcement is over: from here on deliveries are sent.
    pub fn go_live(&self) {
        let mut out = self.out.lock();
        out.live = true;
        if planted(Fault::LiveForgetsNoted) {
            out.dirty.clear();
        }
        self.wake.notify_one();
    }

    /// Appends pulled events of a chat, as many as may wait for the socket, and notes how far it
    /// came. With `complete` the entries are all there is: when they have all been taken, the chat
    /// is clean. To be called under the lock of the chat's shard, so that no delivery falls between.
    pub fn put_entries<'a>(
        &self,
        chat: &Chat,
        entries: impl Iterator<Item = &'a Entry>,
        complete: bool,
    ) {
        let Some(role) = chat.participants.role_of(self.user) else { return };
        let mut out = self.out.lock();
        let mut next = None;
        let mut all = true;
        for entry in entries {
            if out.waiting() >= WAITING_BYTES_MAX {
                all = false;
                break;
            }
            out.put_entry(self.encoding, chat.id, role, entry);
            next = Some(entry.seq.next());
        }
        let Some(at) = out.dirty.iter().position(|dirty| dirty.chat == chat.id) else {
            return;
        };
        if (all || planted(Fault::PartialPullIsWhole)) && complete {
            out.dirty[at].from = None;
            out.settle_dirty(at);
        } else if let (Some(next), Some(from)) = (next, &mut out.dirty[at].from) {
            *from = next.max(*from);
        }
    }

    /// The first event of a chat that is noted, if any is.
    pub fn noted_from(&self, chat: ChatId) -> Option<Seq> {
        let out = self.out.lock();
        out.dirty.iter().find(|dirty| dirty.chat == chat)?.from
    }

    /// Forgets a chat of which only marks were noted, unless more has been noted since.
    pub fn settle_marks(&self, chat: ChatId) {
        let mut out = self.out.lock();
        if let Some(at) = out.dirty.iter().position(|dirty| dirty.chat == chat) {
            out.settle_dirty(at);
        }
    }

    /// Notes once more that marks of a chat moved: they could not be read.
    pub fn put_marks_back(&self, chat: ChatId) {
        let mut out = self.out.lock();
        if let Some(dirty) = out.dirty.iter_mut().find(|dirty| dirty.chat == chat) {
            dirty.marks = true;
        }
    }

    /// Forgets which events of a chat were noted: the client has been told to pull them by itself.
    /// Its sends of that chat are to come again: their acknowledgements may be among what is
    /// forgotten.
    pub fn forget(&self, chat: ChatId) {
        let mut out = self.out.lock();
        out.dirty.retain_mut(|dirty| {
            if dirty.chat == chat {
                dirty.from = None;
            }
            dirty.marks || dirty.from.is_some()
        });
        out.give_up(self.encoding, |waiting| waiting.chat == chat);
        out.wake_reader(&self.wake);
    }

    /// The store does not say what is lacking of a chat, or takes its time. Other chats come first from
    /// here on; and until all of them are pulled, nobody waits for an acknowledgement that is among what
    /// is noted: the send is to come again, and is told its number then (G10).
    pub fn stall(&self, chat: ChatId) {
        let mut out = self.out.lock();
        if let Some(at) = out.dirty.iter().position(|dirty| dirty.chat == chat) {
            out.dirty[at..].rotate_left(1);
        }
        out.stalled = !out.dirty.is_empty();
        let noted = out.dirty.iter().filter(|dirty| dirty.from.is_some());
        let noted: Vec<_> = noted.map(|dirty| dirty.chat).collect();
        out.give_up(self.encoding, |send| noted.contains(&send.chat));
        out.wake_reader(&self.wake);
    }

    /// Takes the note that marks of a chat moved; what moves from here on is noted anew.
    pub fn take_marks(&self, chat: ChatId) -> bool {
        let mut out = self.out.lock();
        let noted = out.dirty.iter_mut().find(|dirty| dirty.chat == chat);
        noted.is_some_and(|dirty| std::mem::take(&mut dirty.marks))
    }

    /// Notes that a chat is to be pulled from `from` on.
    pub fn note(&self, chat: ChatId, from: Seq, position_before: u64) {
        let mut out = self.out.lock();
        out.note(chat, Some(from), position_before);
        out.wake_if_live(&self.wake);
    }

    /// Whether everything delivered so far has been written or stands in the bytes to be written:
    /// only then may a cursor be sent.
    pub fn is_clean(&self) -> bool {
        let out = self.out.lock();
        out.live
            && (out.dirty.is_empty() || planted(Fault::CursorWhileDirty))
            && out.overflow.is_none()
    }

    /// Notes a send that waits for its answer. `Err` names the send that has to come again first.
    pub fn begin_send(
        &self,
        chat: ChatId,
        id: ClientId,
        reference: Option<u32>,
    ) -> Result<(), ClientId> {
        self.out.lock().sends.begin(chat, id, reference)
    }

    /// Whether a send has to wait for an earlier one that was refused; it holds back what follows then.
    /// If not, it has come again.
    pub fn hold_back(&self, chat: ChatId, id: ClientId) -> bool {
        self.out.lock().sends.hold_back(chat, id)
    }

    /// Answers a send that has an earlier success.
    pub fn repeat(&self, chat: ChatId, id: ClientId, seq: Seq, at: Timestamp) -> bool {
        let mut out = self.out.lock();
        out.sends.forget_refused(chat, id);
        let Some(InFlight { reference, .. }) = out.sends.settle(chat, id) else {
            return false;
        };
        let ack = Outgoing::Ack(Ack { chat, id, seq, at, repeat: true });
        outgoing::put(&mut out.bytes, self.encoding, reference, &ack);
        out.wake_reader(&self.wake);
        !std::mem::replace(&mut out.touched, true)
    }

    /// Answers a send with `error`; remembers it if it was refused as retryable. `false` if this
    /// connection did not send it.
    pub fn refuse(&self, chat: ChatId, id: ClientId, error: &Outgoing, retryable: bool) -> bool {
        let mut out = self.out.lock();
        let mut first = None;
        while let Some(InFlight { reference, order, .. }) = out.sends.settle(chat, id) {
            outgoing::put(&mut out.bytes, self.encoding, reference, error);
            first.get_or_insert(order);
        }
        let Some(order) = first else {
            return false;
        };
        out.wake_reader(&self.wake);
        if retryable {
            out.sends.remember_refused(chat, id, order);
        } else {
            out.sends.forget_refused(chat, id);
        }
        drop(out);
        self.note_error(error);
        true
    }

    /// Refuses a send for good; it holds nothing back any more.
    pub fn refuse_for_good(
        &self,
        chat: ChatId,
        id: ClientId,
        reference: Option<u32>,
        error: &Outgoing,
    ) {
        self.note_error(error);
        let mut out = self.out.lock();
        outgoing::put(&mut out.bytes, self.encoding, reference, error);
        out.sends.forget_refused(chat, id);
    }

    /// Refuses, as retryable, a send that has not come as far as a room.
    pub fn refuse_unsent(
        &self,
        chat: ChatId,
        id: ClientId,
        reference: Option<u32>,
        error: &Outgoing,
    ) {
        self.note_error(error);
        let mut out = self.out.lock();
        outgoing::put(&mut out.bytes, self.encoding, reference, error);
        out.sends.refuse_unsent(chat, id);
    }
}

impl Out {
    /// Makes ready for a delivery in `turn`; `false` if it can only be noted.
    fn begin(&mut self, slot: &Arc<Slot>, turn: &mut Turn) -> bool {
        let takes = self.takes_more();
        if takes && !std::mem::replace(&mut self.touched, true) {
            turn.touch(slot);
            if self.bytes.capacity() == 0 {
                self.bytes = turn.buffer();
            }
        }
        takes
    }

    fn waiting(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// Gives back what has left. A socket that never takes everything must not make the buffer
    /// longer and longer (G7); once for so many bytes, so that each is moved once on average.
    fn give_back(&mut self) {
        if self.sent >= WAITING_BYTES_MAX && !planted(Fault::SentBytesKept) {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Forgets a chat of which nothing is lacking any more.
    fn settle_dirty(&mut self, at: usize) {
        let marks = self.dirty[at].marks && !planted(Fault::PullForgetsMarks);
        if self.dirty[at].from.is_none() && !marks {
            // In order: what was put behind the others stays there.
            self.dirty.remove(at);
        }
    }

    fn takes_more(&self) -> bool {
        self.live
            && (self.dirty.is_empty() || planted(Fault::EventOvertakesPull))
            && self.overflow.is_none()
            && !self.broken
            && (self.waiting() < WAITING_BYTES_MAX || planted(Fault::SlowReaderUnbounded))
    }

    /// Appends an event, or the acknowledgement if this connection sent it.
    fn put_entry(&mut self, encoding: Encoding, chat: ChatId, role: Role, entry: &Entry) {
        let Entry { seq, at, id, .. } = *entry;
        let mut repeat = false;
        while let Some(InFlight { reference, .. }) = self.sends.settle(chat, id) {
            let ack = Outgoing::Ack(Ack { chat, id, seq, at, repeat });
            outgoing::put(&mut self.bytes, encoding, reference, &ack);
            // Sent twice before the first answer: each is answered.
            repeat = true;
        }
        if !repeat {
            outgoing::put_encoded(&mut self.bytes, encoding, entry.message_for(role));
        }
        self.sends.forget_refused(chat, id);
    }

    /// Lets the sends that `concerned` names come again.
    fn give_up(&mut self, encoding: Encoding, concerned: impl Fn(&InFlight) -> bool) {
        for InFlight { chat, id, reference, .. } in self.sends.give_up(concerned) {
            let busy = wire::refusal(ErrorCode::Busy, chat, id, None);
            outgoing::put(&mut self.bytes, encoding, reference, &busy);
        }
    }

    fn note(&mut self, chat: ChatId, seq: Option<Seq>, position_before: u64) {
        if self.overflow.is_some() {
            return;
        }
        if self.dirty.is_empty() {
            self.dirty_since = position_before;
            self.stalled = false;
        }
        if let Some(dirty) = self.dirty.iter_mut().find(|dirty| dirty.chat == chat) {
            dirty.marks |= seq.is_none();
            dirty.from = match (dirty.from, seq) {
                (Some(from), Some(seq)) => Some(from.min(seq)),
                (from, seq) => from.or(seq),
            };
        } else if self.dirty.len() < DIRTY_MAX {
            self.dirty.push(Dirty { chat, from: seq, marks: seq.is_none() });
        } else {
            self.dirty = Vec::new();
            self.overflow = Some(self.dirty_since);
        }
    }

    /// Lets the connection read on, if it waited for an answer.
    fn wake_reader(&mut self, wake: &Notify) {
        if std::mem::take(&mut self.reader_waits) {
            wake.notify_one();
        }
    }

    fn wake_if_live(&self, wake: &Notify) {
        if self.live && !self.blocked {
            wake.notify_one();
        }
    }
}

/// A participant's marks as they go out.
pub fn marks_moved(chat: ChatId, role: Role, marks: barterline_domain::marks::Marks) -> MarksMoved {
    let delivered = if planted(Fault::MarkGoesBack) { marks.read } else { marks.delivered };
    MarksMoved { chat, role, delivered, read: marks.read }
}

#[cfg(test)]
mod tests;
