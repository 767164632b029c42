//! What servers tell each other, and whether anything of it can have been missed.
//!
//! Every server says each second that it is there, on the one channel that all listen to, and says nothing of
//! the kind while news of its own wait to be said. So whoever hears itself and everybody it knows has missed
//! nothing; whoever misses one of them for [`SILENT_AFTER`] counts as deaf, and has to look for itself.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures_util::StreamExt as _;
use parking_lot::Mutex;
use redis::{Client, Cmd};
use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Cluster;
use super::link::Link;
use crate::telemetry::metrics::RedisMetrics;

/// How often a server says that it is there.
const SIGN: Duration = Duration::from_secs(1);
/// Who is not heard for so long is missed.
const SILENT_AFTER: Duration = Duration::from_secs(5);
/// Who is missed for so long is gone: a server that fell cannot keep the others alert for ever.
const GONE_AFTER: Duration = Duration::from_hours(1);
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
const DRAIN_MAX: Duration = Duration::from_secs(1);

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
    Here,
    Bye,
    News(News),
    Lost,
    /// Of a later version.
    #[serde(other)]
    Unknown,
}

pub struct Bus {
    client: Client,
    channel: String,
    node: Uuid,
    metrics: RedisMetrics,
    to_say: mpsc::Sender<News>,
    waiting: Mutex<Option<mpsc::Receiver<News>>>,
    /// More was to be said than could wait.
    overflown: AtomicBool,
    heard: broadcast::Sender<Heard>,
    /// Since when nothing can have been missed.
    whole_since: watch::Sender<Option<Instant>>,
}

impl Bus {
    pub fn new(client: Client, channel: String, node: Uuid, metrics: RedisMetrics) -> Self {
        let (to_say, waiting) = mpsc::channel(WAITING_MAX);
        Self {
            client,
            channel,
            node,
            metrics,
            to_say,
            waiting: Mutex::new(Some(waiting)),
            overflown: AtomicBool::new(false),
            heard: broadcast::Sender::new(HEARD_MAX),
            whole_since: watch::Sender::new(None),
        }
    }

    /// Runs once, until `stop`.
    pub async fn run(&self, link: &Link, stop: CancellationToken) {
        let Some(mut waiting) = self.waiting.lock().take() else { return };
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = self.speak(link, &mut waiting) => {}
            () = self.listen() => {}
        }
        waiting.close();
        let rest = async {
            while let Some(news) = waiting.recv().await {
                self.say(link, Word::News(news)).await;
            }
            self.say(link, Word::Bye).await;
        };
        if timeout(DRAIN_MAX, rest).await.is_err() {
            tracing::warn!("other servers were not told everything before the end");
        }
    }

    /// Says what is to be said, each until Redis took it, and then that the server is there.
    async fn speak(&self, link: &Link, waiting: &mut mpsc::Receiver<News>) {
        let mut signs = tokio::time::interval(SIGN);
        signs.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let word = tokio::select! {
                biased;
                news = waiting.recv() => match news {
                    Some(news) => Word::News(news),
                    None => return,
                },
                _ = signs.tick() => {
                    let lost = self.overflown.swap(false, Ordering::Relaxed);
                    if lost { Word::Lost } else { Word::Here }
                }
            };
            let is_sign = matches!(word, Word::Here);
            // A sign that was not heard is followed by the next.
            while !self.say(link, word.clone()).await && !is_sign {
                tokio::time::sleep(PAUSE + rand::random_range(Duration::ZERO..PAUSE)).await;
            }
        }
    }

    async fn say(&self, link: &Link, word: Word) -> bool {
        let message = Message { from: self.node, word };
        // Nothing in it fails.
        let Ok(message) = serde_json::to_string(&message) else { return true };
        let mut publish = Cmd::new();
        publish.arg("PUBLISH").arg(&self.channel).arg(message);
        link.ask_patiently::<i64>(&publish).await.is_some()
    }

    /// Listens, again and again.
    async fn listen(&self) {
        loop {
            let Err(error) = self.hear().await;
            if self.whole_since.send_replace(None).is_some() {
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
            listener.subscribe(&self.channel).await?;
            Ok::<_, redis::RedisError>(listener)
        };
        let listener =
            timeout(CONNECT_TIMEOUT, subscribed).await.context("no answer in time")??;
        let mut messages = listener.into_on_message();
        let mut looks = tokio::time::interval(SIGN);
        // Itself from now on, others as they speak.
        let signs = HashMap::from([(self.node, Instant::now())]);
        let mut ears = Ears { signs, hears_itself: false };
        loop {
            let message = tokio::select! {
                message = messages.next() => message.context("the connection has ended")?,
                _ = looks.tick() => {
                    self.look(&mut ears)?;
                    continue;
                }
            };
            let bytes = message.get_payload_bytes();
            let sound = Some(bytes).filter(|bytes| bytes.len() <= MESSAGE_BYTES_MAX);
            let sound = sound.and_then(|bytes| serde_json::from_slice::<Message>(bytes).ok());
            let Some(Message { from, word }) = sound else {
                self.metrics.unread.inc();
                continue;
            };
            self.take_in(&mut ears, from, word);
        }
    }

    fn take_in(&self, ears: &mut Ears, from: Uuid, word: Word) {
        let is_own = from == self.node;
        if let Word::Bye = word {
            ears.signs.remove(&from);
            return;
        }
        ears.signs.insert(from, Instant::now());
        ears.hears_itself |= is_own;
        match word {
            // Nobody may be listening.
            Word::News(news) if !is_own => drop(self.heard.send(Heard::News(news))),
            Word::Lost if !is_own => drop(self.heard.send(Heard::Lost)),
            // Its own word, or a sign, or nothing that is known here.
            Word::Here | Word::News(_) | Word::Lost | Word::Bye | Word::Unknown => {}
        }
    }

    /// Notes whether anybody is missed.
    fn look(&self, ears: &mut Ears) -> anyhow::Result<()> {
        let now = Instant::now();
        let silent = |since: &Instant| now.duration_since(*since) > SILENT_AFTER;
        let own = ears.signs.get(&self.node);
        anyhow::ensure!(
            own.is_some_and(|since| !silent(since)),
            "this server does not hear itself"
        );
        ears.signs.retain(|_, since| now.duration_since(*since) < GONE_AFTER);
        self.metrics.servers.set(i64::try_from(ears.signs.len()).unwrap_or(i64::MAX));
        let is_whole = ears.hears_itself && !ears.signs.values().any(silent);
        self.whole_since.send_if_modified(|since| match (is_whole, &since) {
            (true, None) => {
                tracing::info!("Redis is heard, and every server that speaks there");
                self.metrics.hears.set(1);
                *since = Some(now);
                true
            }
            (false, Some(_)) => {
                tracing::warn!("a server is not heard any more");
                self.metrics.hears.set(0);
                *since = None;
                true
            }
            (true, Some(_)) | (false, None) => false,
        });
        Ok(())
    }
}

/// Who was heard when.
struct Ears {
    signs: HashMap<Uuid, Instant>,
    hears_itself: bool,
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

    /// For how long nothing that anybody told can have been missed.
    pub fn hears_all_for(&self) -> Option<Duration> {
        self.0.bus.whole_since.borrow().map(|since| since.elapsed())
    }
}
