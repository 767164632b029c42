//! The data directory: made if it is missing, and one server's at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Why a directory cannot be used; says what to do.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another server has it.
    #[error("{dir} is in use by another server (process {pid}): stop it, or use another --data")]
    InUse {
        /// The directory.
        dir: String,
        /// Who has it.
        pid: String,
    },
    /// It cannot be made or written.
    #[error("cannot use {path} as data: {source}")]
    Io {
        /// What was tried.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
}

/// A directory that is ours until this is dropped or the process ends, however it ends.
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Takes a directory.
    pub fn take(path: &Path) -> Result<Self, DataDirError> {
        let failed =
            |path: &Path, source| DataDirError::Io { path: path.display().to_string(), source };
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(path).map_err(|error| failed(path, error))?;
        let file = path.join("lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut lock = options.open(&file).map_err(|error| failed(&file, error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let _ = lock.read_to_string(&mut pid);
                let dir = path.display().to_string();
                return Err(DataDirError::InUse { dir, pid: pid.trim().to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(failed(&file, error)),
        }
        let mut write = || {
            lock.set_len(0)?;
            lock.rewind()?;
            writeln!(lock, "{}", std::process::id())
        };
        write().map_err(|error| failed(&file, error))?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_one_servers_at_a_time() {
        let dir = tempfile::TempDir::new().expect("a directory");
        let path = dir.path().join("a/b");
        let first = DataDir::take(&path).expect("a free directory");
        let error = DataDir::take(&path).err().expect("a refusal").to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        drop(first);
        DataDir::take(&path).expect("a free directory again");
    }
}
