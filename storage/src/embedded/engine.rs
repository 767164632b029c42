//! One database file for aggregates that change seldom: reads at once, writes in groups.
//!
//! A thread of its own takes every write that waits, runs them in one transaction and commits once:
//! one sync for all of them. A write that refuses says so in its value and has changed nothing by
//! then; one that fails takes its whole group along, and nothing of the group is kept. After a
//! commit has failed nothing is written until the file is opened anew.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use redb::{
    CommitError, Database, DatabaseError, ReadTransaction, ReadableDatabase, StorageError,
    TableDefinition, TableError, WriteTransaction,
};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use crate::error::StoreError;
use crate::gate::Gate;

/// The layout written now, and the only one that is read.
pub const FORMAT_VERSION: u64 = 6;
/// Writes that wait before more are refused: a second's work at one sync for each.
const QUEUE_MAX: usize = 4_096;

const META: TableDefinition<'static, &str, u64> = TableDefinition::new("meta");

/// Memory for pages of one file. The files hold what changes seldom; the system caches the rest.
const CACHE_BYTES: usize = 64 << 20;
const OPERATION: &str = "write to the database";

/// Runs in the group's transaction; what it leaves is told how the group ended. `None`: there is
/// no transaction, nothing is tried.
type Job = Box<dyn FnOnce(Option<&WriteTransaction>) -> Ran + Send>;
type Answer = Box<dyn FnOnce(&End) + Send>;

struct Ran {
    failed: bool,
    answer: Answer,
}

/// How a group ended.
#[derive(Clone)]
enum End {
    Durable,
    /// Nothing of it is kept.
    Undone(String),
    /// The disk failed at a moment that leaves it open.
    Unknown,
}

/// A file. Cheap to clone; the last handle that goes closes it, and waits for that.
#[derive(Clone)]
pub struct Engine {
    db: Arc<Database>,
    // Before the writer, so that the last handle has closed the queue when it waits for its end.
    jobs: mpsc::Sender<Job>,
    failure: Arc<OnceLock<String>>,
    gate: Gate,
    _writer: Arc<Writer>,
}

struct Writer(Option<JoinHandle<()>>);

impl Drop for Writer {
    fn drop(&mut self) {
        let Some(thread) = self.0.take() else { return };
        // A write that held the last handle would wait for itself.
        if thread.thread().id() != std::thread::current().id() {
            let _ = thread.join();
        }
    }
}

/// Turns an error of the database into one of the store.
pub fn failed(error: impl Into<redb::Error>) -> StoreError {
    match error.into() {
        redb::Error::Corrupted(place) => StoreError::corrupt("database", place),
        error => StoreError::unavailable("database", error),
    }
}

/// Opens or creates a database file that only its owner can read.
pub fn open_file(path: &Path, cache_bytes: usize) -> Result<Database, StoreError> {
    let place = path.display();
    let open = |error: &dyn std::fmt::Display| {
        StoreError::unavailable("open the database", format!("{place}: {error}"))
    };
    let corrupt = |what: &dyn std::fmt::Display| {
        StoreError::corrupt("open the database", format!("{place}: {what}"))
    };
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|error| open(&error))?;
    let mut builder = Database::builder();
    builder.set_cache_size(cache_bytes);
    // The engine panics over some damage. Nothing of it is used after that.
    let opened = catch_unwind(AssertUnwindSafe(|| builder.create_file(file)));
    let db = opened.map_err(|_| corrupt(&"it cannot be read"))?.map_err(|error| match error {
        DatabaseError::DatabaseAlreadyOpen => open(&"another process has it open"),
        DatabaseError::Storage(StorageError::Corrupted(what)) => corrupt(&what),
        error => open(&error),
    })?;
    // The name of a new file is as durable as what is in it.
    if let Some(dir) = path.parent() {
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(|error| open(&error))?;
    }
    Ok(db)
}

