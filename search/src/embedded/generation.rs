//! An index on disk, in a directory of its own beside a file that says which one counts:
//!
//! ```text
//! lock          held by the process that uses all this
//! current.json  format, languages, and the number of the index
//! index-7/      what tantivy keeps
//! damaged/      the last index that could not be read, for whoever wants to know why
//! ```
//!
//! Another index takes the place of the present one when `current.json` does, by a rename. Whatever
//! else is there is the rest of one that never did, or that was left, and is removed.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tantivy::directory::MmapDirectory;
use tantivy::directory::error::{LockError, OpenDirectoryError, OpenReadError};
use tantivy::store::Compressor;
use tantivy::{Index, IndexReader, IndexSettings, ReloadPolicy, TantivyError};

use crate::error::SearchError;

use super::Found;
use super::language::Language;
use super::schema::{FORMAT, Fields};

const CURRENT: &str = "current.json";
/// What is to take its place.
const DRAFT: &str = "current.json.new";
const DAMAGED: &str = "damaged";

/// The directory with everything in it.
pub struct Home {
    dir: PathBuf,
    /// Released by the system, also when the process dies.
    _lock: File,
}

/// Which index counts, and how it was made.
#[derive(Debug, Serialize, Deserialize)]
struct Current {
    format: u32,
    languages: Vec<String>,
    generation: u64,
}

/// An index that is open.
pub struct Generation {
    pub number: u64,
    pub index: Index,
    pub files: MmapDirectory,
    pub reader: IndexReader,
    pub fields: Arc<Fields>,
}

