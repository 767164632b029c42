//! Who is there. Only those who watch hear of it, as coarsely as it is shown, and not of every
//! lift or tunnel: somebody counts as there for a while after the last connection is gone.

use std::collections::HashMap;
use std::time::Duration;

use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{ChatId, UserId};
use barterline_protocol::Outgoing;
use barterline_protocol::push::Presence;
use barterline_storage::error::StoreError;
use parking_lot::Mutex;

use super::Gateway;

/// How long somebody counts as there after their last connection has gone.
const GRACE: Duration = Duration::from_secs(15);
/// What "last seen" is rounded down to, in milliseconds.
const COARSE_MS: u64 = 60_000;

/// Those who went less than [`GRACE`] ago, with the time they went.
#[derive(Default)]
pub struct Leaving(Mutex<HashMap<UserId, Timestamp>>);

impl Gateway {
    /// Somebody's connection was added.
    pub(super) async fn arrived(&self, user: UserId) {
        let was_leaving = self.0.leaving.0.lock().remove(&user).is_some();
        let mut connections = 0;
        self.0.chats.hub().registry().each_of(user, |_| connections += 1);
        if !was_leaving && connections == 1 {
            self.tell_watchers(user).await;
        }
    }

    /// Somebody's connection was removed.
    pub(super) fn left(&self, user: UserId) {
        if !self.is_connected(user) {
            self.0.leaving.0.lock().insert(user, self.0.clock.now());
        }
    }

    /// Lets those go whose time is over.
    pub(super) async fn let_go(&self) {
        let now = self.0.clock.now();
        let mut gone = Vec::new();
        self.0.leaving.0.lock().retain(|user, left| {
            let stays = now.since(*left) < GRACE;
            if !stays {
                gone.push((*user, *left));
            }
            stays
        });
        for (user, left) in gone {
            if self.is_connected(user) {
                continue;
            }
            let seen = Timestamp::from_millis(left.as_millis() / COARSE_MS * COARSE_MS);
            if let Err(error) = self.0.people.seen(user, seen).await {
                tracing::debug!(%error, "cannot note when somebody was seen");
            }
            self.tell_watchers(user).await;
        }
    }

    fn is_connected(&self, user: UserId) -> bool {
        let mut connected = false;
        self.0.chats.hub().registry().each_of(user, |_| connected = true);
        connected
    }

    async fn tell_watchers(&self, user: UserId) {
        for (chat, slot) in self.0.chats.hub().watches().of(user, self.0.clock.now()) {
            match self.presence(user, slot.user, chat).await {
                Ok(presence) => {
                    slot.answer_if_room(&Outgoing::Presence(presence));
                    slot.flush();
                }
                Err(error) => tracing::debug!(%error, "cannot tell who is there"),
            }
        }
    }

    /// What `other` may know of whether `user` is there.
    pub(super) async fn presence(
        &self,
        user: UserId,
        other: UserId,
        chat: ChatId,
    ) -> Result<Presence, StoreError> {
        if !self.0.people.shows_presence(user, other).await? {
            return Ok(Presence { chat, online: false, last_seen: None });
        }
        let online = self.is_connected(user) || self.0.leaving.0.lock().contains_key(&user);
        let last_seen = if online { None } else { self.0.people.settings(user).await?.last_seen };
        Ok(Presence { chat, online, last_seen })
    }
}