impl Engine {
    /// Opens or creates a file that only its owner can read.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let place = path.display();
        let open = |error: &dyn std::fmt::Display| {
            StoreError::unavailable("open the database", format!("{place}: {error}"))
        };
        let db = open_file(path, CACHE_BYTES)?;
        match version(&db)? {
            Some(found) if found != FORMAT_VERSION => {
                let text =
                    format!("its format is {found}; this server knows only {FORMAT_VERSION}");
                return Err(open(&text));
            }
            Some(_) => {}
            None => {
                let write = db.begin_write().map_err(failed)?;
                write
                    .open_table(META)
                    .map_err(failed)?
                    .insert("format", FORMAT_VERSION)
                    .map_err(failed)?;
                write.commit().map_err(failed)?;
            }
        }
        let db = Arc::new(db);
        let (jobs, receiver) = mpsc::channel(QUEUE_MAX);
        let failure = Arc::new(OnceLock::new());
        let thread = {
            let (db, failure) = (Arc::clone(&db), Arc::clone(&failure));
            let thread = std::thread::Builder::new().name("db-commit".to_owned());
            let thread = thread.spawn(move || run_writer(&db, receiver, &failure));
            thread.map_err(|error| open(&error))?
        };
        let gate = Gate::default();
        Ok(Self { db, jobs, failure, gate, _writer: Arc::new(Writer(Some(thread))) })
    }

    /// Why nothing is written any more, if so. Only reopening clears it.
    pub fn failure(&self) -> Option<String> {
        self.failure.get().cloned()
    }

    /// Lets writes through or, while the store is moved, none.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Reads. At once, on the caller's thread: rows are small and nearly always in memory.
    pub fn read<T>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        read(&self.db.begin_read().map_err(failed)?)
    }

    /// Writes, together with whatever else waits; durable when it returns `Ok`.
    ///
    /// `write` refuses by its value, before it has written; `Err` undoes the whole group. When the
    /// caller goes before the answer, the write happens all the same.
    pub async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&WriteTransaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let passage = self.gate.enter(OPERATION)?;
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |transaction| {
            let result = match transaction {
                Some(transaction) => write(transaction),
                None => Err(StoreError::unavailable(OPERATION, "an earlier write failed")),
            };
            Ran {
                failed: result.is_err(),
                answer: Box::new(move |end| {
                    // Whoever waits for the writes under way waits for this one, caller or not.
                    let _passed = passage;
                    let result = result.and_then(|value| match end {
                        End::Durable => Ok(value),
                        End::Undone(reason) => Err(StoreError::unavailable(OPERATION, reason)),
                        End::Unknown => Err(StoreError::Unknown { operation: OPERATION }),
                    });
                    // The caller may have gone.
                    let _ = reply.send(result);
                }),
            }
        });
        self.jobs.try_send(job).map_err(|error| {
            let reason = match error {
                TrySendError::Full(_) => "too much is waiting for the disk",
                TrySendError::Closed(_) => "its writer has stopped",
            };
            StoreError::unavailable(OPERATION, reason)
        })?;
        answer.await.map_err(|_| StoreError::Unknown { operation: OPERATION })?
    }
}

