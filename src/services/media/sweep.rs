//! What nothing shows any more goes: files that were never sent, files of messages that were taken back, photos
//! that were taken out of listings, pictures that people showed before, and bytes of all. Every server looks, and
//! each look does nothing that cannot be done twice.

use std::time::Duration;

use barterline_domain::clock::Timestamp;
use barterline_domain::media::{self as files, ORPHAN_LIFETIME, State};
use barterline_storage::media::Look;
use futures_util::{StreamExt as _, future, stream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::holders::Holding;
use super::upload::RECEIVED_LOOK;
use super::{Media, MediaError, ROW_STAYS, keys};
use crate::ids::around;

/// Between two turns, half to one and a half times.
const PAUSE: Duration = Duration::from_secs(5);
/// Files of a turn.
const LOOKS_MAX: usize = 100;
/// Of these, so many at a time.
const LOOKS_AT_ONCE: usize = 8;
/// For one of them.
const LOOK_TIMEOUT: Duration = Duration::from_mins(2);
/// What failed is tried again after this, at first.
const RETRY: Duration = Duration::from_mins(1);
/// Longest pause between two tries.
const RETRY_MAX: Duration = Duration::from_hours(1);
/// Files that are due, of which each server takes some: so they share what is to be done.
const DUE_MAX: usize = 10 * LOOKS_MAX;

/// What follows from a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Nothing.
    Nothing,
    /// Another look.
    At(Timestamp),
}

impl Media {
    /// Looks at what is due, until `stop`.
    pub async fn run_sweeper(self, stop: CancellationToken) {
        // What is cut off is due again.
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.sweep_on() => {}
        }
    }

    async fn sweep_on(&self) {
        loop {
            // Whatever is due goes on at once, unless it cannot.
            if self.sweep().await < LOOKS_MAX {
                sleep(around(PAUSE, &*self.0.ids)).await;
            }
        }
    }

    /// Looks at what is due now; gives how many files that were which are due no more.
    pub(super) async fn sweep(&self) -> usize {
        let mut due = match self.0.store.due(self.0.clock.now(), DUE_MAX).await {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(%error, "files are looked at later");
                return 0;
            }
        };
        if due.len() > LOOKS_MAX {
            let [one, other, ..] = self.0.ids.random();
            let first = usize::from(u16::from_be_bytes([one, other])) % due.len();
            due.rotate_left(first);
            due.truncate(LOOKS_MAX);
        }
        let looks: Vec<_> = due.into_iter().map(|look| self.take_look(look)).collect();
        let taken = stream::iter(looks).buffer_unordered(LOOKS_AT_ONCE);
        taken.filter(|taken| future::ready(*taken)).count().await
    }

    async fn take_look(&self, look: Look) -> bool {
        let next = match timeout(LOOK_TIMEOUT, Box::pin(self.look(look))).await {
            Ok(Ok(next)) => next,
            Ok(Err(error)) => {
                tracing::warn!(%error, media = %look.media, "a file is looked at later");
                self.later(look)
            }
            Err(_) => {
                tracing::warn!(media = %look.media, "looking at a file took too long");
                self.later(look)
            }
        };
        // The next one first: else a file may be forgotten. What fails here is due still.
        let taken = async {
            if let Next::At(at) = next {
                self.0.store.look_again(Look { at, ..look }).await?;
            }
            self.0.store.looked(look).await
        };
        if let Err(error) = taken.await {
            tracing::warn!(%error, media = %look.media, "a file is looked at twice");
            return false;
        }
        true
    }

    /// When what failed is tried again: the older a file is, the later.
    fn later(&self, look: Look) -> Next {
        let (now, id) = (self.0.clock.now(), look.media.as_bytes());
        // Ids are ordered by time: their first 48 bits are milliseconds (RFC 9562, section 5.7).
        let began = id[..6].iter().fold(0, |time, byte| time << 8 | u64::from(*byte));
        let age = now.since(Timestamp::from_millis(began));
        Next::At(now.plus((age / 4).clamp(RETRY, RETRY_MAX)))
    }

    async fn look(&self, look: Look) -> Result<Next, MediaError> {
        let now = self.0.clock.now();
        let Some(media) = self.0.store.find(look.media).await? else {
            // Bytes that were on their way when the row went.
            self.0.blobs.remove_all(&keys::all(look.media)).await?;
            return Ok(Next::Nothing);
        };
        let is_old = now.since(media.created) >= ORPHAN_LIFETIME;
        match media.state {
            State::Ending => self.go_on_ending(&media, now).await,
            _ if media.shown.is_some() => self.look_at_shown(media, now).await,
            _ if is_old => self.end_at_last(media, now).await,
            State::Received => {
                let created = media.created;
                // Done, or being done, or too much is to be done: the next look finds out. The longer it takes, the
                // later that is.
                let pause = (now.since(created) / 4).clamp(RECEIVED_LOOK, RETRY_MAX);
                drop(self.work_on(media));
                Ok(Next::At(now.plus(pause).min(created.plus(ORPHAN_LIFETIME))))
            }
            // Looked at again when it is a day old: that was noted with the row.
            // Somebody brings it here just now.
            State::Waiting if self.0.arriving.lock().contains_key(&media.id) => Ok(Next::Nothing),
            State::Waiting => {
                let raw = self.0.blobs.head(&keys::raw(media.id)).await?;
                if raw.is_some_and(|bytes| bytes > media.declared) {
                    self.forget_arrived(media.id).await?;
                }
                Ok(Next::Nothing)
            }
            State::Ready(_) | State::Refused(_) => {
                self.forget_arrived(media.id).await?;
                Ok(Next::Nothing)
            }
        }
    }

    async fn go_on_ending(&self, media: &files::Media, now: Timestamp) -> Result<Next, MediaError> {
        self.0.blobs.remove_all(&keys::all(media.id)).await?;
        let gone_at = media.created.plus(ROW_STAYS);
        if now < gone_at {
            return Ok(Next::At(gone_at));
        }
        let is_gone = self.0.store.remove(media.id, media.version).await?;
        Ok(if is_gone { Next::Nothing } else { Next::At(now.plus(RETRY)) })
    }

    async fn look_at_shown(&self, media: files::Media, now: Timestamp) -> Result<Next, MediaError> {
        match self.holding(&media).await? {
            Holding::Stands(_) => {
                if now.since(media.created) >= ORPHAN_LIFETIME {
                    // What was put past this server after it had been taken.
                    self.forget_arrived(media.id).await?;
                }
                Ok(Next::Nothing)
            }
            Holding::Absent { until } if now < until => Ok(Next::At(until)),
            // The row was read before what is to show the file: whoever claims it from then on changes the row, and
            // nobody else may come to name it. What was on its way before is there by now, or never will be.
            Holding::Gone | Holding::Absent { .. } => {
                if self.stands_after_all(&media).await? {
                    return Ok(Next::Nothing);
                }
                self.end_at_last(media, now).await
            }
            Holding::Unclear => Ok(Next::At(now.plus(ORPHAN_LIFETIME))),
        }
    }

    /// Ends a file, unless it changes: then it is looked at again.
    async fn end_at_last(&self, media: files::Media, now: Timestamp) -> Result<Next, MediaError> {
        Ok(if self.end(media).await? { Next::Nothing } else { Next::At(now.plus(RETRY)) })
    }
}
