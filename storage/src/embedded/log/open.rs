//! Opening a log: replay what the index lacks, drop a torn last group, refuse damage.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fs;
use std::hash::RandomState;
use std::os::unix::fs::DirBuilderExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, mpsc as std_mpsc};
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex, RwLock};
use tokio::sync::{Notify, mpsc};

use super::disk::{DirDisk, Disk, SegmentFile};
use super::erase::finish_erasures;
use super::group::{
    BadSegment, FORMAT_VERSION, HighWater, SEGMENT_HEADER_BYTES, SegmentHeader, find, find_later,
};
use super::index::{Checkpoint, Index};
use super::state::{Entry, Log, Shared, State};
use crate::chat_log::Outcomes;
use crate::error::StoreError;
use crate::record::amend::Aspect;
use crate::record::chat_log::{RECORD_BYTES_MAX, Record, read_record, record_len};
use crate::record::index::Amendment;
use crate::record::sealing::Sealing;

/// Committed groups that wait for delivery before the committer waits too.
const OUTCOMES_MAX: usize = 16;
/// Epoch of a store that was never restored or repaired.
pub const FIRST_EPOCH: u32 = 1;

/// How to open a log.
#[derive(Debug, Clone)]
pub struct Options {
    /// Directory of the log and its index.
    pub dir: PathBuf,
    /// Bytes of a segment; at least 1 MiB. The same for the life of a log.
    pub segment_bytes: u64,
    /// Epoch of a log that is made now. One that is there says its own.
    pub epoch: u32,
    /// How the words of events are kept.
    pub sealing: Sealing,
}

/// An open log, and where its outcomes arrive.
pub struct Opened {
    /// The log.
    pub log: Log,
    /// To be read without pause.
    pub outcomes: Outcomes,
}

/// The threads behind a log; ended in order when the last handle goes.
pub(super) struct Threads {
    shared: Arc<Shared>,
    kicker: tokio::task::JoinHandle<()>,
    committer: Option<JoinHandle<()>>,
    checkpoints: Option<(std_mpsc::Sender<()>, JoinHandle<()>)>,
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.kicker.abort();
        self.shared.state.lock().stopping = true;
        self.shared.wake.notify_one();
        if let Some(committer) = self.committer.take() {
            let _ = committer.join();
        }
        if let Some((stop, thread)) = self.checkpoints.take() {
            drop(stop);
            let _ = thread.join();
        }
    }
}

impl Log {
    /// Opens or creates the log in a directory. Needs a tokio runtime around it.
    pub fn open(options: &Options) -> Result<Opened, StoreError> {
        let open = |error: std::io::Error| {
            let dir = options.dir.display();
            StoreError::unavailable("open the chat log", format!("{dir}: {error}"))
        };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&options.dir).map_err(open)?;
        let disk = DirDisk::open(&options.dir.join("log")).map_err(open)?;
        let index = Index::open(&options.dir.join("index.redb"))?;
        let Options { segment_bytes, epoch, ref sealing, .. } = *options;
        Self::open_on(Box::new(disk), index, (segment_bytes, epoch), sealing.clone())
    }

    pub(super) fn open_on(
        disk: Box<dyn Disk>,
        index: Index,
        (segment_bytes, epoch): (u64, u32),
        sealing: Sealing,
    ) -> Result<Opened, StoreError> {
        let mut replay = Replay::start(&*disk, &index, segment_bytes, epoch)?;
        replay.run()?;
        let Replay { segments, state, epoch, .. } = replay;
        let (outcomes, receiver) = mpsc::channel(OUTCOMES_MAX);
        let shared = Arc::new(Shared {
            durable: AtomicU64::new(state.position),
            state: Mutex::new(state),
            wake: Condvar::new(),
            kick: Arc::new(Notify::new()),
            segment_bytes,
            sealing,
            segments: RwLock::new(segments),
            creating: Mutex::new(()),
            checkpointing: Mutex::new(()),
            erasing: Mutex::new(()),
            // There may be something from before.
            erases: AtomicBool::new(true),
            index,
            outcomes,
            epoch,
            disk,
        });
        let threads = Threads::start(&shared)?;
        Ok(Opened { log: Self { shared, _threads: Arc::new(threads) }, outcomes: receiver })
    }
}

