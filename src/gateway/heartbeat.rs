//! Signs of life, for all connections by one task: a connection has no timer of its own.

use std::time::Duration;

use barterline_domain::bearer::Proof;
use barterline_protocol::Outgoing;
use barterline_protocol::close_code::CloseCode;
use barterline_protocol::cursor::Cursor;
use barterline_protocol::push::Renew;
use barterline_protocol::request::Ping;
use futures_util::{StreamExt as _, stream};
use tokio::time::MissedTickBehavior;

use super::Gateway;
use super::handshake::token_close_code;
use crate::hub::slot::Slot;
use crate::services::accounts::{AuthError, Revoked};

/// How often a part of the connections is looked at.
const TICK: Duration = Duration::from_secs(1);
/// How long before its end a client is told to renew its token.
const RENEW_BEFORE: Duration = Duration::from_mins(1);
/// In so many ticks every connection that may have ended unheard is looked at once: where its session was
/// ended at another server it ends within half a minute, also where nothing is heard of that one.
const LOOK_PARTS: u64 = 30;
/// And so many at a time.
const LOOKS_AT_ONCE: usize = 32;
/// Heartbeats that a silent connection may miss.
const MISSED_MAX: u32 = 3;

impl Gateway {
    /// Pings connections, closes silent ones and those whose token has ended, and lets the hub
    /// forget idle rooms; until the gateway stops.
    pub async fn run_heartbeat(self) {
        let mut ticks = tokio::time::interval(TICK);
        let mut tick = 0;
        loop {
            tokio::select! {
                biased;
                () = self.0.stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            tick += 1;
            self.beat(tick);
            self.let_go().await;
            if tick % 10 == 0 {
                self.0.chats.hub().evict_idle_rooms();
                self.0.limits.sweep(self.0.clock.now());
                self.0.accounts.sweep();
                self.0.chats.hub().watches().sweep(self.0.clock.now());
            }
        }
    }

    /// Looks at one part of the connections, so that all are looked at in one heartbeat.
    fn beat(&self, tick: u64) {
        let parts = self.0.settings.heartbeat.as_secs().max(1);
        let silent_after = self.0.settings.heartbeat * MISSED_MAX;
        let now = self.0.clock.now();
        let hub = self.0.chats.hub();
        let delivered = hub.delivered();
        let epoch = self.0.chats.position().epoch;
        let mut due = Vec::new();
        hub.registry().each(|slot| {
            if slot.id % parts == tick % parts {
                due.push(std::sync::Arc::clone(slot));
            }
        });
        for slot in due {
            let ends = slot.token_expires_at();
            if now >= ends.plus(self.0.settings.token_grace) {
                slot.close(CloseCode::TokenExpired);
                continue;
            }
            let lasts = matches!(slot.proof, Proof::ApiKey(..));
            if !lasts && now.plus(RENEW_BEFORE) >= ends && slot.is_to_renew() {
                slot.tell(&Outgoing::Renew(Renew { token_expires_at: ends }));
            }
            if now.since(slot.heard_at()) >= silent_after {
                slot.close(CloseCode::Silent);
            } else {
                let told = self.0.chats.hears_everything() && slot.is_clean();
                let cursor = told.then(|| Cursor::new(epoch, delivered));
                slot.answer_if_room(&Outgoing::Ping(Ping { cursor }));
                slot.flush();
            }
        }
    }

    /// Closes the connections of what ended before its time.
    fn close_revoked(&self, revoked: Revoked) {
        let registry = self.0.chats.hub().registry();
        match revoked {
            Revoked::Session { user, session } => registry.each_of(user, |slot| {
                if slot.proof == Proof::Session(session) {
                    slot.close(CloseCode::SessionRevoked);
                }
            }),
            Revoked::ApiKey { user, key } => registry.each_of(user, |slot| {
                if matches!(slot.proof, Proof::ApiKey(shown, _) if shown == key) {
                    slot.close(CloseCode::SessionRevoked);
                }
            }),
            Revoked::Account { user } => {
                registry.each_of(user, |slot| slot.close(CloseCode::Suspended));
            }
            // All are looked at.
            Revoked::Unheard => {}
        }
    }

    /// Looks at every connection that `which` is about: some ended unheard.
    async fn close_all_revoked(&self, which: impl Fn(&Slot) -> bool) {
        let mut slots = Vec::new();
        self.0.chats.hub().registry().each(|slot| {
            if which(slot) {
                slots.push(std::sync::Arc::clone(slot));
            }
        });
        let looks =
            slots.iter().map(async |slot| match self.0.accounts.admits(slot.bearer()).await {
                Ok(_) => None,
                Err(AuthError::Store(error)) => Some(error),
                Err(refusal) => {
                    slot.close(token_close_code(&refusal));
                    None
                }
            });
        let looks: Vec<_> = looks.collect();
        let failures = stream::iter(looks).buffer_unordered(LOOKS_AT_ONCE);
        let failures: Vec<_> = failures.filter_map(std::future::ready).collect().await;
        // One line for all of them: they are looked at again, and tokens end by themselves.
        if let Some(error) = failures.first() {
            let connections = failures.len();
            tracing::warn!(%error, connections, "cannot see whether sessions were ended");
        }
    }

    /// Looks, part after part, at the connections that may have ended unheard: those of keys, which end by
    /// themselves, and on a cluster all, as other servers end what they bear. What those tell is heard at once,
    /// and may be lost.
    async fn look_for_ended(&self) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let hears_all = self.0.chats.hears_everything();
        for tick in 0_u64.. {
            ticks.tick().await;
            self.close_all_revoked(|slot| {
                let may_have_ended = !hears_all || matches!(slot.proof, Proof::ApiKey(..));
                may_have_ended && slot.id % LOOK_PARTS == tick % LOOK_PARTS
            })
            .await;
        }
    }

    /// Closes connections as their sessions and accounts are ended, until the gateway stops.
    pub async fn run_revocations(self) {
        tokio::select! {
            biased;
            () = self.0.stop.cancelled() => {}
            () = self.hear_what_ends() => {}
            () = self.look_for_ended() => {}
        }
    }

    async fn hear_what_ends(&self) {
        use tokio::sync::broadcast::error::RecvError;

        let mut revocations = self.0.accounts.revocations();
        loop {
            match revocations.recv().await {
                Ok(Revoked::Unheard) | Err(RecvError::Lagged(_)) => {
                    self.close_all_revoked(|_| true).await;
                }
                Ok(revoked) => self.close_revoked(revoked),
                Err(RecvError::Closed) => return,
            }
        }
    }
}
