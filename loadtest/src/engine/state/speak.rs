//! How messages leave.

use barterline_domain::ids::ChatId;
use barterline_protocol::limits::IN_FLIGHT_MAX;
use rand::Rng as _;

use super::{State, obey};
use crate::engine::aim::Order;
use crate::engine::copies::Copy;
use crate::message::{Texts, hash_text};
use crate::wire;
use crate::ws::frame;

impl State {
    /// A participant (`room * 2 + side`) says the next thing, due at `due_ns`.
    pub fn compose(&mut self, participant: usize, due_ns: u64) {
        let index = participant * self.speakers + self.picked_up();
        let device = &mut self.devices[index];
        let name = device.place.message(device.outbox.push(due_ns));
        self.text.clear();
        self.texts.write(name, due_ns, &mut self.text);
        self.checker.sent(name, hash_text(&self.text));
        self.waiting += 1;
        self.pump(index);
        self.aim_step();
    }

    /// The device that a participant speaks on next. A script is read from one device: between two,
    /// no order is promised.
    fn picked_up(&mut self) -> usize {
        match self.texts {
            Texts::Sized(_) if self.speakers > 1 => self.rng.random_range(0..self.speakers),
            _ => 0,
        }
    }

    pub(super) fn aim_step(&mut self) {
        if self.aim.composed(self.waiting, self.in_flight) == Order::Release {
            self.pump_all();
        }
    }

    pub(super) fn pump_all(&mut self) {
        for index in 0..self.devices.len() {
            self.pump(index);
        }
    }

    /// Writes what a device may write.
    pub(super) fn pump(&mut self, index: usize) {
        while self.aim.gate_open() && self.may_write(index) {
            let Some(chat) = self.chat_of(index) else {
                return;
            };
            if !self.write_copy(index, chat) && !self.write_next(index, chat) {
                return;
            }
        }
    }

    fn chat_of(&self, index: usize) -> Option<ChatId> {
        if self.adapter.numbers() {
            self.devices[index].chat
        } else {
            Some(ChatId::from_bytes([0; 16]))
        }
    }

    fn may_write(&self, index: usize) -> bool {
        let device = &self.devices[index];
        device.link.is_live() && device.hold.is_none() && device.in_flight() < IN_FLIGHT_MAX
    }

    /// Writes the next message that is due; false when there is none.
    fn write_next(&mut self, index: usize, chat: ChatId) -> bool {
        let now = self.clock.now();
        let device = &mut self.devices[index];
        let Some((counter, entry)) = device.outbox.next() else {
            return false;
        };
        let name = device.place.message(counter);
        entry.written_ns = now;
        let again = entry.written;
        if again {
            self.checker.resent(name);
            if std::mem::take(&mut entry.rebase) {
                entry.base = self.checker.have(device.place);
            }
        } else {
            entry.written = true;
            entry.base = self.checker.have(device.place);
            self.waiting -= 1;
        }
        self.text.clear();
        self.texts.write(name, entry.due_ns, &mut self.text);
        self.payload.clear();
        let send = wire::Send {
            reference: device.link.reference(),
            chat,
            id: name.id(self.nonce),
            base: entry.base,
            text: &self.text,
        };
        send.write(self.adapter, &mut self.payload);
        let copy = Copy { name, due_ns: entry.due_ns, base: entry.base };
        device.link.send(frame::BINARY, &self.payload, &mut self.scratch);
        self.in_flight += 1;
        let order = self.aim.written(self.in_flight);
        obey(order);
        if self.duplicate > 0.0 && !again {
            self.perhaps_repeat(index, copy);
        }
        true
    }
}
