//! What a frame means.

use std::time::Duration;

use barterline_domain::event::Seq;
use barterline_protocol::error_code::{Advice, ErrorCode};
use barterline_protocol::push::Row;
use barterline_protocol::request::{Ping, Pull};
use barterline_protocol::response::{ErrorBody, Page};
use barterline_protocol::{Outgoing, Request, push};

use super::{State, obey};
use crate::checker::{Heard, Sighting};
use crate::message::{Name, Side, Texts, hash_text};
use crate::wire::{self, Ack, Event, Incoming};

impl State {
    /// A data frame came.
    pub(in crate::engine) fn handle(
        &mut self,
        index: usize,
        payload: &[u8],
        now: u64,
    ) -> anyhow::Result<()> {
        let text_bytes = match &self.texts {
            Texts::Sized(bytes) => *bytes,
            Texts::Script(_) => 0,
        };
        match wire::read(self.adapter, payload, text_bytes)? {
            Incoming::Ack(ack) => self.on_ack(index, &ack, now),
            Incoming::Event(event) => self.on_event(index, &event, now),
            Incoming::Other(other) => self.on_other(index, *other, now),
        }
        Ok(())
    }

    /// The read-back shows an event.
    pub(in crate::engine) fn stored(&mut self, room: u32, event: &push::Event) {
        let seen = self.sighting(&event_of(event));
        self.checker.stored(room, &seen);
    }

    fn on_ack(&mut self, index: usize, ack: &Ack, now: u64) {
        let (room, side) = (self.seats[index].room, self.seats[index].side);
        let strange = ack.chat.is_some() && ack.chat != self.seats[index].chat;
        let name = Name::of_id(&ack.id, self.nonce).filter(|_| !strange);
        self.checker.acked(room, side, name, ack.seq);
        if let Some(name) = name.filter(|name| name.room == room && name.side == side) {
            self.answered(index, name.counter, now);
        }
        self.pump(index);
    }

    /// The sender learned what became of its message.
    fn answered(&mut self, index: usize, counter: u32, now: u64) {
        let Some(change) = self.seats[index].outbox.answered(counter) else {
            return;
        };
        if change.was_in_flight {
            let order = self.aim.answered(self.in_flight);
            self.in_flight -= 1;
            obey(order);
        }
        if change.first {
            self.acked += 1;
            if self.window.covers(change.due_ns) {
                self.window.ack.record(now.saturating_sub(change.due_ns));
            }
        }
        self.next_of_loop(index, change.done, now);
    }

    fn next_of_loop(&mut self, index: usize, done: bool, now: u64) {
        if done && self.closed_loop {
            self.compose(index, now);
        }
    }

    fn sighting(&self, event: &Event<'_>) -> Sighting {
        Sighting {
            seq: event.seq,
            name: Name::of_id(&event.id, self.nonce),
            from: event.from.and_then(Side::of_author),
            hash: event.text.map_or(0, hash_text),
        }
    }

    fn on_event(&mut self, index: usize, event: &Event<'_>, now: u64) {
        let (room, side) = (self.seats[index].room, self.seats[index].side);
        let mut seen = self.sighting(event);
        if event.chat.is_some() && event.chat != self.seats[index].chat {
            if self.seats[index].chat.is_none() {
                // The seller learns of the chat by its first event.
                self.seats[index].chat = event.chat;
            } else {
                seen.name = None;
            }
        }
        let heard = self.checker.event(room, side, &seen);
        self.heard(index, heard, now);
        if heard.holes > self.seats[index].outbox.in_flight() {
            self.pull(index);
        }
    }

    fn heard(&mut self, index: usize, heard: Heard, now: u64) {
        let Some(name) = heard.first else { return };
        if name.side == self.seats[index].side {
            self.answered(index, name.counter, now);
            self.pump(index);
            return;
        }
        self.delivered += 1;
        if self.measuring {
            self.window.delivered += 1;
        }
        let sender = name.room as usize * 2 + name.side.index();
        let Some(change) = self.seats[sender].outbox.delivered(name.counter) else {
            return;
        };
        if self.window.covers(change.due_ns) {
            self.window.deliver.record(now.saturating_sub(change.due_ns));
        }
        self.next_of_loop(sender, change.done, now);
    }

    fn pull(&mut self, index: usize) {
        let seat = &mut self.seats[index];
        let (Some(chat), false) = (seat.chat, seat.pulling) else {
            return;
        };
        seat.pulling = true;
        self.pulls += 1;
        let after = self.checker.have(seat.room, seat.side);
        let pull = Pull { chat, after: Some(Seq(after)), before: None, limit: None };
        self.request(index, Some(0), &Request::Pull(pull));
    }

