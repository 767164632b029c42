//! Letting the index follow the log, and making the next segment before it is needed. Both off the
//! hot path, in one thread.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::group::HighWater;
use super::index::{Changes, Checkpoint};
use super::state::Shared;
use crate::error::StoreError;

/// How often the log is looked at, and the high-water mark follows it.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// A checkpoint after so much time, if anything changed …
const CHECKPOINT_EVERY: Duration = Duration::from_secs(30);
/// … or so many bytes, which bounds what is replayed at the next start (about 0.1 s).
const CHECKPOINT_BYTES: u64 = 32 << 20;
/// How long the end waits for what is to be overwritten; the rest is done with the next start.
const ERASE_AT_END: Duration = Duration::from_secs(1);
/// Chats kept in memory that could be read back: about 100 MB.
const CACHED_CHATS_MAX: usize = 200_000;

impl Shared {
    /// The thread's loop; ends when the other end of `stop` is gone, with a last checkpoint.
    pub fn run_checkpoints(&self, stop: &Receiver<()>) {
        let mut last = Instant::now();
        let mut marked = 0;
        loop {
            let stopping = stop.recv_timeout(LOOK_EVERY) != Err(RecvTimeoutError::Timeout);
            if !stopping {
                self.prepare_next_segment();
            }
            marked = self.mark_high_water(marked);
            let bytes = self.state.lock().since_checkpoint;
            let due = bytes >= CHECKPOINT_BYTES || (bytes > 0 && last.elapsed() > CHECKPOINT_EVERY);
            if due || (stopping && bytes > 0) {
                if let Err(error) = self.checkpoint() {
                    tracing::warn!(%error, "the chat index lags behind the log");
                }
                last = Instant::now();
            }
            self.erase_some();
            if stopping {
                let begun = Instant::now();
                while self.erase_some() && begun.elapsed() < ERASE_AT_END {}
                return;
            }
        }
    }

    /// Lets the high-water mark follow the log, if it grew beyond `marked`; gives the new mark.
    fn mark_high_water(&self, marked: u64) -> u64 {
        // The planted fault would be found at the next start by this mark; it is for the harness.
        if cfg!(feature = "fault-ack-before-write") {
            return marked;
        }
        let (position, number) = {
            let state = self.state.lock();
            (state.position, state.link.number)
        };
        if position == marked {
            return marked;
        }
        let mark = HighWater { position, number };
        match self.disk.write_high_water(&mark.to_bytes()) {
            Ok(()) => position,
            // A mark that lags protects less; it is no reason to stop.
            Err(error) => {
                tracing::warn!(%error, "cannot write the log's high-water mark");
                marked
            }
        }
    }

    /// Creates the next segment once the present one is half full, so that no group waits for it.
    fn prepare_next_segment(&self) {
        let (position, failed) = {
            let state = self.state.lock();
            (state.position, state.failed.is_some())
        };
        let offset = position % self.segment_bytes;
        if failed || offset < self.segment_bytes / 2 {
            return;
        }
        let next = position - offset + self.segment_bytes;
        // The committer tries again and says why it fails.
        let _ = self.segment_or_create(next);
    }

    /// Writes what changed since the last checkpoint into the index.
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        let _checkpointing = self.checkpointing.lock();
        let (changes, checkpoint, bytes) = {
            let mut state = self.state.lock();
            let dirty = std::mem::take(&mut state.dirty);
            let mut chats = Vec::with_capacity(dirty.len());
            for id in dirty {
                if let Some(entry) = state.chats.get_mut(&id) {
                    entry.dirty = false;
                    chats.push(entry.row.clone());
                }
            }
            let members = state.fresh.iter().copied().collect();
            let (amendments, edits) = (state.amendments.clone(), state.edits.clone());
            let changes = Changes { chats, members, amendments, edits };
            let checkpoint =
                Checkpoint { start: state.start, position: state.position, link: state.link };
            (changes, checkpoint, std::mem::take(&mut state.since_checkpoint))
        };
        let written = self.index.write(&changes, checkpoint);
        let mut state = self.state.lock();
        if written.is_err() {
            state.since_checkpoint += bytes;
            for row in &changes.chats {
                state.touch(row.chat.id);
            }
            return written;
        }
        for member in &changes.members {
            state.fresh.remove(member);
        }
        // What was amended again meanwhile stays for the next one.
        state.amendments.retain(|key, amendment| changes.amendments.get(key) != Some(amendment));
        state.edits.retain(|key, _| !changes.edits.contains_key(key));
        if changes.amendments.keys().any(|(.., aspect)| aspect.is_text() || aspect.is_presence()) {
            self.erases.store(true, Ordering::Release);
        }
        if state.chats.len() > CACHED_CHATS_MAX {
            state.evictions += 1;
            state
                .chats
                .retain(|_, entry| !entry.is_clean() || Arc::strong_count(&entry.row.chat) > 1);
        }
        written
    }
}
