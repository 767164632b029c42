//! Who may go on, as far as servers tell each other: what ends at one ends at all, and what one of them read
//! another need not.
//!
//! The store is the truth. What is kept beside it is sealed, so that whoever writes there lets nobody in, and
//! is worth nothing after half a minute; what changed is marked before anybody is told of it.

use std::time::Duration;

use barterline_domain::account::AccountRole;
use barterline_domain::bearer::{Bearer, Proof};
use barterline_domain::ids::{SessionId, UserId};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::{Accounts, Revoked};
use crate::auth::sealed::Purpose;
use crate::cluster::{Cluster, Heard, KEPT_FOR};

/// What servers call news of what ended.
const ENDED: &str = "ended";
/// Who has heard everything for less may have missed something before.
const TRUSTED_AFTER: Duration = Duration::from_mins(1);

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

impl Accounts {
    /// Hears what ends at other servers, until `stop`.
    pub async fn hear_others(self, stop: CancellationToken) {
        let Some(cluster) = &self.0.cluster else { return };
        let mut heard = cluster.hear();
        loop {
            let heard = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                heard = heard.recv() => heard,
            };
            let revoked = match heard {
                Ok(Heard::News(news)) if news.topic == ENDED => {
                    // Of a later version it may be something that nobody knows here.
                    serde_json::from_str(&news.body).unwrap_or(Revoked::Unheard)
                }
                Ok(Heard::News(_)) => continue,
                Ok(Heard::Lost) | Err(RecvError::Lagged(_)) => Revoked::Unheard,
                Err(RecvError::Closed) => return,
            };
            self.tell(revoked);
        }
    }

    /// Whether what ends at other servers is heard here, so that nobody need look.
    pub fn hears_others(&self) -> bool {
        let heard_for = self.0.cluster.as_ref().and_then(Cluster::hears_all_for);
        heard_for.is_some_and(|heard_for| heard_for >= TRUSTED_AFTER)
    }

    /// Tells everybody what ended: sockets here, and other servers.
    pub(super) async fn announce(&self, ended: &[Revoked]) {
        for revoked in ended {
            self.tell(*revoked);
        }
        let Some(cluster) = &self.0.cluster else { return };
        // Before anybody is told: whoever comes back meets the mark.
        let names: Vec<_> = ended.iter().filter_map(|revoked| kept_name(*revoked)).collect();
        cluster.spoil(&names).await;
        for revoked in ended {
            if let Ok(body) = serde_json::to_string(revoked) {
                cluster.tell(ENDED, body);
            }
        }
    }

    /// Has everybody ask the store who somebody is.
    pub(super) async fn forget_kept(&self, user: UserId) {
        if let Some(cluster) = &self.0.cluster {
            cluster.spoil(&[account_name(user)]).await;
        }
    }

    /// Somebody's roles, if one of the servers saw of late that they may go on.
    pub(super) async fn kept(&self, bearer: Bearer) -> Option<Vec<AccountRole>> {
        let (Some(cluster), Proof::Session(session)) = (&self.0.cluster, bearer.proof) else {
            return None;
        };
        let names = [session_name(bearer.user, session), account_name(bearer.user)];
        let [kept_session, kept_account] = cluster.kept(names.each_ref().map(String::as_str)).await;
        let (now, sealing) = (self.0.clock.now(), &self.0.sealing);
        let kept: KeptSession = sealing.open(Purpose::KeptSession, &kept_session?, now).ok()?;
        let account: KeptAccount = sealing.open(Purpose::KeptAccount, &kept_account?, now).ok()?;
        let theirs = kept.session == session && account.user == bearer.user;
        theirs.then_some(account.roles)
    }

    /// Keeps for other servers what the store just said.
    pub(super) async fn keep(&self, bearer: Bearer, roles: &[AccountRole]) {
        let (Some(cluster), Proof::Session(session)) = (&self.0.cluster, bearer.proof) else {
            return;
        };
        let (now, sealing, user) = (self.0.clock.now(), &self.0.sealing, bearer.user);
        let kept = KeptSession { session };
        let kept = sealing.seal(Purpose::KeptSession, kept, now, KEPT_FOR);
        let account = KeptAccount { user, roles: roles.to_vec() };
        let account = sealing.seal(Purpose::KeptAccount, account, now, KEPT_FOR);
        cluster.keep(&[(session_name(user, session), kept), (account_name(user), account)]).await;
    }
}

/// What is kept of what ended.
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
