//! The files under the log, behind a trait, so that a test can take the power away.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A segment that is open.
pub trait SegmentFile: Send + Sync {
    /// Reads up to `buffer.len()` bytes at `offset`; fewer only at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`. Not durable before [`SegmentFile::sync`].
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes everything written so far durable.
    fn sync(&self) -> io::Result<()>;
}

/// Where segments live.
pub trait Disk: Send + Sync {
    /// The start positions of all segments, ascending.
    fn segments(&self) -> io::Result<Vec<u64>>;

    /// Creates a segment of `bytes` zeros that is durable, with its name.
    fn create(&self, start: u64, bytes: u64) -> io::Result<Arc<dyn SegmentFile>>;

    /// Opens a segment.
    fn open(&self, start: u64) -> io::Result<Arc<dyn SegmentFile>>;

    /// Replaces the small file that says how far the log was durable at least.
    fn write_high_water(&self, bytes: &[u8]) -> io::Result<()>;

    /// Reads that file; empty when there is none.
    fn read_high_water(&self) -> io::Result<Vec<u8>>;

    /// Names a segment for people.
    fn place(&self, start: u64) -> String;
}

/// Files in a directory.
pub struct DirDisk {
    dir: PathBuf,
}

impl DirDisk {
    /// The directory `dir`, created if it is missing.
    pub fn open(dir: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        Ok(Self { dir: dir.to_owned() })
    }

    fn path(&self, start: u64) -> PathBuf {
        self.dir.join(format!("{start:016x}.log"))
    }

    fn sync_dir(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }
}

impl Disk for DirDisk {
    fn segments(&self) -> io::Result<Vec<u64>> {
        let mut starts = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let is_log = path.extension().is_some_and(|extension| extension == "log");
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            if let (true, Some(stem)) = (is_log, stem)
                && let Ok(start) = u64::from_str_radix(stem, 16)
            {
                starts.push(start);
            }
        }
        starts.sort_unstable();
        Ok(starts)
    }

    fn create(&self, start: u64, bytes: u64) -> io::Result<Arc<dyn SegmentFile>> {
        // Made under another name: a crash leaves no half segment behind.
        let path = self.path(start);
        if path.exists() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let unfinished = path.with_extension("new");
        let file = options().create(true).truncate(true).open(&unfinished)?;
        // Written zeros rather than `fallocate`: a sync over them has no extent to convert, which
        // takes a third off its time.
        let zeros = vec![0; 1 << 20];
        let mut offset = 0;
        while offset < bytes {
            let n = (bytes - offset).min(zeros.len() as u64);
            FileExt::write_all_at(&file, &zeros[..n as usize], offset)?;
            offset += n;
        }
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        self.sync_dir()?;
        Ok(Arc::new(file))
    }

    fn open(&self, start: u64) -> io::Result<Arc<dyn SegmentFile>> {
        Ok(Arc::new(options().open(self.path(start))?))
    }

    fn write_high_water(&self, bytes: &[u8]) -> io::Result<()> {
        let file = options().create(true).truncate(false).open(self.dir.join("high-water"))?;
        FileExt::write_all_at(&file, bytes, 0)?;
        file.sync_data()
    }

    fn read_high_water(&self) -> io::Result<Vec<u8>> {
        match fs::read(self.dir.join("high-water")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            result => result,
        }
    }

    fn place(&self, start: u64) -> String {
        self.path(start).display().to_string()
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

impl SegmentFile for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match FileExt::read_at(self, &mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
