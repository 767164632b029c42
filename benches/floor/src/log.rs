//! One write-ahead log with group commit on a thread of its own.
//!
//! One group is with the thread at any time; what arrives meanwhile forms the next one. The file
//! is allocated ahead, so that a sync need not commit a change of its size, and is written round
//! and round: nothing ever reads it.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::mpsc as thread_channel;

use rustix::fs::{FallocateFlags, fallocate, fdatasync};
use tokio::sync::mpsc;

/// Bytes allocated ahead: some 5 million frames before the file is written from its start again.
const WAL_BYTES: u64 = 1 << 30;

/// One side of one room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// The room.
    pub room: u32,
    /// 0 or 1.
    pub side: u8,
}

/// Where a frame of a group came from, and where it lies in the group's bytes.
#[derive(Debug)]
pub struct Entry {
    /// The sender.
    pub from: Place,
    /// Start of the frame, header included.
    pub start: u32,
    /// Start of its payload.
    pub payload: u32,
    /// End of the frame.
    pub end: u32,
}

/// Frames that are synced together, ready to be sent as they lie.
#[derive(Debug, Default)]
pub struct Group {
    /// Server frames, one behind the other.
    pub bytes: Vec<u8>,
    /// One for each frame.
    pub entries: Vec<Entry>,
}

impl Group {
    /// An empty group with room for a busy turn.
    pub fn with_room() -> Self {
        Self { bytes: Vec::with_capacity(64 * 1024), entries: Vec::with_capacity(256) }
    }
}

/// Both ends of the log thread.
pub struct Log {
    /// Takes a group to be made durable.
    pub submit: thread_channel::SyncSender<Group>,
    /// Gives it back once it is.
    pub durable: mpsc::Receiver<Group>,
}

/// Creates the file and starts the thread, which ends when the relay drops its ends.
pub fn start(path: &Path) -> std::io::Result<Log> {
    let mut file = File::create(path)?;
    fallocate(&file, FallocateFlags::empty(), 0, WAL_BYTES)?;
    file.sync_all()?;
    // One group at a time: neither channel can fill up.
    let (submit, groups) = thread_channel::sync_channel::<Group>(1);
    let (done, durable) = mpsc::channel(1);
    std::thread::Builder::new().name("wal".to_owned()).spawn(move || {
        let mut at = 0;
        while let Ok(group) = groups.recv() {
            if let Err(error) = append(&mut file, &mut at, &group.bytes) {
                eprintln!("floor: appending to the log: {error}");
                return;
            }
            if done.blocking_send(group).is_err() {
                return;
            }
        }
    })?;
    Ok(Log { submit, durable })
}

fn append(file: &mut File, at: &mut u64, bytes: &[u8]) -> std::io::Result<()> {
    let len = bytes.len() as u64;
    if *at + len > WAL_BYTES {
        file.seek(SeekFrom::Start(0))?;
        *at = 0;
    }
    file.write_all(bytes)?;
    fdatasync(&*file)?;
    *at += len;
    Ok(())
}
