//! Mails as files, which sort by the time they were sent.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::SendError;
use crate::mail::stationery::Written;

/// A directory of mails.
pub struct Folder(PathBuf);

impl Folder {
    /// Takes a directory, making it where it is missing (for this user alone).
    pub fn open(path: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        Ok(Self(path.to_owned()))
    }

    /// Puts a mail into a file of its own, which is there as a whole or not at all.
    pub(super) async fn put(&self, mail: &Written) -> Result<(), SendError> {
        let unfinished = self.0.join(format!("{}.new", mail.id));
        let whole = self.0.join(format!("{}.eml", mail.id));
        let bytes = mail.bytes.clone();
        let write = move || {
            let mut options = OpenOptions::new();
            // What a try before left behind is written over.
            options.write(true).create(true).truncate(true).mode(0o600);
            options.open(&unfinished)?.write_all(&bytes)?;
            fs::rename(&unfinished, &whole)
        };
        let written = tokio::task::spawn_blocking(write).await;
        Ok(written.map_err(io::Error::other)??)
    }
}
