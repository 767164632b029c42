//! What to do about a refusal.

use std::time::Duration;

use barterline_protocol::error_code::{Advice, ErrorCode};
use barterline_protocol::response::ErrorBody;

use super::State;
use crate::message::Name;

impl State {
    pub(super) fn on_error(&mut self, index: usize, error: &ErrorBody, now: u64) {
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
            let change = self.devices[index].outbox.refused_for_good(name.counter);
            self.settled(index, change, now);
            return;
        }
        if self.devices[index].outbox.refused_for_now(name.counter) {
            self.in_flight -= 1;
        }
        if !std::mem::replace(&mut self.devices[index].stalled, true) {
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
        let device = &mut self.devices[index];
        device.stalled = false;
        device.outbox.rewind();
        self.pump(index);
    }
}
