//! The edge of sockets: frames in, one service call each, frames out. Holds no rule about who may
//! do what.

pub mod accept;
mod close;
mod connection;
mod dispatch;
mod drain;
mod handshake;
pub mod heartbeat;
mod presence;
mod pull;
pub mod socket;

use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use barterline_domain::clock::Clock;
use barterline_protocol::Encoding;
use barterline_protocol::limits::Limits as Told;
use bytes::Bytes;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::handshake::Handshake;
use self::presence::Leaving;
use self::socket::Socket;
use crate::limits::Limits;
use crate::rest::origins::Origins;
use crate::services::accounts::Accounts;
use crate::services::chats::{Chats, Rules};
use crate::services::people::People;
use crate::telemetry::metrics::HubMetrics;
use crate::telemetry::refusals::Refusals;

/// What every connection is made of.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

struct Inner {
    parts: Parts,
    leaving: Leaving,
    /// What clients are told of the rules.
    told: Told,
    next_slot: AtomicU64,
}

impl Deref for Inner {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

/// What the edge stands on.
pub struct Parts {
    /// The rules of chats.
    pub chats: Chats,
    /// Who somebody is.
    pub accounts: Accounts,
    /// Who shows what to whom.
    pub people: People,
    /// How much anybody may do.
    pub limits: Arc<Limits>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Times that clients are held to.
    pub settings: Settings,
    /// Web pages of these origins may open sockets, beside those of our own.
    pub origins: Origins,
    /// What is refused has a line in the log.
    pub refusals: Refusals,
    /// What is counted.
    pub metrics: HubMetrics,
    /// Connections end when it is cancelled.
    pub stop: CancellationToken,
    /// Counts connections.
    pub tasks: TaskTracker,
}

/// Times that clients are held to.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// For `hello` to come.
    pub hello_timeout: Duration,
    /// Between signs of life.
    pub heartbeat: Duration,
    /// How long a connection outlives its token.
    pub token_grace: Duration,
}

/// What is known of a socket that was just upgraded.
pub struct Upgraded {
    /// Whose it is.
    pub client: IpAddr,
    /// What came with the request.
    pub early: Bytes,
    /// What is spoken.
    pub encoding: Encoding,
}

impl Gateway {
    /// The edge over these services.
    pub fn new(parts: Parts) -> Self {
        let told = told(parts.chats.rules());
        let (leaving, next_slot) = (Leaving::default(), AtomicU64::new(1));
        Self(Arc::new(Inner { parts, leaving, told, next_slot }))
    }

    /// Serves a socket that was just upgraded until either side ends it.
    pub fn serve<S: Socket>(
        self,
        socket: S,
        upgraded: Upgraded,
    ) -> impl Future<Output = ()> + Send {
        // Boxed, and gone before the connection runs: a task is as large as its largest state.
        let handshake = Box::pin(Handshake::new(self, socket, upgraded).run());
        async move {
            if let Some(connection) = handshake.await {
                connection.run().await;
            }
        }
    }
}

/// What clients are told of the rules.
fn told(rules: &Rules) -> Told {
    let ms = |window: Duration| u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
    Told::new(ms(rules.edit_window), ms(rules.delete_window), rules.reactions.clone())
}
