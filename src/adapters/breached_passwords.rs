//! Passwords that are known to have leaked somewhere.
//!
//! Looked up in a file beside the server, so that nobody outside learns even a part of a hash. It has
//! the form in which Have I Been Pwned gives its list: a line for each password, its SHA-1 in upper
//! case and perhaps a colon and how often it was seen, in ascending order.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use sha1::{Digest as _, Sha1};

/// SHA-1 in hexadecimal.
const HASH_CHARS: usize = 40;
/// Longest line that is read: a hash, a colon, a number and the end.
const LINE_BYTES_MAX: usize = 64;

/// A list of passwords that leaked.
#[async_trait]
pub trait BreachedPasswords: Send + Sync {
    /// Whether a password is on the list.
    async fn contains(&self, password: &[u8]) -> io::Result<bool>;
}

/// Why a file is no list.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// It cannot be read.
    #[error("cannot read {path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Its first or last line is no hash, or they are in the wrong order.
    #[error(
        "{path} is no list of breached passwords: a line is a SHA-1 in upper case, in ascending order"
    )]
    Form {
        /// Which file.
        path: PathBuf,
    },
}

/// A list in a file.
pub struct BreachedFile {
    file: Arc<File>,
    bytes: u64,
}

impl BreachedFile {
    /// Opens a list. Reads its first and its last line.
    pub fn open(path: &Path) -> Result<Self, ListError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::InvalidData => ListError::Form { path: path.to_owned() },
            _ => ListError::Io { path: path.to_owned(), source },
        };
        let file = File::open(path).map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        let first = line_at(&file, 0).map_err(failed)?;
        let tail = bytes.saturating_sub(LINE_BYTES_MAX as u64 * 2);
        let (mut last, mut at) =
            (first.clone(), if tail == 0 { Some(0) } else { next(&file, tail).map_err(failed)? });
        while let Some(start) = at.filter(|start| *start < bytes) {
            last = line_at(&file, start).map_err(failed)?;
            at = next(&file, start).map_err(failed)?;
        }
        match (hash_in(&first), hash_in(&last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self { file: Arc::new(file), bytes }),
            _ => Err(ListError::Form { path: path.to_owned() }),
        }
    }
}

#[async_trait]
impl BreachedPasswords for BreachedFile {
    async fn contains(&self, password: &[u8]) -> io::Result<bool> {
        let wanted = format!("{:X}", Sha1::digest(password));
        let (file, bytes) = (Arc::clone(&self.file), self.bytes);
        // Some thirty reads from a disk.
        tokio::task::spawn_blocking(move || search(&file, bytes, wanted.as_bytes()))
            .await
            .map_err(io::Error::other)?
    }
}

/// Looks for a line between ever closer places.
fn search(file: &File, bytes: u64, wanted: &[u8]) -> io::Result<bool> {
    // Every line that begins below `low` is smaller; every one that begins at `high` or above, greater.
    let (mut low, mut high) = (0, bytes);
    while low < high {
        let middle = low + (high - low) / 2;
        // The first line that begins at `middle` or above; from the very beginning, the first of all.
        let start = if middle == low { Some(low) } else { next(file, middle - 1)? };
        let Some(start) = start.filter(|start| *start < high) else {
            high = middle;
            continue;
        };
        let line = line_at(file, start)?;
        let hash = hash_in(&line).ok_or_else(|| io::Error::other("a line of the list is none"))?;
        match hash.cmp(wanted) {
            std::cmp::Ordering::Equal => return Ok(true),
            std::cmp::Ordering::Less => low = start + line.len() as u64 + 1,
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    Ok(false)
}

/// The line that begins at a place, without its end.
fn line_at(file: &File, start: u64) -> io::Result<Vec<u8>> {
    let mut line = read_at(file, start)?;
    if let Some(end) = line.iter().position(|byte| *byte == b'\n') {
        line.truncate(end);
    }
    Ok(line)
}

/// Where the first line begins behind the end of a line at or after a place. `None`: nowhere.
fn next(file: &File, place: u64) -> io::Result<Option<u64>> {
    let bytes = read_at(file, place)?;
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => Ok(Some(place + end as u64 + 1)),
        None if bytes.len() < LINE_BYTES_MAX => Ok(None),
        None => {
            let error = "a line of the list is too long";
            Err(io::Error::new(io::ErrorKind::InvalidData, error))
        }
    }
}

fn read_at(file: &File, start: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; LINE_BYTES_MAX];
    let mut read = 0;
    while read < bytes.len() {
        match file.read_at(&mut bytes[read..], start + read as u64)? {
            0 => break,
            more => read += more,
        }
    }
    bytes.truncate(read);
    Ok(bytes)
}

/// The hash that a line begins with.
fn hash_in(line: &[u8]) -> Option<&[u8]> {
    let hash = line.get(..HASH_CHARS)?;
    let is_hash = hash.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'));
    let ends = matches!(line.get(HASH_CHARS), None | Some(b':' | b'\r'));
    (is_hash && ends).then_some(hash)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    fn hash(password: &str) -> String {
        format!("{:X}", Sha1::digest(password))
    }

    /// A list of passwords, with counts of any length behind.
    fn list(dir: &TempDir, passwords: &[String], ending: &str) -> PathBuf {
        let mut lines: Vec<_> = passwords.iter().map(|password| hash(password)).collect();
        lines.sort_unstable();
        let lines: Vec<_> = lines
            .iter()
            .enumerate()
            .map(|(n, line)| if n % 3 == 0 { line.clone() } else { format!("{line}:{}", n * n) })
            .collect();
        let path = dir.path().join("list");
        fs::write(&path, lines.join(ending) + ending).expect("a file");
        path
    }

    #[tokio::test]
    async fn every_line_of_a_list_is_found_and_nothing_else() {
        let dir = TempDir::new().expect("a directory");
        for (count, ending) in [(1, "\n"), (2, "\n"), (3, "\r\n"), (500, "\n"), (501, "\r\n")] {
            let on: Vec<_> = (0..count).map(|n| format!("password {n}")).collect();
            let list = BreachedFile::open(&list(&dir, &on, ending)).expect("a list");
            for password in &on {
                assert!(list.contains(password.as_bytes()).await.expect("a read"), "{password}");
            }
            for n in 0..200 {
                let other = format!("another {n}");
                assert!(!list.contains(other.as_bytes()).await.expect("a read"), "{other}");
            }
        }
    }

    #[test]
    fn what_is_no_list_is_refused_at_the_start() {
        let dir = TempDir::new().expect("a directory");
        let path = dir.path().join("list");
        let (low, high) = ("0".repeat(40), "F".repeat(40));
        for wrong in [
            String::new(),
            "password\n".to_owned(),
            format!("{}\n", "a".repeat(40)),
            format!("{}\n", "0".repeat(64)),
            format!("{high}:1\n{low}:1\n"),
            format!("{low}:1\nand so on\n"),
        ] {
            fs::write(&path, &wrong).expect("a file");
            assert!(matches!(BreachedFile::open(&path), Err(ListError::Form { .. })), "{wrong}");
        }
        let missing = BreachedFile::open(&dir.path().join("missing"));
        assert!(matches!(missing, Err(ListError::Io { .. })));
    }
}
