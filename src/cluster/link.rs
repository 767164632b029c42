//! A connection that everybody shares, and on which nobody waits for long.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, FromRedisValue, Pipeline, RedisError, RedisResult, ScriptInvocation};
use tokio::time::timeout;

use crate::telemetry::metrics::RedisMetrics;

/// After a question without an answer nobody asks for so long: one waits, and not everybody.
const PAUSE: Duration = Duration::from_secs(1);
/// For a connection, TLS and log-in with it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two lines about refusals.
const LINES_APART: Duration = Duration::from_mins(1);
/// What is on its way at a time: beyond it, a question waits for its turn, and no longer than for an answer.
const AT_ONCE: usize = 1_024;

/// A connection to Redis that comes back by itself.
pub struct Link {
    client: Client,
    manager: Mutex<ConnectionManager>,
    /// Something failed since the connection was made. It may be one that never fails by itself: to nobody
    /// who says so, to a copy that takes no writes, or with a log-in that was refused.
    is_doubtful: AtomicBool,
    timeout: Duration,
    metrics: RedisMetrics,
    begun: Instant,
    /// Milliseconds since `begun` until which nobody asks.
    quiet_until: AtomicU64,
    /// Milliseconds since `begun` until which no line is written.
    told_until: AtomicU64,
}

impl Link {
    pub fn new(
        client: Client,
        timeout: Duration,
        metrics: RedisMetrics,
    ) -> Result<Self, RedisError> {
        let manager = Mutex::new(manager_of(&client)?);
        Ok(Self {
            client,
            manager,
            is_doubtful: AtomicBool::new(false),
            timeout,
            metrics,
            begun: Instant::now(),
            quiet_until: AtomicU64::new(0),
            told_until: AtomicU64::new(0),
        })
    }

    fn manager(&self) -> ConnectionManager {
        self.manager.lock().clone()
    }

    /// Asks; `None` when there is no answer in time, or it is a refusal.
    pub async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Option<T> {
        let mut manager = self.manager();
        self.within(async { command.query_async(&mut manager).await }).await
    }

    /// Asks several things at once.
    pub async fn ask_all<T: FromRedisValue>(&self, commands: &Pipeline) -> Option<T> {
        let mut manager = self.manager();
        self.within(async { commands.query_async(&mut manager).await }).await
    }

    /// Runs a script.
    pub async fn invoke<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Option<T> {
        let mut manager = self.manager();
        self.within(async { script.invoke_async(&mut manager).await }).await
    }

    /// Asks on behalf of nobody who waits: as long as a connection may take, whether anybody was
    /// answered of late or not, and on another connection where the last one is doubtful.
    pub async fn ask_patiently<T: FromRedisValue>(&self, command: &Cmd) -> Option<T> {
        let doubtful = self.is_doubtful.load(Ordering::Relaxed);
        let fresh = doubtful.then(|| manager_of(&self.client).ok()).flatten();
        let mut manager = fresh.clone().unwrap_or_else(|| self.manager());
        let answer = timeout(CONNECT_TIMEOUT, command.query_async(&mut manager)).await;
        let answer = self.settle(answer.ok());
        if answer.is_some() {
            // Once it is there: whoever waits for an answer does not wait for a connection.
            if let Some(fresh) = fresh {
                *self.manager.lock() = fresh;
                self.is_doubtful.store(false, Ordering::Relaxed);
            }
            self.quiet_until.store(0, Ordering::Relaxed);
        }
        answer
    }

    async fn within<T>(&self, answer: impl Future<Output = RedisResult<T>>) -> Option<T> {
        if self.now_ms() < self.quiet_until.load(Ordering::Relaxed) {
            return None;
        }
        let answer = timeout(self.timeout, answer).await;
        let answer = self.settle(answer.ok());
        if answer.is_none() {
            self.quiet_until.store(self.now_ms() + in_ms(PAUSE), Ordering::Relaxed);
        }
        answer
    }

    fn settle<T>(&self, answer: Option<RedisResult<T>>) -> Option<T> {
        let refusal = match answer {
            Some(Ok(answer)) => return Some(answer),
            Some(Err(error)) => Some(error),
            None => None,
        };
        self.is_doubtful.store(true, Ordering::Relaxed);
        self.metrics.failed.inc();
        let now = self.now_ms();
        let told_until = self.told_until.load(Ordering::Relaxed);
        let next = now + in_ms(LINES_APART);
        let is_due = now >= told_until;
        if is_due && self.told_until.fetch_max(next, Ordering::Relaxed) == told_until {
            let reason = refusal.map_or_else(|| "no answer in time".to_owned(), |e| e.to_string());
            tracing::warn!(reason, "Redis does not do what it is asked");
        }
        None
    }

    fn now_ms(&self) -> u64 {
        in_ms(self.begun.elapsed())
    }
}

/// Connects when it is first asked.
fn manager_of(client: &Client) -> RedisResult<ConnectionManager> {
    // A retry is made by whoever asks next, as the time of who waits is short.
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(None)
        .set_number_of_retries(0)
        .set_concurrency_limit(AT_ONCE);
    ConnectionManager::new_lazy_with_config(client.clone(), config)
}

fn in_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
