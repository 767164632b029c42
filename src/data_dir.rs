//! The data directory: made, proven writable, and held by one server at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Held while a server runs; holds its process id for the one who comes second.
const LOCK_FILE: &str = "lock";
/// What a command must show to a running server.
pub const ADMIN_TOKEN_FILE: &str = "admin-token";
/// Where the admin listener of the running server is.
pub const ADMIN_ADDRESS_FILE: &str = "admin-address";

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another server runs on it.
    #[error(
        "another server (process {pid}) uses the data directory {dir}: stop it, or give this one \
         its own with --data"
    )]
    InUse {
        /// The directory.
        dir: String,
        /// The other server.
        pid: String,
    },
    /// Something else has the name.
    #[error("the data directory {dir} is a file: name a directory with --data")]
    NotADirectory {
        /// The path.
        dir: String,
    },
    /// The file system says no.
    #[error(
        "the data directory {dir} cannot be written ({source}): make it writable for this user, \
         or name another with --data"
    )]
    NotWritable {
        /// The directory.
        dir: String,
        /// The reason; part of the line, which is all that an operator sees.
        source: io::Error,
    },
}

/// A data directory that is ours until the process ends.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// The lock goes with the file.
    _lock: File,
}

impl DataDir {
    /// Takes the directory, making it where it is missing (for this user alone).
    pub fn take(path: &Path) -> Result<Self, DataDirError> {
        let dir = || path.display().to_string();
        let not_writable = |source| DataDirError::NotWritable { dir: dir(), source };
        if path.exists() && !path.is_dir() {
            return Err(DataDirError::NotADirectory { dir: dir() });
        }
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(not_writable)?;
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join(LOCK_FILE))
            .map_err(not_writable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(DataDirError::InUse { dir: dir(), pid: pid_in(&mut lock) });
            }
            Err(TryLockError::Error(source)) => return Err(not_writable(source)),
        }
        write_pid(&mut lock).map_err(not_writable)?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts a new admin token into its file, for this user's eyes alone.
    pub fn write_admin_token(&self, token: &str) -> Result<(), DataDirError> {
        self.write_private(ADMIN_TOKEN_FILE, token)
    }

    /// Says where the admin listener is, for commands.
    pub fn write_admin_address(&self, address: SocketAddr) -> Result<(), DataDirError> {
        self.write_private(ADMIN_ADDRESS_FILE, &address.to_string())
    }

    fn write_private(&self, name: &str, text: &str) -> Result<(), DataDirError> {
        let temporary = self.path.join(format!("{name}.new"));
        let write = || -> io::Result<()> {
            match fs::remove_file(&temporary) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                // Left behind by a crash, or not there.
                _ => {}
            }
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
            file.write_all(text.as_bytes())?;
            fs::rename(&temporary, self.path.join(name))
        };
        write().map_err(|source| DataDirError::NotWritable {
            dir: self.path.display().to_string(),
            source,
        })
    }
}

fn write_pid(lock: &mut File) -> io::Result<()> {
    lock.rewind()?;
    lock.set_len(0)?;
    writeln!(lock, "{}", std::process::id())
}

fn pid_in(lock: &mut File) -> String {
    let mut text = String::new();
    match lock.read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
        _ => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_directory_belongs_to_one() {
        let root = tempfile::tempdir().expect("a directory");
        let path = root.path().join("a/b");
        let first = DataDir::take(&path).expect("the first takes it");
        let second = DataDir::take(&path).expect_err("the second is refused");
        let named = format!("process {}", std::process::id());
        assert!(second.to_string().contains(&named), "{second}");
        drop(first);
        DataDir::take(&path).expect("free again");
    }

    #[test]
    fn a_file_is_no_directory() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let refused = DataDir::take(file.path()).expect_err("refused");
        assert!(matches!(refused, DataDirError::NotADirectory { .. }), "{refused}");
    }

    #[test]
    fn the_admin_token_is_for_the_owner_alone() {
        let root = tempfile::tempdir().expect("a directory");
        let dir = DataDir::take(root.path()).expect("taken");
        for token in ["first", "second"] {
            dir.write_admin_token(token).expect("written");
            let path = root.path().join(ADMIN_TOKEN_FILE);
            assert_eq!(fs::read_to_string(&path).expect("read"), token);
            let mode = fs::metadata(&path).expect("metadata").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
