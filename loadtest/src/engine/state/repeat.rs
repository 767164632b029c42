//! Messages that are sent twice on purpose: same id, same base.
//!
//! A copy must not let a message overtake one that its sender said before, for then the order would
//! be the harness's fault. So it leaves either right behind the first one on the same connection; or
//! over another device when everything before it is answered; or later, when it is answered itself.

use std::time::Duration;

use barterline_domain::ids::ChatId;
use rand::Rng as _;

use super::State;
use crate::engine::copies::Copy;
use crate::wire;
use crate::ws::frame;

/// Longest wait before a copy that comes later.
const LATER_MS_MAX: u64 = 300;

impl State {
    /// A message was written for the first time: chance decides whether, when and where it is
    /// written again.
    pub(super) fn perhaps_repeat(&mut self, index: usize, copy: Copy) {
        if !self.rng.random_bool(self.duplicate) {
            return;
        }
        if self.rng.random() {
            self.repeats_due += 1;
            self.repeat_later(copy);
            return;
        }
        let to = self.any_device(index);
        if to != index
            && self.devices[index].outbox.all_answered_before(copy.name.counter)
            && self.devices[to].link.is_live()
        {
            self.devices[to].copies.push(copy);
            self.pump(to);
        } else {
            // The caller is writing: this comes next.
            self.devices[index].copies.push(copy);
        }
    }

    fn repeat_later(&mut self, copy: Copy) {
        let wait = Duration::from_millis(self.rng.random_range(1..=LATER_MS_MAX));
        self.later(wait, move |state| {
            let index = state.index_of(copy.name.place());
            if !state.devices[index].outbox.is_answered(copy.name.counter) {
                state.repeat_later(copy);
                return;
            }
            state.repeats_due -= 1;
            let to = state.any_device(index);
            if state.devices[to].link.is_live() {
                state.devices[to].copies.push(copy);
                state.pump(to);
            }
        });
    }

    /// One of the devices of whoever owns the device at `index`.
    fn any_device(&mut self, index: usize) -> usize {
        index - index % self.speakers + self.rng.random_range(0..self.speakers)
    }

    /// Writes a copy that is due; false when there is none.
    pub(super) fn write_copy(&mut self, index: usize, chat: ChatId) -> bool {
        let device = &mut self.devices[index];
        let Some(copy) = device.copies.next() else {
            return false;
        };
        self.repeats += 1;
        self.checker.resent(copy.name);
        self.text.clear();
        self.texts.write(copy.name, copy.due_ns, &mut self.text);
        self.payload.clear();
        let send = wire::Send {
            reference: device.link.reference(),
            chat,
            id: copy.name.id(self.nonce),
            base: copy.base,
            text: &self.text,
        };
        send.write(self.adapter, &mut self.payload);
        device.link.send(frame::BINARY, &self.payload, &mut self.scratch);
        true
    }
}
