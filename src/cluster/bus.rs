//! What servers tell each other, at once or not at all: who has to know looks at the store as well.
//!
//! Every server sends itself a sign each second. One that does not hear its own for [`SILENT_AFTER`] listens
//! anew: a connection may be dead without a word.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures_util::StreamExt as _;
use parking_lot::Mutex;
use redis::{Client, Cmd};
use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, mpsc};
use tokio::time::{MissedTickBehavior, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Cluster;
use super::link::Link;
use crate::telemetry::metrics::RedisMetrics;

/// How often a server says that it is there.
const SIGN: Duration = Duration::from_secs(1);
/// A server that does not hear itself for so long hears nobody.
const SILENT_AFTER: Duration = Duration::from_secs(5);
/// For a connection, TLS and log-in with it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two tries to listen: this, and up to as much again.
const PAUSE: Duration = Duration::from_millis(500);
/// News that wait to be said, at some 100 bytes each. Beyond it they are lost, and all are told that.
const WAITING_MAX: usize = 4_096;
/// News that wait to be heard here.
const HEARD_MAX: usize = 4_096;
/// Longest message that is read.
const MESSAGE_BYTES_MAX: usize = 4_096;
/// For what is left to say at the end.
const DRAIN_MAX: Duration = Duration::from_millis(500);

/// Something that another server told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct News {
    /// Of what kind, for those who know it. Nobody has to.
    pub topic: String,
    /// What happened.
    pub body: String,
}

/// What a server hears of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// One thing.
    News(News),
    /// Some things were lost before they were told: look for yourself.
    Lost,
}

/// What goes over the channel.
#[derive(Serialize, Deserialize)]
struct Message {
    from: Uuid,
    #[serde(flatten)]
    word: Word,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "says", rename_all = "snake_case")]
enum Word {
    News(News),
    Lost,
    /// Of a later version.
    #[serde(other)]
    Unknown,
}

pub struct Bus {
    client: Client,
    channel: String,
    /// Where this server alone listens.
    signs: String,
    node: Uuid,
    metrics: RedisMetrics,
    to_say: mpsc::Sender<News>,
    waiting: Mutex<Option<mpsc::Receiver<News>>>,
    /// More was to be said than could wait.
    overflown: AtomicBool,
    heard: broadcast::Sender<Heard>,
    hears: AtomicBool,
}

impl Bus {
    pub fn new(client: Client, prefix: &str, node: Uuid, metrics: RedisMetrics) -> Self {
        let (to_say, waiting) = mpsc::channel(WAITING_MAX);
        Self {
            client,
            channel: format!("{prefix}:news"),
            signs: format!("{prefix}:signs:{node}"),
            node,
            metrics,
            to_say,
            waiting: Mutex::new(Some(waiting)),
            overflown: AtomicBool::new(false),
            heard: broadcast::Sender::new(HEARD_MAX),
            hears: AtomicBool::new(false),
        }
    }