    fn on_page(&mut self, index: usize, page: &Page, now: u64) {
        let (room, side) = (self.seats[index].room, self.seats[index].side);
        self.seats[index].pulling = false;
        let mut holes = 0;
        for event in &page.events {
            let seen = self.sighting(&event_of(event));
            let heard = self.checker.pulled(room, side, &seen);
            holes = heard.holes;
            self.heard(index, heard, now);
        }
        let more = self.checker.have(room, side) < page.head.0 && holes > 0;
        if more && !page.events.is_empty() {
            self.pull(index);
        }
    }

    fn on_other(&mut self, index: usize, frame: Outgoing, now: u64) {
        match frame {
            Outgoing::Ack(ack) => {
                let ack =
                    Ack { chat: Some(ack.chat), id: ack.id, seq: ack.seq.0, repeat: ack.repeat };
                self.on_ack(index, &ack, now);
            }
            Outgoing::Event(event) => self.on_event(index, &event_of(&event), now),
            Outgoing::Live(live) => {
                self.seats[index].cursor = Some(live.cursor);
                self.went_live(index);
            }
            Outgoing::Ping(ping) => {
                if ping.cursor.is_some() {
                    self.seats[index].cursor = ping.cursor;
                }
                self.request(index, None, &Request::Pong(Ping::default()));
            }
            Outgoing::Chat(row) => self.on_chat(index, &row),
            Outgoing::Page(page) => self.on_page(index, &page, now),
            Outgoing::Behind(_) => {
                let (room, side) = (self.seats[index].room, self.seats[index].side);
                self.checker.behind(room, side);
                self.pull(index);
            }
            Outgoing::Error(error) => self.on_error(index, &error, now),
            Outgoing::Bye(bye) => {
                self.last_drop = Some(format!("bye: {} {}", bye.code, bye.reason));
            }
            Outgoing::Welcome(_)
            | Outgoing::Rows(_)
            | Outgoing::Ok(_)
            | Outgoing::Authed(_)
            | Outgoing::Marks(_)
            | Outgoing::Pong(_) => {}
        }
    }

    fn on_chat(&mut self, index: usize, row: &Row) {
        self.seats[index].opens = None;
        self.seats[index].chat = Some(row.chat);
        // Both sides must know: the seller resumes it after a restart, too.
        if let Some(other) = self.seats.get_mut(index ^ 1) {
            other.chat = Some(row.chat);
        }
        self.pump(index);
        self.pump(index ^ 1);
    }

    fn on_error(&mut self, index: usize, error: &ErrorBody, now: u64) {
        let code = ErrorCode::ALL.iter().find(|code| code.name() == error.code);
        let advice = code.map_or(Advice::GiveUp, |code| code.advice());
        let Some(name) = error.id.and_then(|id| Name::of_id(&id, self.nonce)) else {
            tracing::warn!(code = error.code, message = error.message, "a request was refused");
            self.last_drop = Some(format!("{}: {}", error.code, error.message));
            return;
        };
        if advice == Advice::GiveUp {
            tracing::warn!(?name, code = error.code, message = error.message, "refused for good");
            self.refused += 1;
            self.checker.refused(name);
            self.answered(index, name.counter, now);
            self.seats[index].outbox.delivered(name.counter);
            return;
        }
        if self.seats[index].outbox.refused_for_now(name.counter) {
            self.in_flight -= 1;
        }
        if !std::mem::replace(&mut self.seats[index].stalled, true) {
            let wait = Duration::from_millis(error.retry_after_ms.unwrap_or(50).clamp(1, 10_000));
            let shared = self.shared.clone();
            tokio::task::spawn_local(async move {
                tokio::time::sleep(wait).await;
                if let Some(shared) = shared.upgrade() {
                    shared.state.borrow_mut().try_again(index);
                }
            });
        }
    }

    fn try_again(&mut self, index: usize) {
        let seat = &mut self.seats[index];
        seat.stalled = false;
        seat.outbox.rewind();
        self.pump(index);
    }
}

fn event_of(event: &push::Event) -> Event<'_> {
    Event {
        chat: Some(event.chat),
        seq: event.seq.0,
        from: Some(event.from),
        id: event.id,
        text: event.text.as_deref().map(str::as_bytes),
    }
}
