//! What a frame means.

use barterline_domain::event::Author;
use barterline_protocol::frame::Frame;
use barterline_protocol::push::Row;
use barterline_protocol::request::Ping;
use barterline_protocol::{Outgoing, push};

use super::{State, obey};
use crate::checker::{Heard, Sighting};
use crate::engine::outbox::Change;
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
        let device = &self.devices[index];
        let place = device.place;
        let strange = ack.chat.is_some() && ack.chat != device.chat;
        let name = Name::of_id(&ack.id, self.nonce)
            .filter(|name| !strange && (name.place() == place || device.copies.has(*name)));
        let heard = self.checker.acked(place, name, ack.seq);
        match name {
            Some(name) if name.place() == place => self.own_acked(index, name, now),
            Some(name) => {
                self.devices[index].copies.answered(name);
                self.heard(index, heard, now);
                self.go_on(index);
            }
            None => {}
        }
        self.pump(index);
        if heard.holes > 0 {
            self.catch_up(index, heard.holes);
        }
    }

    /// The device that composed a message got an answer to it, or to its second copy.
    fn own_acked(&mut self, index: usize, name: Name, now: u64) {
        self.time_answer(index, name, now);
        let device = &mut self.devices[index];
        let change = device.outbox.answered(name.counter);
        if !change.is_some_and(|change| change.was_in_flight) && !device.copies.is_empty() {
            device.copies.answered(name);
            self.go_on(index);
        }
        self.settled(index, change, now);
    }

    /// The server said something about a message that is in flight: yes, no, or not now.
    pub(super) fn time_answer(&mut self, index: usize, name: Name, now: u64) {
        if let Some(written) = self.devices[index].outbox.in_flight_since(name.counter) {
            self.answers.record(now.saturating_sub(written));
        }
    }

    /// The sender learned what became of its message.
    pub(super) fn settled(&mut self, index: usize, change: Option<Change>, now: u64) {
        let Some(change) = change else { return };
        if change.was_in_flight {
            let order = self.aim.answered(self.in_flight);
            self.in_flight -= 1;
            obey(order);
            self.go_on(index);
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
            self.compose(index / self.speakers, now);
        }
    }

    pub(super) fn sighting(&self, event: &Event<'_>) -> Sighting {
        Sighting {
            seq: event.seq,
            name: Name::of_id(&event.id, self.nonce),
            from: event.from.and_then(Side::of_author),
            hash: event.text.map_or(0, hash_text),
            is_note: event.from == Some(Author::System),
        }
    }

    fn on_event(&mut self, index: usize, event: &Event<'_>, now: u64) {
        let place = self.devices[index].place;
        let mut seen = self.sighting(event);
        if event.chat.is_some() && event.chat != self.devices[index].chat {
            if self.devices[index].chat.is_none() {
                // The seller learns of the chat by its first event.
                self.devices[index].chat = event.chat;
            } else {
                seen.name = None;
            }
        }
        let heard = self.checker.event(place, &seen);
        self.heard(index, heard, now);
        if heard.holes > 0 {
            self.catch_up(index, heard.holes);
        }
    }

    pub(super) fn heard(&mut self, index: usize, heard: Heard, now: u64) {
        let Some(name) = heard.first else { return };
        let place = self.devices[index].place;
        if name.place() == place {
            // The answer to what may be in flight is still to come.
            let change = self.devices[index].outbox.shown(name.counter);
            self.settled(index, change, now);
            return;
        }
        self.deliveries += 1;
        if self.devices[index].stalls {
            return;
        }
        let peer = name.side != place.side;
        let sender = self.index_of(name.place());
        let Some(change) = self.devices[sender].outbox.delivered(name.counter, peer) else {
            return;
        };
        if change.first {
            self.delivered += 1;
            self.window.delivered += u64::from(self.measuring);
        }
        if self.window.covers(change.due_ns) {
            self.window.deliver.record(now.saturating_sub(change.due_ns));
        }
        self.next_of_loop(sender, change.done, now);
    }

    fn on_other(&mut self, index: usize, frame: Frame<Outgoing>, now: u64) {
        let reference = frame.reference;
        match frame.message {
            Outgoing::Ack(ack) => {
                let ack =
                    Ack { chat: Some(ack.chat), id: ack.id, seq: ack.seq.0, repeat: ack.repeat };
                self.on_ack(index, &ack, now);
            }
            Outgoing::Event(event) => self.on_event(index, &event_of(&event), now),
            Outgoing::Live(live) => {
                self.devices[index].cursor = Some(live.cursor);
                self.went_live(index);
            }
            Outgoing::Ping(ping) => {
                self.keep_cursor(index, ping);
                self.show_life(index);
            }
            Outgoing::Pong(pong) => {
                self.keep_cursor(index, pong);
                self.devices[index].awaits_pong = false;
            }
            Outgoing::Chat(row) => self.on_chat(index, &row),
            Outgoing::Page(page) => self.on_page(index, &page, now),
            Outgoing::Behind(behind) => self.on_behind(index, &behind),
            Outgoing::Error(error) => self.on_error(index, reference, &error, now),
            Outgoing::Bye(bye) => {
                self.last_drop = Some(format!("bye: {} {}", bye.code, bye.reason));
            }
            Outgoing::Welcome(_)
            | Outgoing::Rows(_)
            | Outgoing::Ok(_)
            | Outgoing::Authed(_)
            | Outgoing::Marks(_)
            | Outgoing::State(_)
            | Outgoing::Typing(_)
            | Outgoing::Presence(_)
            | Outgoing::Settings(_)
            | Outgoing::Block(_)
            | Outgoing::Renew(_)
            | Outgoing::Reset(_) => {}
        }
    }

    fn keep_cursor(&mut self, index: usize, ping: Ping) {
        if ping.cursor.is_some() {
            self.devices[index].cursor = ping.cursor;
        }
    }

    fn on_chat(&mut self, index: usize, row: &Row) {
        let room = self.devices[index].place.room;
        self.devices[index].opens = None;
        // All devices of both sides must know: they resume it after a disconnection, too.
        for other in 0..self.devices.len() {
            if self.devices[other].place.room == room {
                self.devices[other].chat = Some(row.chat);
                self.pump(other);
            }
        }
    }
}

pub(super) fn event_of(event: &push::Event) -> Event<'_> {
    Event {
        chat: Some(event.chat),
        seq: event.seq.0,
        from: Some(event.from),
        id: event.id,
        text: event.text.as_deref().map(str::as_bytes),
    }
}
