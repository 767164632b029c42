//! Overwrites the words of messages that were taken back, where they stand.
//!
//! A checkpoint notes which messages are to be looked at, and its thread looks at some of them at a time:
//! nothing waits for it. A record is overwritten by one of the same length and checksum, so that nothing
//! else changes. Half of it would be damage: what is to be written stands in the index before, and is
//! written once more when the log is opened.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use barterline_domain::event::Seq;
use barterline_domain::ids::ChatId;

use super::disk::{Disk, SegmentFile};
use super::index::{Erasure, Index};
use super::state::Shared;
use crate::error::StoreError;
use crate::record::chat_log::{RECORD_HEADER_BYTES, erase_record, read_record};
use crate::record::sealing::Sealing;

const OPERATION: &str = "overwrite what was taken back";
/// Messages that are looked at in one step.
const STEP: usize = 64;
/// Bytes after which a step ends early.
const STEP_BYTES: usize = 4 << 20;

impl Shared {
    /// Looks at some of the messages that are due; whether there may be more.
    pub(super) fn erase_some(&self) -> bool {
        if !self.erases.load(Ordering::Acquire) || self.state.lock().failed.is_some() {
            return false;
        }
        // Before it is looked: what is noted meanwhile is seen the next time.
        self.erases.store(false, Ordering::Release);
        match self.erase_step() {
            Ok(more) => {
                self.erases.fetch_or(more, Ordering::AcqRel);
                more
            }
            Err(error) => {
                // They are still due, with the next start.
                tracing::error!(%error, "what was taken back is not overwritten");
                false
            }
        }
    }

    pub(super) fn erase_step(&self) -> Result<bool, StoreError> {
        // What is noted while it is looked must not be taken for what was looked at.
        let _checkpointing = self.checkpointing.lock();
        let mut due = self.index.due(STEP)?;
        if due.is_empty() {
            return Ok(false);
        }
        let (mut erasures, mut bytes) = (Vec::new(), 0);
        due.retain(|(chat, target)| {
            if bytes > STEP_BYTES {
                return false;
            }
            match self.erasures_of(*chat, *target) {
                Ok(found) => {
                    bytes += found.iter().map(|(_, record)| record.len()).sum::<usize>();
                    erasures.extend(found);
                    true
                }
                // What is damaged is read by nobody; what could not be read now stays due.
                Err(error) => {
                    tracing::error!(%error, "words are not overwritten");
                    matches!(error, StoreError::Corrupt { .. })
                }
            }
        });
        if due.is_empty() {
            return Ok(false);
        }
        if bytes > 0 {
            self.index.keep_erasures(&erasures)?;
            // Whoever finds half a record waits here, and reads it again.
            let _erasing = self.erasing.lock();
            let writes = pending(&*self.disk, &self.index, self.segment_bytes)?;
            overwrite(&writes).inspect_err(|error| {
                // Nobody knows what the disk has.
                self.state.lock().failed.get_or_insert_with(|| error.to_string());
            })?;
            self.index.drop_erasures()?;
        }
        self.index.drop_due(&due)?;
        Ok(true)
    }

    /// A message that was taken back, and its edits, without their words; nothing if it was not.
    fn erasures_of(&self, chat: ChatId, target: Seq) -> Result<Vec<Erasure>, StoreError> {
        let tail = self.with_chat(chat, |state, id| state.chats[&id].row.tail)?;
        let Some(tail) = tail.filter(|tail| target <= tail.head) else { return Ok(Vec::new()) };
        if !self.is_gone(chat, target)? {
            return Ok(Vec::new());
        }
        let mut positions = self.index.edits(chat, target)?;
        positions.push(self.position_of(chat, &tail, target)?);
        let mut found = Vec::new();
        for position in positions {
            let mut record = self.record_bytes(position)?;
            if erase_record(&mut record).map_err(|_| self.damaged(position))? {
                found.push((position, record));
            }
        }
        Ok(found)
    }
}

/// A file, and what is to be written into it at which offsets.
type Writes = (Arc<dyn SegmentFile>, Vec<(u64, Vec<u8>)>);

/// Overwrites what the index says is to be overwritten.
pub(super) fn finish_erasures(
    disk: &dyn Disk,
    index: &Index,
    segment_bytes: u64,
) -> Result<(), StoreError> {
    let writes = pending(disk, index, segment_bytes)?;
    overwrite(&writes)?;
    if writes.is_empty() { Ok(()) } else { index.drop_erasures() }
}

/// What the index says is to be overwritten, in files of its own: who syncs a file is told once of what the
/// disk refused, and those who append have to be told as well. Nothing is written yet.
fn pending(disk: &dyn Disk, index: &Index, segment_bytes: u64) -> Result<Vec<Writes>, StoreError> {
    let erasures = index.erasures()?;
    // They ascend by position.
    let of_files = erasures.chunk_by(|one, other| one.0 / segment_bytes == other.0 / segment_bytes);
    let prepared = of_files.map(|of_file| {
        let start = of_file[0].0 - of_file[0].0 % segment_bytes;
        let file = disk.open(start).map_err(failed)?;
        let mut writes = Vec::with_capacity(of_file.len());
        for (position, record) in of_file {
            let offset = position - start;
            let mut stands = vec![0; record.len()];
            let n = file.read_at(&mut stands, offset).map_err(failed)?;
            // Length and checksum are the same all along, or it is another log.
            let is_of_it = stands[..n].starts_with(&record[..RECORD_HEADER_BYTES]);
            if !is_of_it || read_record(record, &Sealing::without_words()).is_err() {
                let place = format!("{}, offset {offset}", disk.place(start));
                return Err(StoreError::corrupt(OPERATION, place));
            }
            writes.push((offset, record.clone()));
        }
        Ok((file, writes))
    });
    prepared.collect()
}

fn overwrite(writes: &[Writes]) -> Result<(), StoreError> {
    for (file, writes) in writes {
        for (offset, record) in writes {
            file.write_all_at(record, *offset).map_err(failed)?;
        }
        file.sync().map_err(failed)?;
    }
    Ok(())
}

fn failed(error: std::io::Error) -> StoreError {
    StoreError::unavailable(OPERATION, error)
}
