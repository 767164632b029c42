//! Sends what is queued: several at a time, each with tries, pauses and an end.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::transport::SendError;
use super::{Mail, Parts};
use crate::ids::{Ids, around};

/// Mails that are tried at a time: connections to the relay.
const AT_ONCE: usize = 16;
/// Those and the mails between two tries, at some 4 kB each. A relay that puts off so many is ill itself.
const UNDER_WAY_MAX: usize = 1_000;
/// Tries of one mail.
const TRIES: u32 = 5;
/// For one try, from the connection to the last answer.
const TRY_TIMEOUT: Duration = Duration::from_secs(10);
/// Between the first two tries; each further pause is four times as long: 85 s in all.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// For what is queued when the server goes away.
const DRAIN_MAX: Duration = Duration::from_secs(3);

/// Sends mails until it is stopped.
pub struct Courier {
    queue: mpsc::Receiver<Mail>,
    parts: Parts,
}

impl Courier {
    pub(super) fn new(queue: mpsc::Receiver<Mail>, parts: Parts) -> Self {
        Self { queue, parts }
    }

    /// Sends until `stop`, and then for a few seconds what is there.
    pub async fn run(self, stop: CancellationToken) {
        let Self { mut queue, parts } = self;
        let doors = Semaphore::new(AT_ONCE);
        let mut under_way = FuturesUnordered::new();
        let stopped = async {
            loop {
                tokio::select! {
                    // An end is an end, whatever comes; then room is made before more is taken.
                    biased;
                    () = stop.cancelled() => break,
                    Some(()) = under_way.next() => {}
                    mail = queue.recv(), if under_way.len() < UNDER_WAY_MAX => match mail {
                        Some(mail) => under_way.push(deliver(&parts, &doors, &stop, mail)),
                        None => break,
                    },
                }
            }
        };
        stopped.await;
        queue.close();
        let drain = async {
            while let Ok(mail) = queue.try_recv() {
                under_way.push(deliver(&parts, &doors, &stop, mail));
            }
            while under_way.next().await.is_some() {}
        };
        if timeout(DRAIN_MAX, drain).await.is_err() {
            tracing::warn!(mails = under_way.len(), "some mails did not leave before the end");
        }
    }
}

/// Tries to send one mail, until it has left or there is no sense in it. It goes through a door for each
/// try, and holds none up while it waits. When the server goes away, the next try is the last and at once.
async fn deliver(parts: &Parts, doors: &Semaphore, stop: &CancellationToken, mail: Mail) {
    let now = parts.clock.now();
    let written = match parts.stationery.write(&mail, parts.ids.ordered(now), now) {
        Ok(written) => written,
        Err(error) => {
            parts.metrics.failed.inc();
            tracing::warn!(%error, "a mail was not sent");
            return;
        }
    };
    for tried in 1..=TRIES {
        let last = stop.is_cancelled();
        // The semaphore is never closed.
        let door = doors.acquire().await;
        let sent = timeout(TRY_TIMEOUT, parts.transport.send(&written)).await;
        drop(door);
        match sent.unwrap_or(Err(SendError::Late)) {
            Ok(()) => {
                parts.metrics.sent.inc();
                return;
            }
            Err(error) if tried == TRIES || error.is_final() || last => {
                parts.metrics.failed.inc();
                tracing::warn!(%error, tried, mail = %written.id, "a mail was not sent");
                return;
            }
            Err(error) => {
                tracing::debug!(%error, tried, mail = %written.id, "a mail is tried again");
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = sleep(pause_after(tried, &*parts.ids)) => {}
                }
            }
        }
    }
}

/// How long to wait after a try.
fn pause_after(tried: u32, ids: &dyn Ids) -> Duration {
    around(FIRST_PAUSE * 4_u32.pow(tried.saturating_sub(1)), ids)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SystemIds;

    #[test]
    fn pauses_grow_and_differ() {
        for tried in 1..TRIES {
            let pause = FIRST_PAUSE * 4_u32.pow(tried - 1);
            let drawn: Vec<_> = (0..64).map(|_| pause_after(tried, &SystemIds)).collect();
            assert!(drawn.iter().all(|drawn| (pause / 2..=pause * 3 / 2).contains(drawn)));
            assert!(drawn.iter().any(|other| *other != drawn[0]), "{drawn:?}");
        }
    }
}