impl Home {
    /// Takes a directory for this process; it is made if there is none.
    pub fn lock(dir: PathBuf) -> Result<Self, SearchError> {
        let failed = |source: io::Error| SearchError::Failed {
            what: "open the directory of the index",
            source: source.into(),
        };
        fs::create_dir_all(&dir).map_err(failed)?;
        let lock = File::create(dir.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { dir, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(SearchError::Locked(dir)),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Opens the index that counts, or an empty one in its place if it cannot be used.
    pub fn open(&self, languages: &[Language]) -> tantivy::Result<(Generation, Found)> {
        let fields = Arc::new(Fields::new(languages));
        let (kept, found) = match self.read(&fields) {
            Ok(Some(kept)) => (Some(kept), Found::Kept),
            Ok(None) => (None, Found::Nothing),
            Err(Unusable::Unread(error)) => return Err(error),
            Err(Unusable::Outdated) => {
                tracing::warn!(dir = %self.dir.display(), "index is of another format or languages: it has to be made anew");
                (None, Found::Outdated)
            }
            Err(Unusable::Damaged { number, why }) => {
                tracing::warn!(dir = %self.dir.display(), why, "index is damaged: it has to be made anew");
                self.set_aside(number);
                (None, Found::Damaged)
            }
        };
        let open = if let Some(kept) = kept {
            // It had its time to be looked at, and has words that were taken back since.
            let aside = self.dir.join(DAMAGED);
            if aside.exists() {
                remove(&aside);
            }
            kept
        } else {
            let fresh = self.create(fields)?;
            self.draft_current(&fresh)?;
            self.set_current()?;
            fresh
        };
        self.remove_others(open.number);
        Ok((open, found))
    }

    fn read(&self, fields: &Arc<Fields>) -> Result<Option<Generation>, Unusable> {
        let current = match fs::read(self.dir.join(CURRENT)) {
            Ok(current) => current,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                let error = TantivyError::from(error);
                let is_unread = is_of_the_disk(&error);
                return Err(if is_unread {
                    Unusable::Unread(error)
                } else {
                    Unusable::damaged(None, &error)
                });
            }
        };
        let current: Current =
            serde_json::from_slice(&current).map_err(|error| Unusable::damaged(None, &error))?;
        let Current { format, languages, generation } = current;
        if format != FORMAT || !fields.languages.iter().map(|it| it.code()).eq(&languages) {
            return Err(Unusable::Outdated);
        }
        // A reader of bytes that are anything may well panic.
        let read = catch_unwind(AssertUnwindSafe(|| self.read_index(generation, fields)));
        let damaged = |why: &dyn ToString| Unusable::damaged(Some(generation), why);
        match read {
            Ok(Ok(read)) => Ok(Some(read)),
            // The disk may answer the next time.
            Ok(Err(error)) if is_of_the_disk(&error) => Err(Unusable::Unread(error)),
            Ok(Err(error)) => Err(damaged(&error)),
            Err(_) => Err(damaged(&"reading it panicked")),
        }
    }

    fn read_index(&self, number: u64, fields: &Arc<Fields>) -> tantivy::Result<Generation> {
        let files = MmapDirectory::open(self.path(number))?;
        let index = Index::open(files.clone())?;
        if index.schema() != fields.schema {
            return Err(TantivyError::SchemaError("the index has other fields".to_owned()));
        }
        // Reads everything once: some tenths of a second for 100 MB.
        let bent = index.validate_checksum()?;
        if let Some(file) = bent.iter().next() {
            let what = format!("the sum of {} is wrong", file.display());
            return Err(TantivyError::InternalError(what));
        }
        Generation::new(number, index, files, Arc::clone(fields))
    }

    /// Makes an empty index, which does not count yet.
    pub fn create(&self, fields: Arc<Fields>) -> tantivy::Result<Generation> {
        let last = self.numbers()?.into_iter().max().unwrap_or(0);
        let number = last + 1;
        let path = self.path(number);
        fs::create_dir(&path)?;
        let created = Self::create_in(&path, number, fields);
        if created.is_err() {
            self.remove(number);
        }
        created
    }

    fn create_in(path: &Path, number: u64, fields: Arc<Fields>) -> tantivy::Result<Generation> {
        let settings = IndexSettings {
            docstore_compression: Compressor::None,
            docstore_compress_dedicated_thread: false,
            ..IndexSettings::default()
        };
        let files = MmapDirectory::open(path)?;
        let index = Index::create(files.clone(), fields.schema.clone(), settings)?;
        Generation::new(number, index, files, fields)
    }

    /// Writes down that an index is to count.
    pub fn draft_current(&self, generation: &Generation) -> io::Result<()> {
        let languages = generation.fields.languages.iter();
        let current = Current {
            format: FORMAT,
            languages: languages.map(ToString::to_string).collect(),
            generation: generation.number,
        };
        let mut file = File::create(self.dir.join(DRAFT))?;
        file.write_all(&serde_json::to_vec(&current)?)?;
        file.sync_all()
    }

    /// Lets the index count that was written down. After an error it may.
    pub fn set_current(&self) -> io::Result<()> {
        let dir = File::open(&self.dir)?;
        fs::rename(self.dir.join(DRAFT), self.dir.join(CURRENT))?;
        dir.sync_all()
    }

    /// Removes an index that does not count, or no more.
    pub fn remove(&self, number: u64) {
        remove(&self.path(number));
    }

    fn remove_others(&self, kept: u64) {
        let numbers = self.numbers().unwrap_or_default();
        numbers.into_iter().filter(|number| *number != kept).for_each(|it| self.remove(it));
    }

    /// Keeps what is damaged, in the place of what was damaged before.
    fn set_aside(&self, number: Option<u64>) {
        let Some(number) = number else { return };
        let aside = self.dir.join(DAMAGED);
        if !self.path(number).exists() {
            return;
        }
        if aside.exists() {
            remove(&aside);
        }
        if let Err(error) = fs::rename(self.path(number), &aside) {
            tracing::warn!(%error, "damaged index could not be set aside");
        }
    }

    fn path(&self, number: u64) -> PathBuf {
        self.dir.join(format!("index-{number}"))
    }

    fn numbers(&self) -> io::Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix("index-"));
            numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
        }
        Ok(numbers)
    }
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_dir_all(path) {
        tracing::warn!(path = %path.display(), %error, "an index that is left could not be removed");
    }
}

/// Whether the system had no means, which says nothing of what is on the disk.
fn is_of_the_disk(error: &TantivyError) -> bool {
    let (TantivyError::IoError(error)
    | TantivyError::OpenReadError(OpenReadError::IoError { io_error: error, .. })
    | TantivyError::OpenDirectoryError(OpenDirectoryError::IoError { io_error: error, .. })
    | TantivyError::LockFailure(LockError::IoError(error), _)) = error
    else {
        return false;
    };
    // Interrupted; no memory; no more files in the system, or in the process.
    matches!(error.raw_os_error(), Some(4 | 12 | 23 | 24))
}

/// Why what is on disk is not used.
enum Unusable {
    /// It may be sound.
    Unread(TantivyError),
    Outdated,
    Damaged {
        number: Option<u64>,
        why: String,
    },
}

impl Unusable {
    fn damaged(number: Option<u64>, why: &dyn ToString) -> Self {
        Self::Damaged { number, why: why.to_string() }
    }
}

impl Generation {
    fn new(
        number: u64,
        mut index: Index,
        files: MmapDirectory,
        fields: Arc<Fields>,
    ) -> tantivy::Result<Self> {
        index.set_tokenizers(fields.analyzers());
        // What is visible changes when a commit says so.
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        Ok(Self { number, index, files, reader, fields })
    }
}
