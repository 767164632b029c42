//! What servers share beside the store: a Redis. News for each other, counters, and answers of the store
//! that are still warm.
//!
//! All of it may be gone at any moment. The store is the truth, and a server that hears nothing of Redis
//! goes on by itself (G10): nobody waits for it longer than [`Settings::timeout`], and whoever did not get an
//! answer asks nothing more for a moment.

mod bus;
mod cache;
mod counters;
mod link;

use std::sync::Arc;
use std::time::Duration;

use redis::{Client, IntoConnectionInfo as _, RedisError};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::bus::Bus;
use self::link::Link;
use crate::telemetry::metrics::RedisMetrics;
pub use bus::{Heard, News};
pub use cache::KEPT_FOR;
pub use counters::{Guesses, Taken};

/// How Redis is reached.
pub struct Settings {
    /// `redis://host:port/db`, `rediss://…` under TLS, `redis+unix:///path`.
    pub url: String,
    /// Who logs in there; empty: the default user.
    pub user: String,
    /// Their password; empty: none.
    pub password: String,
    /// What every name there begins with: servers of one store share it, with its epoch, and nobody else.
    pub prefix: String,
    /// For an answer on which somebody waits.
    pub timeout: Duration,
}

/// What a server shares with others. Cheap to clone.
#[derive(Clone)]
pub struct Cluster(Arc<Inner>);

struct Inner {
    prefix: String,
    link: Link,
    bus: Bus,
    scripts: counters::Scripts,
}

impl Cluster {
    /// Connects to nobody yet: [`Cluster::run`] does, and whoever asks first. `node` is this server's name
    /// among the others, new at each start.
    pub fn new(settings: Settings, node: Uuid, metrics: RedisMetrics) -> Result<Self, RedisError> {
        let Settings { url, user, password, prefix, timeout } = settings;
        let info = url.as_str().into_connection_info()?;
        let mut login = info.redis_settings().clone().set_skip_set_lib_name();
        if !user.is_empty() {
            login = login.set_username(user);
        }
        if !password.is_empty() {
            login = login.set_password(password);
        }
        // Two providers of cryptography are in the build, and the client takes the one of the process. Where
        // that was chosen already, it stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::open(info.set_redis_settings(login))?;
        let link = Link::new(client.clone(), timeout, metrics.clone())?;
        let bus = Bus::new(client, &prefix, node, metrics);
        let scripts = counters::Scripts::new();
        Ok(Self(Arc::new(Inner { prefix, link, bus, scripts })))
    }

    /// Speaks and listens until `stop`, and then says what is left to say and goodbye.
    pub async fn run(self, stop: CancellationToken) {
        self.0.bus.run(&self.0.link, stop).await;
    }

    fn name(&self, rest: &str) -> String {
        format!("{}:{rest}", self.0.prefix)
    }
}
