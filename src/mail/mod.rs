//! Mail to people: written in their language, queued, sent, tried again. Knows no account and no
//! store.
//!
//! A mail that does not leave in its tries, or for which there is no room, is a line in the log and a
//! number: people ask again. No address, no token and nothing that a relay says is ever logged.

mod language;
mod letter;
mod stationery;

mod courier;
mod transport;

use std::sync::Arc;

use barterline_domain::account::Email;
use barterline_domain::clock::Clock;
use tokio::sync::mpsc;

use crate::ids::Ids;
use crate::telemetry::metrics::MailMetrics;
pub use courier::Courier;
pub use language::Language;
pub use letter::Letter;
pub use stationery::{InvalidSender, Stationery};
pub use transport::{Folder, Relay, RelayError, RelaySettings, Security, Transport};

/// Mails that wait to be sent: at some 2 kB each, 2 MB.
const QUEUE_MAX: usize = 1_000;

/// One mail.
pub struct Mail {
    /// Who gets it.
    pub to: Email,
    /// In which language.
    pub language: Language,
    /// What it says.
    pub letter: Letter,
}

/// What sending stands on.
pub struct Parts {
    /// From whom, and about which page.
    pub stationery: Stationery,
    /// How mail leaves.
    pub transport: Transport,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Names of mails, and how pauses differ.
    pub ids: Arc<dyn Ids>,
    /// What became of mails.
    pub metrics: MailMetrics,
}

/// Takes mails.
#[derive(Clone)]
pub struct Mailer {
    queue: mpsc::Sender<Mail>,
    metrics: MailMetrics,
}

/// The two ends of the queue.
pub fn open(parts: Parts) -> (Mailer, Courier) {
    let (queue, waiting) = mpsc::channel(QUEUE_MAX);
    let mailer = Mailer { queue, metrics: parts.metrics.clone() };
    (mailer, Courier::new(waiting, parts))
}

impl Mailer {
    /// Queues a mail; never waits. Without room for it, it is dropped.
    pub fn send(&self, mail: Mail) {
        if self.queue.try_send(mail).is_err() {
            self.metrics.dropped.inc();
            tracing::warn!("a mail was dropped: too many wait already, or the server goes away");
        }
    }
}