impl Threads {
    fn start(shared: &Arc<Shared>) -> Result<Self, StoreError> {
        let failed = |error| StoreError::unavailable("start the chat log", error);
        let kicker =
            tokio::spawn(Shared::run_kicker(Arc::clone(&shared.kick), Arc::downgrade(shared)));
        let committer = {
            let shared = Arc::clone(shared);
            let thread = std::thread::Builder::new().name("log-commit".to_owned());
            let run = move || {
                if catch_unwind(AssertUnwindSafe(|| shared.run_committer())).is_err() {
                    let reason = "the committing thread panicked";
                    shared.state.lock().failed.get_or_insert_with(|| reason.to_owned());
                }
            };
            thread.spawn(run).map_err(failed)?
        };
        let (stop, stopped) = std_mpsc::channel();
        let checkpoints = {
            let shared = Arc::clone(shared);
            let thread = std::thread::Builder::new().name("log-checkpoint".to_owned());
            thread.spawn(move || shared.run_checkpoints(&stopped)).map_err(failed)?
        };
        Ok(Self {
            shared: Arc::clone(shared),
            kicker,
            committer: Some(committer),
            checkpoints: Some((stop, checkpoints)),
        })
    }
}

/// The walk over everything behind the index's checkpoint.
struct Replay<'a> {
    disk: &'a dyn Disk,
    index: &'a Index,
    segment_bytes: u64,
    segments: Vec<(u64, Arc<dyn SegmentFile>)>,
    epoch: u32,
    state: State,
}

impl<'a> Replay<'a> {
    fn start(
        disk: &'a dyn Disk,
        index: &'a Index,
        segment_bytes: u64,
        mut epoch: u32,
    ) -> Result<Self, StoreError> {
        let failed = |error| StoreError::unavailable("open the chat log", error);
        let checkpoint = index.checkpoint()?;
        let Checkpoint { start, position, link } = checkpoint;
        let mut segments = Vec::new();
        let mut expected = 0;
        for start in disk.segments().map_err(failed)? {
            if start != expected {
                let place = disk.place(expected);
                return Err(StoreError::corrupt("open the chat log", format!("{place}: missing")));
            }
            let file = disk.open(start).map_err(failed)?;
            let empty = SegmentHeader { start, bytes: segment_bytes, epoch };
            epoch = check_header(disk, &*file, empty, position)?;
            segments.push((start, file));
            expected += segment_bytes;
        }
        finish_erasures(disk, index, segment_bytes)?;
        check_checkpoint(disk, &segments, checkpoint, segment_bytes)?;
        let state = State {
            chats: HashMap::new(),
            fresh: BTreeSet::new(),
            dirty: Vec::new(),
            amendments: BTreeMap::new(),
            edits: BTreeMap::new(),
            salts: RandomState::new(),
            evictions: 0,
            groups: VecDeque::new(),
            next_start: 0,
            sealed: false,
            kicked: false,
            start,
            position,
            link,
            since_checkpoint: 0,
            failed: None,
            stopping: false,
            held: None,
        };
        Ok(Self { disk, index, segment_bytes, segments, epoch, state })
    }

    fn damaged(&self, start: u64, offset: usize) -> StoreError {
        let place = format!("{}, offset {offset}", self.disk.place(start));
        StoreError::corrupt("open the chat log", place)
    }

