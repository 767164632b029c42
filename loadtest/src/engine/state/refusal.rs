//! What to do about a refusal.

use std::time::Duration;

use barterline_protocol::error_code::{Advice, ErrorCode};
use barterline_protocol::response::ErrorBody;
use rand::Rng as _;

use super::State;
use crate::engine::hold::Hold;
use crate::message::Name;

/// When a refusal does not say how long.
const WAIT_MS: u64 = 50;
/// Longest wait, whatever a refusal says: a harness has only so much time.
const WAIT_MS_MAX: u64 = 10_000;

/// What a sender does about a refused message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Remedy {
    /// Send it again, and what stands behind it.
    Again,
    /// The same, but first learn everything up to the head, and name that as its base.
    Rebase,
    /// It can never succeed.
    GiveUp,
}

fn remedy(error: &ErrorBody) -> Remedy {
    let Some(code) = ErrorCode::ALL.iter().find(|code| code.name() == error.code) else {
        // So the protocol says of codes that a client does not know.
        return if error.retry_after_ms.is_some() { Remedy::Again } else { Remedy::GiveUp };
    };
    match (code, code.advice()) {
        (ErrorCode::BaseOld, _) => Remedy::Rebase,
        // Only a server that has lost events says so to this client: the read-back will tell.
        (ErrorCode::SeqAhead, _) | (_, Advice::GiveUp) => Remedy::GiveUp,
        (_, Advice::Retry | Advice::Mend) => Remedy::Again,
    }
}

impl State {
    pub(super) fn on_error(
        &mut self,
        index: usize,
        reference: Option<u32>,
        error: &ErrorBody,
        now: u64,
    ) {
        let Some(name) = error.id.and_then(|id| Name::of_id(&id, self.nonce)) else {
            self.on_other_refused(index, reference, error);
            return;
        };
        let device = &self.devices[index];
        let own = name.place() == device.place;
        if device.copies.has(name) && !(own && device.outbox.has_in_flight(name.counter)) {
            self.on_copy_refused(index, name, error, now);
            return;
        }
        if !own {
            self.last_drop = Some(format!("refused, and never sent here: {name:?}"));
            return;
        }
        self.time_answer(index, name, now);
        match remedy(error) {
            Remedy::GiveUp => {
                tracing::warn!(?name, code = error.code, message = error.message, "refused");
                self.refused += 1;
                self.checker.refused(name);
                let change = self.devices[index].outbox.refused_for_good(name.counter);
                self.settled(index, change, now);
            }
            Remedy::Rebase => {
                self.refused_for_now(index, name);
                let head = error.head.map_or(0, |head| head.0);
                let device = &mut self.devices[index];
                device.outbox.rebase(name.counter);
                device.announced = device.announced.max(head);
                Hold::extend(&mut device.hold, now, head);
                self.rebased += 1;
                // What it said later may have been taken meanwhile: this holds nothing back.
                self.checker.may_stand_behind(name);
                self.catch_up(index, 0);
                self.go_on(index);
            }
            Remedy::Again => {
                self.refused_for_now(index, name);
                self.hold(index, error, now);
            }
        }
    }

    fn refused_for_now(&mut self, index: usize, name: Name) {
        if self.devices[index].outbox.refused_for_now(name.counter) {
            self.in_flight -= 1;
            self.put_off += 1;
        }
    }

    /// A second copy was refused: the first one is what counts, but the server may wait for this.
    fn on_copy_refused(&mut self, index: usize, name: Name, error: &ErrorBody, now: u64) {
        let copies = &mut self.devices[index].copies;
        match remedy(error) {
            Remedy::Again => {
                copies.refused_for_now(name);
                self.hold(index, error, now);
            }
            Remedy::Rebase => {
                copies.answered(name);
                self.go_on(index);
            }
            Remedy::GiveUp => {
                tracing::warn!(?name, code = error.code, message = error.message, "copy refused");
                self.refused += 1;
                copies.answered(name);
                self.go_on(index);
            }
        }
    }

    /// Nothing is sent for as long as the refusal says.
    fn hold(&mut self, index: usize, error: &ErrorBody, now: u64) {
        // What stands behind a refused message is refused without a time of its own.
        let default = if self.devices[index].hold.is_some() { 0 } else { WAIT_MS };
        let wait = error.retry_after_ms.unwrap_or(default).min(WAIT_MS_MAX);
        // Jitter, so that not all come back at once.
        let wait = Duration::from_millis(wait).mul_f64(self.rng.random_range(1.0..1.5));
        let until = now + wait.as_nanos() as u64;
        if Hold::extend(&mut self.devices[index].hold, until, 0) {
            self.later(wait, move |state| state.go_on(index));
        }
        self.go_on(index);
    }

    /// Sends again from the refused message on, if nothing stands against it any more.
    pub(super) fn go_on(&mut self, index: usize) {
        let device = &mut self.devices[index];
        let Some(hold) = device.hold else { return };
        let have = self.checker.have(device.place);
        if hold.is_over(self.clock.now(), have, device.in_flight()) {
            device.hold = None;
            device.outbox.rewind();
            self.pump(index);
        }
    }

    /// A `pull`, a `mark` or the like.
    fn on_other_refused(&mut self, index: usize, reference: Option<u32>, error: &ErrorBody) {
        tracing::warn!(code = error.code, message = error.message, "a request was refused");
        self.last_drop = Some(format!("{}: {}", error.code, error.message));
        if reference.is_some() && reference == self.devices[index].pulling {
            self.devices[index].pulling = None;
            let wait = error.retry_after_ms.unwrap_or(WAIT_MS).clamp(1, WAIT_MS_MAX);
            self.later(Duration::from_millis(wait), move |state| state.pull(index));
        }
    }
}
