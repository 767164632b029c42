//! One database file for aggregates that change seldom: reads at once, writes in groups.
//!
//! A thread of its own takes every write that waits, runs them in one transaction and commits once:
//! one sync for all of them. A write that refuses does so before it has changed anything. After a
//! commit has failed nothing is written until the file is opened anew.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use redb::{Database, Durability, ReadTransaction, ReadableDatabase, TableDefinition};
use redb::{TableError, WriteTransaction};
use tokio::sync::{mpsc, oneshot};

use crate::error::StoreError;

/// The layout written now. A newer one is refused.
pub const FORMAT_VERSION: u64 = 1;
/// Writes that wait before more are refused: a second's work at one sync for each.
const QUEUE_MAX: usize = 4_096;

const META: TableDefinition<'static, &str, u64> = TableDefinition::new("meta");

type Job =
    Box<dyn FnOnce(Option<&WriteTransaction>) -> Box<dyn FnOnce(Result<(), String>) + Send> + Send>;

/// A file. Cheap to clone; the last handle that goes closes it.
#[derive(Clone)]
pub struct Engine {
    db: Arc<Database>,
    jobs: mpsc::Sender<Job>,
    _writer: Arc<Writer>,
}

struct Writer(Option<JoinHandle<()>>);

impl Drop for Writer {
    fn drop(&mut self) {
        // The senders are gone by now or go with the last handle: the thread ends by itself.
        drop(self.0.take());
    }
}

/// Turns an error of the database into one of the store.
pub fn failed(error: impl Into<redb::Error>) -> StoreError {
    match error.into() {
        redb::Error::Corrupted(place) => StoreError::corrupt("database", place),
        error => StoreError::unavailable("database", error),
    }
}

impl Engine {
    /// Opens or creates a file that only its owner can read.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let place = path.display();
        let open = |error: &dyn std::fmt::Display| {
            StoreError::unavailable("open the database", format!("{place}: {error}"))
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path);
        drop(file.map_err(|error| open(&error))?);
        let db = Database::create(path).map_err(|error| open(&error))?;
        match version(&db)? {
            Some(found) if found > FORMAT_VERSION => {
                let text = format!("its format is {found}; this server knows {FORMAT_VERSION}");
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
        let thread = {
            let db = Arc::clone(&db);
            let thread = std::thread::Builder::new().name("db-commit".to_owned());
            thread.spawn(move || run_writer(&db, receiver)).map_err(|error| open(&error))?
        };
        Ok(Self { db, jobs, _writer: Arc::new(Writer(Some(thread))) })
    }

    /// Reads. At once, on the caller's thread: rows are small and nearly always in memory.
    pub fn read<T>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        read(&self.db.begin_read().map_err(failed)?)
    }

    /// Writes, together with whatever else waits; durable when it returns `Ok`.
    pub async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&WriteTransaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        const OPERATION: &str = "write to the database";
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |transaction| {
            let result = match transaction {
                Some(transaction) => write(transaction),
                None => Err(StoreError::unavailable(OPERATION, "an earlier commit failed")),
            };
            Box::new(move |committed| {
                let result = match committed {
                    Ok(()) => result,
                    Err(reason) => Err(StoreError::unavailable(OPERATION, reason)),
                };
                let _ = reply.send(result);
            })
        });
        self.jobs
            .try_send(job)
            .map_err(|_| StoreError::unavailable(OPERATION, "too much is waiting for the disk"))?;
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

fn run_writer(db: &Database, mut jobs: mpsc::Receiver<Job>) {
    let mut broken: Option<String> = None;
    while let Some(first) = jobs.blocking_recv() {
        let mut group = vec![first];
        while let Ok(job) = jobs.try_recv() {
            group.push(job);
        }
        if let Some(reason) = &broken {
            for job in group {
                job(None)(Err(reason.clone()));
            }
            continue;
        }
        let (answers, committed) = commit(db, group);
        if let Err(reason) = &committed {
            tracing::error!(%reason, "the database takes no writes until it is reopened");
            broken = Some(reason.clone());
        }
        for answer in answers {
            answer(committed.clone());
        }
    }
}

type Answers = Vec<Box<dyn FnOnce(Result<(), String>) + Send>>;

fn commit(db: &Database, group: Vec<Job>) -> (Answers, Result<(), String>) {
    let mut write = match db.begin_write() {
        Ok(write) => write,
        Err(error) => {
            let answers = group.into_iter().map(|job| job(None)).collect();
            return (answers, Err(error.to_string()));
        }
    };
    // Opening after a crash must not walk the whole file.
    write.set_quick_repair(true);
    let durable = write.set_durability(Durability::Immediate).map_err(|error| error.to_string());
    let answers = group.into_iter().map(|job| job(Some(&write))).collect();
    let committed = durable.and_then(|()| write.commit().map_err(|error| error.to_string()));
    (answers, committed)
}
