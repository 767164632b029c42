//! One process of the server: everything between socket and store is the real code, on a runtime
//! of its own, with virtual time. A crash drops the runtime, wherever its tasks are.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use barterline::gateway::{self, Gateway, Settings, Upgraded};
use barterline::hub::Hub;
use barterline::limits::Limits;
use barterline::rest::origins::Origins;
use barterline::services::chats::media::NoMedia;
use barterline::services::chats::{self, Chats, Rules};
use barterline::services::listings::standings::Standings;
use barterline::services::people::People;
use barterline::telemetry::addresses::Addresses;
use barterline::telemetry::metrics::{HubMetrics, RefusalMetrics};
use barterline::telemetry::refusals::Refusals;
use barterline_domain::clock::{Clock, Timestamp};
use barterline_domain::listing::Listing;
use barterline_protocol::Encoding;
use barterline_storage::chat_log::ChatLog;
use barterline_storage::inbox::Inbox;
use bytes::Bytes;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::people::{Shop, Town, accounts};
use crate::pipe::ServerEnd;
use crate::store::{Ground, Node};

/// Groups that wait for delivery.
const OUTCOMES_MAX: usize = 64;
/// What the server's settings say by default.
const SETTINGS: Settings = Settings {
    hello_timeout: Duration::from_secs(10),
    heartbeat: Duration::from_secs(30),
    token_grace: Duration::from_mins(1),
};

pub struct Server {
    runtime: Runtime,
    gateway: Gateway,
    hub: Hub,
    clock: Arc<SimClock>,
    standings: Arc<Standings>,
    tasks: TaskTracker,
}

/// The runtime's virtual time, counted on from where the last server was.
struct SimClock {
    start: Timestamp,
    started: Instant,
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        self.start.plus(self.started.elapsed())
    }
}

impl Server {
    /// Starts a server over what is on disk.
    pub fn start(ground: &Arc<Ground>, now: Timestamp) -> Self {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            // The schedule looks on after each poll of a task, so that it can stop anywhere.
            .event_interval(1)
            .build()
            .expect("a runtime without threads");
        let entered = runtime.enter();
        let clock = Arc::new(SimClock { start: now, started: Instant::now() });
        let shared: Arc<dyn Clock> = clock.clone();
        let (outcomes, delivered) = mpsc::channel(OUTCOMES_MAX);
        let node = Arc::new(Node::new(Arc::clone(ground), outcomes));
        let (log, inbox): (Arc<dyn ChatLog>, Arc<dyn Inbox>) = (node.clone(), node.clone());
        let metrics = HubMetrics::default();
        let position = inbox.position().position;
        let hub = Hub::new(Arc::clone(&log), Arc::clone(&shared), position, false, metrics.clone());
        let people = People::new(Arc::new(Town), Arc::new(Town), Arc::new(Town));
        let limits = Arc::new(Limits::none());
        let standings = Arc::new(Standings::new(Duration::from_secs(5)));
        let chats = Chats::new(chats::Parts {
            log,
            inbox,
            listings: Arc::new(Shop(Arc::clone(ground))),
            standings: Arc::clone(&standings),
            media: Arc::new(NoMedia),
            people: people.clone(),
            limits: Arc::clone(&limits),
            hub: hub.clone(),
            clock: Arc::clone(&shared),
            rules: Rules {
                edit_window: Duration::ZERO,
                delete_window: Duration::ZERO,
                reactions: Vec::new(),
                chats_max: usize::MAX,
            },
        });
        let tasks = TaskTracker::new();
        tasks.spawn(chats.clone().run_news(CancellationToken::new()));
        let gateway = Gateway::new(gateway::Parts {
            chats,
            accounts: accounts(Arc::clone(&shared)),
            people,
            limits,
            clock: shared,
            settings: SETTINGS,
            origins: Origins::default(),
            refusals: Refusals::new(Addresses::None, RefusalMetrics::default()),
            metrics,
            stop: CancellationToken::new(),
            tasks: tasks.clone(),
        });
        tasks.spawn(node.run_committer());
        tasks.spawn(hub.clone().run_delivery(delivered));
        tasks.spawn(gateway.clone().run_heartbeat());
        drop(entered);
        Self { runtime, gateway, hub, clock, standings, tasks }
    }

    pub fn now(&self) -> Timestamp {
        let _entered = self.runtime.enter();
        self.clock.now()
    }

    /// Serves a socket that was just upgraded.
    pub fn serve(&self, socket: ServerEnd, encoding: Encoding) {
        let _entered = self.runtime.enter();
        let client = Ipv4Addr::LOCALHOST.into();
        let upgraded = Upgraded { client, early: Bytes::new(), encoding };
        self.tasks.spawn(self.gateway.clone().serve(socket, upgraded));
    }

    /// Polls so many tasks, or fewer when none is ready. Time stands still.
    pub fn turns(&self, turns: u64) {
        self.runtime.block_on(async {
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
        });
    }

    /// Lets time pass; tasks run when they are ready.
    pub fn pass(&self, time: Duration) {
        self.runtime.block_on(async { tokio::time::sleep(time).await });
    }

    /// Asks everybody to go, within `spread`.
    pub fn drain(&self, spread: Duration) {
        let _entered = self.runtime.enter();
        let gateway = self.gateway.clone();
        self.tasks.spawn(async move { gateway.drain(spread).await });
    }

    /// A listing was edited here.
    pub fn edited(&self, listing: &Listing) {
        self.standings.changed(listing, self.now());
    }

    /// Live connections.
    pub fn connections(&self) -> usize {
        let mut count = 0;
        self.hub.registry().each(|_| count += 1);
        count
    }

    /// The most bytes that are held for one socket.
    pub fn held_bytes_max(&self) -> usize {
        let mut most = 0;
        self.hub.registry().each(|slot| most = most.max(slot.held_bytes()));
        most
    }
}
