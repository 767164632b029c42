//! Who may go on, as far as servers tell each other: what ends at one ends at all, and what one of them read
//! another need not.
//!
//! The store is the truth, and asked by whatever outlives a request. What is kept beside it is sealed, so that
//! whoever writes there lets nobody in, and is worth nothing half a minute after it was read. What changed is
//! marked there, and remembered here and by everybody who is told: either is enough.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use barterline_domain::account::AccountRole;
use barterline_domain::bearer::{Bearer, Proof};
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{SessionId, UserId};
use dashmap::DashMap;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::{Accounts, Revoked};
use crate::auth::sealed::Purpose;
use crate::cluster::{Cluster, Heard, KEPT_FOR};

/// What servers call news of what ended.
const ENDED: &str = "ended";
/// And of accounts that changed.
const CHANGED: &str = "changed";
/// A change is remembered for longer than any request takes from its read to its end, and what was kept lasts.
const REMEMBERED_FOR: Duration = Duration::from_mins(2);
/// Changes that are remembered at a time, at some 150 bytes each: 10 MB.
const REMEMBERED_MAX: usize = 1 << 16;

/// What servers share of accounts.
pub struct Shared {
    cluster: Cluster,
    /// What changed, by the name under which it may be kept, and until when that is remembered.
    changed: DashMap<String, Timestamp>,
    /// Milliseconds since 1970 until which nothing kept is believed: more changed than is remembered.
    distrusted_until: AtomicU64,
}

/// A session that goes on.
#[derive(Serialize, Deserialize)]
struct KeptSession {
    session: SessionId,
}

/// Somebody whom nobody keeps out.
#[derive(Serialize, Deserialize)]
struct KeptAccount {
    user: UserId,
    roles: Vec<AccountRole>,
}

impl Shared {
    pub fn new(cluster: Cluster) -> Self {
        Self { cluster, changed: DashMap::new(), distrusted_until: AtomicU64::new(0) }
    }

    fn remember(&self, names: impl IntoIterator<Item = String>, now: Timestamp) {
        let until = now.plus(REMEMBERED_FOR);
        for name in names {
            if self.changed.len() < REMEMBERED_MAX {
                self.changed.insert(name, until);
            } else {
                self.distrusted_until.fetch_max(until.as_millis(), Ordering::Relaxed);
            }
        }
    }

    pub fn sweep(&self, now: Timestamp) {
        self.changed.retain(|_, until| *until > now);
    }

    /// Whether what is kept under a name may be from before a change.
    fn has_changed(&self, name: &str, now: Timestamp) -> bool {
        now.as_millis() < self.distrusted_until.load(Ordering::Relaxed)
            || self.changed.get(name).is_some_and(|until| *until > now)
    }
}

impl Accounts {
    /// Hears what ends and changes at other servers, until `stop`.
    pub async fn hear_others(self, stop: CancellationToken) {
        let Some(shared) = &self.0.shared else { return };
        let mut heard = shared.cluster.hear();
        loop {
            let heard = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                heard = heard.recv() => heard,
            };
            let now = self.0.clock.now();
            match heard {
                Ok(Heard::News(news)) if news.topic == ENDED => {
                    // Of a later version it may be something that nobody knows here.
                    let revoked = serde_json::from_str(&news.body).unwrap_or(Revoked::Unheard);
                    shared.remember(kept_name(revoked), now);
                    self.tell(revoked);
                }
                Ok(Heard::News(news)) if news.topic == CHANGED => {
                    shared.remember(news.body.parse().ok().map(account_name), now);
                }
                Ok(Heard::News(_)) => {}
                Ok(Heard::Lost) | Err(RecvError::Lagged(_)) => self.tell(Revoked::Unheard),
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Tells everybody what ended: sockets here, and other servers.
    pub(super) async fn announce(&self, ended: &[Revoked]) {
        let names: Vec<_> = ended.iter().filter_map(|revoked| kept_name(*revoked)).collect();
        if let Some(shared) = &self.0.shared {
            shared.remember(names.iter().cloned(), self.0.clock.now());
        }
        for revoked in ended {
            self.tell(*revoked);
        }
        let Some(shared) = &self.0.shared else { return };
        for revoked in ended {
            if let Ok(body) = serde_json::to_string(revoked) {
                shared.cluster.tell(ENDED, body);
            }
        }
        shared.cluster.spoil(&names).await;
    }

    /// Has everybody ask the store who somebody is.
    pub(super) async fn announce_change(&self, user: UserId) {
        let Some(shared) = &self.0.shared else { return };
        let name = account_name(user);
        shared.remember([name.clone()], self.0.clock.now());
        shared.cluster.tell(CHANGED, user.to_string());
        shared.cluster.spoil(&[name]).await;
    }

    /// Somebody's roles, if one of the servers read of late that they may go on, and nobody told since
    /// that this changed.
    pub(super) async fn kept(&self, bearer: Bearer) -> Option<Vec<AccountRole>> {
        let (Some(shared), Proof::Session(session)) = (&self.0.shared, bearer.proof) else {
            return None;
        };
        let names = [session_name(bearer.user, session), account_name(bearer.user)];
        let [kept, account] = shared.cluster.kept(names.each_ref().map(String::as_str)).await;
        let (now, sealing) = (self.0.clock.now(), &self.0.sealing);
        if names.iter().any(|name| shared.has_changed(name, now)) {
            return None;
        }
        let kept: KeptSession = sealing.open(Purpose::KeptSession, &kept?, now).ok()?;
        let account: KeptAccount = sealing.open(Purpose::KeptAccount, &account?, now).ok()?;
        let theirs = kept.session == session && account.user == bearer.user;
        theirs.then_some(account.roles)
    }

    /// Keeps for all servers what the store said.
    pub(super) async fn keep(&self, bearer: Bearer, roles: &[AccountRole], read_at: Timestamp) {
        let (Some(shared), Proof::Session(session)) = (&self.0.shared, bearer.proof) else {
            return;
        };
        let (sealing, user) = (&self.0.sealing, bearer.user);
        let kept = KeptSession { session };
        let kept = sealing.seal(Purpose::KeptSession, kept, read_at, KEPT_FOR);
        let account = KeptAccount { user, roles: roles.to_vec() };
        let account = sealing.seal(Purpose::KeptAccount, account, read_at, KEPT_FOR);
        let answers = [(session_name(user, session), kept), (account_name(user), account)];
        shared.cluster.keep(&answers).await;
    }
}

/// Under which name something may be kept of what ended.
fn kept_name(revoked: Revoked) -> Option<String> {
    match revoked {
        Revoked::Session { user, session } => Some(session_name(user, session)),
        Revoked::Account { user } => Some(account_name(user)),
        Revoked::ApiKey { .. } | Revoked::Unheard => None,
    }
}

fn session_name(user: UserId, session: SessionId) -> String {
    format!("{{{user}}}:session:{session}")
}

fn account_name(user: UserId) -> String {
    format!("{{{user}}}:account")
}