    fn run(&mut self) -> Result<(), StoreError> {
        let from = self.state.position - self.state.position % self.segment_bytes;
        let behind: Vec<_> = self
            .segments
            .iter()
            .filter(|(start, _)| *start >= from)
            .map(|(start, file)| (*start, Arc::clone(file)))
            .collect();
        // Where the first segment stopped making sense, if it did not simply end.
        let mut torn: Option<(u64, usize)> = None;
        let mut remains = Vec::new();
        for (start, file) in &behind {
            let bytes = self.read_segment(*start, &**file)?;
            let begin = if self.state.position > *start {
                (self.state.position - start) as usize
            } else {
                SEGMENT_HEADER_BYTES as usize
            };
            let end = if torn.is_none() { self.replay(*start, &bytes, begin)? } else { begin };
            // A sound group behind the end means that something in between was lost.
            if find_later(&bytes, end, self.state.link.number + 1).is_some() {
                let (start, offset) = torn.unwrap_or((*start, end));
                return Err(self.damaged(start, offset));
            }
            if bytes[end..].iter().any(|byte| *byte != 0) {
                torn = torn.or(Some((*start, end)));
                remains.push((*start, Arc::clone(file), end, bytes.len()));
            }
        }
        let failed = |error| StoreError::unavailable("open the chat log", error);
        let mark = HighWater::read(&self.disk.read_high_water().map_err(failed)?);
        if self.state.position < mark.position {
            let start = self.state.position - self.state.position % self.segment_bytes;
            return Err(self.damaged(start, (self.state.position - start) as usize));
        }
        // Last: a log that is refused is left as it is, for whoever repairs it.
        for (start, file, end, len) in remains {
            wipe(&*file, end, len).map_err(failed)?;
            tracing::warn!(place = %self.disk.place(start), offset = end,
                "dropped a torn group: it was never acknowledged");
        }
        self.state.next_start = self.state.position;
        Ok(())
    }

    fn read_segment(&self, start: u64, file: &dyn SegmentFile) -> Result<Vec<u8>, StoreError> {
        let mut bytes = vec![0; self.segment_bytes as usize];
        let n = file
            .read_at(&mut bytes, 0)
            .map_err(|error| StoreError::unavailable("open the chat log", error))?;
        if n < bytes.len() {
            return Err(self.damaged(start, n));
        }
        Ok(bytes)
    }

    /// Takes in groups from `offset` on; gives the offset at which they end.
    fn replay(&mut self, start: u64, bytes: &[u8], mut offset: usize) -> Result<usize, StoreError> {
        while let Some(group) = find(&bytes[offset..]) {
            let follows = group.link.number == self.state.link.number + 1
                && group.previous_crc == self.state.link.crc;
            if !follows {
                return Err(self.damaged(start, offset));
            }
            let payload = offset + super::group::GROUP_HEADER_BYTES;
            let end = payload + group.payload.len();
            let link = group.link;
            let mut at = payload;
            while at < end {
                let len = record_len(&bytes[at..end]).filter(|len| at + len <= end);
                let record = len.and_then(|len| {
                    // What was said is of no concern here, and its key may be missing.
                    read_record(&bytes[at..at + len], &Sealing::without_words()).ok()
                });
                let (Some(len), Some(record)) = (len, record) else {
                    return Err(self.damaged(start, at));
                };
                self.apply(record, start + at as u64, start + (at + len) as u64)?;
                at += len;
            }
            self.state.start = start + offset as u64;
            self.state.position = start + end as u64;
            self.state.since_checkpoint += (end - offset) as u64;
            self.state.link = link;
            offset = end;
        }
        Ok(offset)
    }

    fn apply(&mut self, record: Record, position: u64, end: u64) -> Result<(), StoreError> {
        match record {
            Record::Chat(chat) => {
                self.load(chat.id)?;
                self.state.insert_chat(Arc::new(chat), end);
            }
            Record::Event { chat, event, .. } => {
                self.load(chat)?;
                let place = position - position % self.segment_bytes;
                let damaged = self.damaged(place, (position - place) as usize);
                let Some(entry) = self.state.chats.get_mut(&chat) else {
                    return Err(damaged);
                };
                if event.seq != entry.row.tail.head.next() {
                    return Err(damaged);
                }
                entry.row.tail = entry.row.tail.after(event.seq, event.after, position);
                entry.row.changed = end;
                entry.taken = entry.row.tail;
                self.state.touch(chat);
                if let Some((target, aspect)) = Aspect::of(&event) {
                    let amendment = Amendment { seq: event.seq, position };
                    self.state.amend(chat, target, aspect, amendment);
                }
            }
            Record::Mark(mark) => {
                self.load(mark.chat)?;
                let _ = self.state.apply_mark(&mark, end);
            }
            Record::Side(imported) => {
                self.load(imported.chat)?;
                self.state.apply_side(&imported, end);
            }
            Record::Personal(change) => {
                self.load(change.chat)?;
                self.state.apply_change(&change, end);
            }
        }
        Ok(())
    }

