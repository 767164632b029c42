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

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::clock::SystemClock;
    use crate::ids::SystemIds;

    #[test]
    fn a_mail_for_which_there_is_no_room_is_counted_and_gone() {
        let dir = TempDir::new().expect("a directory");
        let folder = Folder::open(dir.path()).expect("a directory");
        let link = "https://shop.example/account".to_owned();
        let metrics = MailMetrics::default();
        let (mailer, _courier) = open(Parts {
            stationery: Stationery::new("us@shop.example", link).expect("a sender"),
            transport: Transport::File(folder),
            clock: Arc::new(SystemClock),
            ids: Arc::new(SystemIds),
            metrics: metrics.clone(),
        });
        let to = Email::parse("ana@example.org").expect("an address");
        for sent in 1..=QUEUE_MAX + 2 {
            let (to, language) = (to.clone(), Language::English);
            mailer.send(Mail { to, language, letter: Letter::Taken });
            assert_eq!(metrics.dropped.get(), sent.saturating_sub(QUEUE_MAX) as u64);
        }
    }
}