/// Opens a table for reading; `None` before its first write.
pub fn table<K: redb::Key + 'static, V: redb::Value + 'static>(
    read: &ReadTransaction,
    definition: TableDefinition<'_, K, V>,
) -> Result<Option<redb::ReadOnlyTable<K, V>>, StoreError> {
    match read.open_table(definition) {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

fn version(db: &Database) -> Result<Option<u64>, StoreError> {
    let read = db.begin_read().map_err(failed)?;
    let Some(meta) = table(&read, META)? else {
        return Ok(None);
    };
    Ok(meta.get("format").map_err(failed)?.map(|value| value.value()))
}

fn run_writer(db: &Database, mut jobs: mpsc::Receiver<Job>, failure: &OnceLock<String>) {
    while let Some(first) = jobs.blocking_recv() {
        let mut group = vec![first];
        while let Ok(job) = jobs.try_recv() {
            group.push(job);
        }
        if failure.get().is_some() {
            let end = End::Undone("an earlier commit failed".to_owned());
            for job in group {
                (job(None).answer)(&end);
            }
            continue;
        }
        let (answers, end, broken) = commit(db, group);
        // Known before anybody hears of it.
        if let Some(reason) = broken {
            let _ = failure.set(reason);
        }
        for answer in answers {
            answer(&end);
        }
    }
}

/// Runs a group; says how it ended, and why the file takes no more, if so.
fn commit(db: &Database, group: Vec<Job>) -> (Vec<Answer>, End, Option<String>) {
    let mut write = match db.begin_write() {
        Ok(write) => write,
        Err(error) => {
            tracing::error!(%error, "the database takes no writes until it is reopened");
            let answers = group.into_iter().map(|job| job(None).answer).collect();
            return (answers, End::Undone(error.to_string()), Some(error.to_string()));
        }
    };
    // Opening after a crash must not walk the whole file. Durable at once is redb's default.
    write.set_quick_repair(true);
    let mut answers = Vec::with_capacity(group.len());
    let mut failed = false;
    for job in group {
        let ran = job((!failed).then_some(&write));
        failed |= ran.failed;
        answers.push(ran.answer);
    }
    if failed {
        let end = End::Undone("another write of its group failed".to_owned());
        let broken = write.abort().err().map(|error| error.to_string());
        return (answers, end, broken);
    }
    match write.commit() {
        Ok(()) => (answers, End::Durable, None),
        Err(error) => {
            tracing::error!(%error, "the database takes no writes until it is reopened");
            (answers, end_of(&error), Some(error.to_string()))
        }
    }
}

/// What a failed commit leaves. Where the disk took no more, the new root was never written; any
/// other error may have come after it.
fn end_of(error: &CommitError) -> End {
    let no_room = match error {
        CommitError::Storage(StorageError::Io(io)) => matches!(
            io.kind(),
            ErrorKind::StorageFull
                | ErrorKind::QuotaExceeded
                | ErrorKind::FileTooLarge
                | ErrorKind::ReadOnlyFilesystem
                | ErrorKind::PermissionDenied
        ),
        _ => false,
    };
    if no_room { End::Undone(error.to_string()) } else { End::Unknown }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use tempfile::TempDir;

    use super::*;

    const NUMBERS: TableDefinition<'static, u64, u64> = TableDefinition::new("numbers");

    fn put(key: u64) -> impl FnOnce(&WriteTransaction) -> Result<(), StoreError> + Send {
        move |write| {
            let mut table = write.open_table(NUMBERS).map_err(failed)?;
            table.insert(key, key).map_err(failed).map(|_| ())
        }
    }

    fn has(engine: &Engine, key: u64) -> bool {
        let found = engine.read(|read| match table(read, NUMBERS)? {
            Some(table) => Ok(table.get(key).map_err(failed)?.is_some()),
            None => Ok(false),
        });
        found.expect("a read")
    }

    /// Holds the writer until the sender is used or dropped, so that what comes meanwhile is one
    /// group.
    fn hold(engine: &Engine) -> std::sync::mpsc::Sender<()> {
        let (release, held) = std::sync::mpsc::channel();
        let (begins, begun) = std::sync::mpsc::channel();
        let job: Job = Box::new(move |_| {
            let _ = begins.send(());
            let _ = held.recv();
            Ran { failed: false, answer: Box::new(|_| {}) }
        });
        engine.jobs.try_send(job).map_err(|_| "full").expect("room");
        // Until then it takes up room in the queue.
        begun.recv().expect("the job runs");
        release
    }

    #[tokio::test]
    async fn what_was_written_is_there_when_the_file_is_opened_again_at_once() {
        let dir = TempDir::new().expect("a directory");
        let path = dir.path().join("x.redb");
        for key in 0..5 {
            let engine = Engine::open(&path).expect("a file that nobody has open");
            engine.write(put(key)).await.expect("a write");
            assert!((0..=key).all(|key| has(&engine, key)));
        }
        let mode = fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_second_opener_is_told_so() {
        let dir = TempDir::new().expect("a directory");
        let path = dir.path().join("x.redb");
        let _first = Engine::open(&path).expect("a file");
        let error = Engine::open(&path).err().expect("a refusal").to_string();
        assert!(error.contains("x.redb: another process has it open"), "{error}");
    }

    #[test]
    fn another_format_is_refused_with_both_numbers() {
        let dir = TempDir::new().expect("a directory");
        let path = dir.path().join("x.redb");
        for format in [1, 9] {
            let engine = Engine::open(&path).expect("a file");
            let write = engine.db.begin_write().expect("a transaction");
            write.open_table(META).expect("a table").insert("format", format).expect("a row");
            write.commit().expect("a commit");
            drop(engine);
            let error = Engine::open(&path).err().expect("a refusal").to_string();
            let expected =
                format!("x.redb: its format is {format}; this server knows only {FORMAT_VERSION}");
            assert!(error.contains(&expected), "{error}");
            fs::remove_file(&path).expect("a file less");
        }
    }

    #[test]
    fn what_is_no_database_is_refused() {
        let dir = TempDir::new().expect("a directory");
        let path = dir.path().join("x.redb");
        fs::write(&path, vec![7; 10_000]).expect("a write");
        let error = Engine::open(&path).err().expect("a refusal").to_string();
        assert!(error.contains("x.redb"), "{error}");
    }

    #[tokio::test]
    async fn a_write_that_fails_leaves_nothing_of_its_group() {
        let dir = TempDir::new().expect("a directory");
        let engine = Engine::open(&dir.path().join("x.redb")).expect("a file");
        // The first is taken alone, and holds the writer while the others gather.
        let release = hold(&engine);
        let fails = |write: &WriteTransaction| {
            put(2)(write)?;
            Err::<(), _>(StoreError::corrupt("read", "a row"))
        };
        let (first, second, third, ()) =
            tokio::join!(engine.write(put(1)), engine.write(fails), engine.write(put(3)), async {
                drop(release);
            });
        assert!(matches!(first, Err(StoreError::Unavailable { .. })), "{first:?}");
        assert!(matches!(second, Err(StoreError::Corrupt { .. })), "{second:?}");
        assert!(matches!(third, Err(StoreError::Unavailable { .. })), "{third:?}");
        assert!((1..=3).all(|key| !has(&engine, key)));
        engine.write(put(4)).await.expect("the next group is a new one");
        assert!(has(&engine, 4));
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once() {
        let dir = TempDir::new().expect("a directory");
        let engine = Engine::open(&dir.path().join("x.redb")).expect("a file");
        let release = hold(&engine);
        let nothing = || -> Job { Box::new(|_| Ran { failed: false, answer: Box::new(|_| {}) }) };
        while engine.jobs.try_send(nothing()).is_ok() {}
        let refused = engine.write(put(1)).await;
        assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
        drop(release);
    }

    #[test]
    fn only_a_full_disk_is_known_to_have_changed_nothing() {
        let commit = |kind: ErrorKind| CommitError::Storage(StorageError::Io(kind.into()));
        assert!(matches!(end_of(&commit(ErrorKind::StorageFull)), End::Undone(_)));
        assert!(matches!(end_of(&commit(ErrorKind::FileTooLarge)), End::Undone(_)));
        assert!(matches!(end_of(&commit(ErrorKind::Other)), End::Unknown));
    }
}
