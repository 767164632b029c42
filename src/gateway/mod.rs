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
pub mod socket;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use barterline_domain::clock::Clock;
use barterline_protocol::Encoding;
use barterline_protocol::limits::Limits;
use bytes::Bytes;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::handshake::Handshake;
use self::presence::Leaving;
use self::socket::Socket;
use crate::services::accounts::Accounts;
use crate::services::chats::{Chats, Rules};
use crate::services::people::People;
use crate::telemetry::metrics::HubMetrics;

/// What every connection is made of.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

struct Inner {
    chats: Chats,
    accounts: Accounts,
    people: People,
    leaving: Leaving,
    clock: Arc<dyn Clock>,
    settings: Settings,
    limits: Limits,
    metrics: HubMetrics,
    next_slot: AtomicU64,
    stop: CancellationToken,
    tasks: TaskTracker,
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

impl Gateway {
    /// The edge over these services. Connections end when `stop` is cancelled; `tasks` counts them.
    pub fn new(
        chats: Chats,
        accounts: Accounts,
        people: People,
        clock: Arc<dyn Clock>,
        settings: Settings,
        metrics: HubMetrics,
        stop: CancellationToken,
        tasks: TaskTracker,
    ) -> Self {
        let next_slot = AtomicU64::new(1);
        let limits = limits(chats.rules());
        Self(Arc::new(Inner {
            chats,
            accounts,
            people,
            leaving: Leaving::default(),
            clock,
            settings,
            limits,
            metrics,
            next_slot,
            stop,
            tasks,
        }))
    }

    /// Serves a socket that was just upgraded until either side ends it; `early` came with the
    /// request.
    pub fn serve<S: Socket>(
        self,
        socket: S,
        early: Bytes,
        encoding: Encoding,
    ) -> impl Future<Output = ()> + Send {
        // Boxed, and gone before the connection runs: a task is as large as its largest state.
        let handshake = Box::pin(Handshake::new(self, socket, early, encoding).run());
        async move {
            if let Some(connection) = handshake.await {
                connection.run().await;
            }
        }
    }
}

/// What clients are told of the rules.
fn limits(rules: &Rules) -> Limits {
    let ms = |window: Duration| u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
    Limits::new(ms(rules.edit_window), ms(rules.delete_window), rules.reactions.clone())
}