    fn load(&mut self, chat: barterline_domain::ids::ChatId) -> Result<(), StoreError> {
        if !self.state.chats.contains_key(&chat)
            && let Some(row) = self.index.chat(chat)?
        {
            self.state.chats.insert(chat, Entry::new(row));
        }
        Ok(())
    }
}

/// Checks a segment's header, and writes `wanted` where there is none yet; gives the log's epoch.
fn check_header(
    disk: &dyn Disk,
    file: &dyn SegmentFile,
    wanted: SegmentHeader,
    checkpoint: u64,
) -> Result<u32, StoreError> {
    let SegmentHeader { start, bytes: segment_bytes, epoch } = wanted;
    let mut bytes = vec![0; SEGMENT_HEADER_BYTES as usize];
    let n = file
        .read_at(&mut bytes, 0)
        .map_err(|error| StoreError::unavailable("open the chat log", error))?;
    bytes.truncate(n);
    let place = disk.place(start);
    match SegmentHeader::read(&bytes) {
        Ok(header) if header.start == start && header.bytes == segment_bytes => Ok(header.epoch),
        Ok(header) if header.bytes != segment_bytes => Err(StoreError::unavailable(
            "open the chat log",
            format!("{place} has segments of {} bytes, not {segment_bytes}", header.bytes),
        )),
        Err(BadSegment::Newer(version)) => Err(StoreError::unavailable(
            "open the chat log",
            format!("{place} has format {version}; this server knows up to {FORMAT_VERSION}"),
        )),
        // Made ready, and the power went before its header was written: nothing is in it.
        Err(BadSegment::Damaged) if start >= checkpoint && bytes.iter().all(|byte| *byte == 0) => {
            file.write_all_at(&wanted.to_bytes(), 0)
                .and_then(|()| file.sync())
                .map_err(|error| StoreError::unavailable("open the chat log", error))?;
            Ok(epoch)
        }
        Ok(_) | Err(BadSegment::Damaged) => {
            Err(StoreError::corrupt("open the chat log", format!("{place}, offset 0")))
        }
    }
}

/// Finds the group that the index ends with: what the index says stands on it.
fn check_checkpoint(
    disk: &dyn Disk,
    segments: &[(u64, Arc<dyn SegmentFile>)],
    checkpoint: Checkpoint,
    segment_bytes: u64,
) -> Result<(), StoreError> {
    if checkpoint.position == 0 {
        return Ok(());
    }
    let Checkpoint { start, position, link } = checkpoint;
    let segment = start - start % segment_bytes;
    let damaged = || {
        let place = format!("{}, offset {}", disk.place(segment), start - segment);
        StoreError::corrupt("open the chat log", place)
    };
    let (_, file) = segments.iter().find(|(start, _)| *start == segment).ok_or_else(damaged)?;
    let len = position.checked_sub(start).filter(|len| *len <= segment_bytes);
    let mut bytes = vec![0; len.ok_or_else(damaged)? as usize];
    let failed = |error| StoreError::unavailable("open the chat log", error);
    let n = file.read_at(&mut bytes, start - segment).map_err(failed)?;
    let found = find(&bytes[..n]).filter(|group| group.link == link);
    found.map(|_| ()).ok_or_else(damaged)
}

/// Zeroes what a torn group left, so that nothing of it is ever taken for a group again.
fn wipe(file: &dyn SegmentFile, from: usize, to: usize) -> std::io::Result<()> {
    file.write_all_at(&vec![0; to - from], from as u64)?;
    file.sync()
}

const _: () = assert!(RECORD_BYTES_MAX < 1 << 20, "a segment of 1 MiB holds the largest record");