    /// Runs once, until `stop`.
    pub async fn run(&self, link: &Link, stop: CancellationToken) {
        let Some(mut waiting) = self.waiting.lock().take() else { return };
        let mut saying = None;
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = self.speak(link, &mut waiting, &mut saying) => {}
            () = self.sign(link) => {}
            () = self.listen() => {}
        }
        waiting.close();
        let rest = async {
            if let Some(word) = saying {
                self.say(link, &word).await;
            }
            while let Some(news) = waiting.recv().await {
                self.say(link, &Word::News(news)).await;
            }
            if let Some(word) = self.lost() {
                self.say(link, &word).await;
            }
        };
        if timeout(DRAIN_MAX, rest).await.is_err() {
            tracing::warn!("other servers were not told everything before the end");
        }
    }

    /// Says what is to be said, each until Redis took it. What it is at stays in `saying`.
    async fn speak(
        &self,
        link: &Link,
        waiting: &mut mpsc::Receiver<News>,
        saying: &mut Option<Word>,
    ) {
        while let Some(news) = waiting.recv().await {
            let word = saying.insert(Word::News(news));
            self.say(link, word).await;
            *saying = self.lost();
            if let Some(word) = saying {
                self.say(link, word).await;
                *saying = None;
            }
        }
    }

    /// What is to be said after more was told than could wait.
    fn lost(&self) -> Option<Word> {
        self.overflown.swap(false, Ordering::Relaxed).then_some(Word::Lost)
    }

    /// Says a word until Redis takes it.
    async fn say(&self, link: &Link, word: &Word) {
        let message = Message { from: self.node, word: word.clone() };
        // Nothing in it fails.
        let Ok(message) = serde_json::to_string(&message) else { return };
        while !publish(link, &self.channel, &message).await {
            tokio::time::sleep(PAUSE + rand::random_range(Duration::ZERO..PAUSE)).await;
        }
    }

    /// Sends signs to itself, by the way that all use who ask.
    async fn sign(&self, link: &Link) {
        let mut signs = tokio::time::interval(SIGN);
        signs.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            signs.tick().await;
            // One that was lost is followed by the next.
            publish(link, &self.signs, "").await;
        }
    }

    /// Listens, again and again.
    async fn listen(&self) {
        loop {
            let Err(error) = self.hear().await;
            if self.hears.swap(false, Ordering::Relaxed) {
                tracing::warn!(error = format!("{error:#}"), "nothing is heard of Redis");
            }
            self.metrics.hears.set(0);
            tokio::time::sleep(PAUSE + rand::random_range(Duration::ZERO..PAUSE)).await;
        }
    }

    /// Listens until it fails, or this server does not hear itself.
    async fn hear(&self) -> anyhow::Result<Infallible> {
        let subscribed = async {
            let mut listener = self.client.get_async_pubsub().await?;
            listener.subscribe(&[&self.channel, &self.signs]).await?;
            Ok::<_, redis::RedisError>(listener)
        };
        let listener =
            timeout(CONNECT_TIMEOUT, subscribed).await.context("no answer in time")??;
        let mut messages = listener.into_on_message();
        let mut sign_at = Instant::now();
        loop {
            let left = SILENT_AFTER.saturating_sub(sign_at.elapsed());
            let message = timeout(left, messages.next()).await;
            let message = message.context("this server does not hear itself")?;
            let message = message.context("the connection has ended")?;
            if message.get_channel_name() == self.signs {
                sign_at = Instant::now();
                if !self.hears.swap(true, Ordering::Relaxed) {
                    tracing::info!("Redis is heard");
                    self.metrics.hears.set(1);
                }
                continue;
            }
            let bytes = message.get_payload_bytes();
            let sound = Some(bytes).filter(|bytes| bytes.len() <= MESSAGE_BYTES_MAX);
            match sound.and_then(|bytes| serde_json::from_slice(bytes).ok()) {
                Some(Message { from, .. }) if from == self.node => {}
                // Nobody may be listening.
                Some(Message { word: Word::News(news), .. }) => {
                    let _ = self.heard.send(Heard::News(news));
                }
                Some(Message { word: Word::Lost, .. }) => {
                    let _ = self.heard.send(Heard::Lost);
                }
                Some(Message { word: Word::Unknown, .. }) | None => drop(self.metrics.unread.inc()),
            }
        }
    }
}

/// Whether Redis took it.
async fn publish(link: &Link, channel: &str, message: &str) -> bool {
    let mut command = Cmd::new();
    command.arg("PUBLISH").arg(channel).arg(message);
    link.ask_patiently::<i64>(&command).await.is_some()
}

impl Cluster {
    /// Tells other servers; never waits. Nobody may know the topic.
    pub fn tell(&self, topic: &str, body: String) {
        let bus = &self.0.bus;
        if bus.to_say.try_send(News { topic: topic.to_owned(), body }).is_err() {
            bus.overflown.store(true, Ordering::Relaxed);
        }
    }

    /// Hears what other servers tell from here on.
    pub fn hear(&self) -> broadcast::Receiver<Heard> {
        self.0.bus.heard.subscribe()
    }

    /// Whether anything is heard.
    pub fn hears(&self) -> bool {
        self.0.bus.hears.load(Ordering::Relaxed)
    }
}
