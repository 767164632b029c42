//! An archive: a directory of `KIND-NUMBER.part` files, and `archive.json`, which lists them with
//! their checksums once everything is there.
//!
//! A part is written under another name and gets its own when it is whole and durable, so that an
//! export that was cut off goes on behind the last of them. For the owner's eyes only: it holds what
//! the store holds. File access blocks: not for threads that serve people.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use barterline_domain::clock::Timestamp;
use barterline_domain::ids::ChatId;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::error::BulkError;
use super::{Item, Kind};
use crate::record::archive::{
    Begin, End, FRAME_HEADER_BYTES, Frame, put_frame, read_frame, read_header,
};
use crate::record::sealing::{NO_KEY, Sealing, Unread};

/// The layout written now, and the only one that is read.
const FORMAT: u32 = 6;
const MANIFEST: &str = "archive.json";
const BUFFER_BYTES: usize = 256 << 10;

/// What `archive.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Of the layout.
    pub format: u32,
    /// The archive's name.
    pub archive: Uuid,
    /// The full archive that this one is the difference to.
    pub base: Option<Uuid>,
    /// When it was begun.
    pub taken_at: Timestamp,
    /// From which backend.
    pub backend: String,
    /// The store's epoch.
    pub epoch: u32,
    /// The store was read-only from beginning to end, and which time that was.
    pub held: Option<Uuid>,
    /// Everything is there.
    pub complete: bool,
    /// What it holds, by kind.
    pub kinds: BTreeMap<String, Contents>,
}

/// What an archive holds of a kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// Items.
    pub items: u64,
    /// Events.
    pub events: u64,
    /// Items that the store had: in a difference more than it holds.
    pub total: u64,
    /// Its files in order.
    pub parts: Vec<Part>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its name.
    pub file: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, in hex.
    pub sha256: String,
}

/// An archive on disk.
#[derive(Debug, Clone)]
pub struct Archive {
    dir: PathBuf,
    manifest: Manifest,
    /// How its events are read and written.
    sealing: Sealing,
}

impl Archive {
    /// Begins an archive in a directory of its own, or finds the one that was begun there.
    pub fn begin(dir: &Path, wanted: Manifest) -> Result<Self, BulkError> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(BulkError::file(dir))?;
        if dir.join(MANIFEST).exists() {
            let found = Self::read(dir)?;
            let same = (found.manifest.base, &found.manifest.backend, found.manifest.epoch)
                == (wanted.base, &wanted.backend, wanted.epoch);
            if !same {
                let what = "it has an archive of another kind or store: name another directory";
                return Err(BulkError::archive(dir, what));
            }
            // What was read before may have changed since. In a full archive that does no harm: the
            // difference to it finds that. In the last one it would be lost.
            let settled = wanted.held.is_some() || wanted.base.is_none();
            if found.manifest.held != wanted.held || !settled {
                let what = "what is there was read while the store could be written, or was \
                            read-only another time: name another directory";
                return Err(BulkError::archive(dir, what));
            }
            return Ok(found);
        }
        // A first manifest that was cut off is none.
        let unfinished = Path::new(MANIFEST).with_extension("unfinished");
        let entries = fs::read_dir(dir).map_err(BulkError::file(dir))?;
        let mut others = entries.filter(|entry| {
            entry.as_ref().map_or(true, |entry| Path::new(&entry.file_name()) != unfinished)
        });
        if others.next().is_some() {
            let what = "not empty, and no archive: name another directory";
            return Err(BulkError::archive(dir, what));
        }
        let (dir, sealing) = (dir.to_owned(), Sealing::without_words());
        let archive = Self { dir, manifest: wanted, sealing };
        archive.write_manifest()?;
        Ok(archive)
    }

    /// Opens an archive that is whole.
    pub fn open(dir: &Path) -> Result<Self, BulkError> {
        let archive = Self::read(dir)?;
        if archive.manifest.complete {
            return Ok(archive);
        }
        let what = "its export is unfinished: run `barterline data export` there again";
        Err(BulkError::archive(dir, what))
    }

    fn read(dir: &Path) -> Result<Self, BulkError> {
        let path = dir.join(MANIFEST);
        let bytes = fs::read(&path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => BulkError::archive(dir, "there is no archive"),
            _ => BulkError::file(&path)(error),
        })?;
        let manifest: Manifest = serde_json::from_slice(&bytes)
            .map_err(|error| BulkError::archive(&path, error.to_string()))?;
        if manifest.format != FORMAT {
            let what = format!("its format is {}; this program knows {FORMAT}", manifest.format);
            return Err(BulkError::archive(&path, what));
        }
        Ok(Self { dir: dir.to_owned(), manifest, sealing: Sealing::without_words() })
    }

    /// A manifest of nothing so far.
    pub fn manifest_of(
        backend: &str,
        epoch: u32,
        taken_at: Timestamp,
        base: Option<&Self>,
        held: Option<Uuid>,
    ) -> Manifest {
        Manifest {
            format: FORMAT,
            archive: Uuid::now_v7(),
            base: base.map(|base| base.manifest.archive),
            taken_at,
            backend: backend.to_owned(),
            epoch,
            held,
            complete: false,
            kinds: BTreeMap::new(),
        }
    }

    /// What is in it.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn write_manifest(&self) -> Result<(), BulkError> {
        let path = self.dir.join(MANIFEST);
        let unfinished = path.with_extension("unfinished");
        let failed = || BulkError::file(&path);
        let text = serde_json::to_vec_pretty(&self.manifest).map_err(io::Error::from);
        let mut file = create(&unfinished).map_err(failed())?;
        file.write_all(&text.map_err(failed())?).map_err(failed())?;
        file.sync_all().map_err(failed())?;
        fs::rename(&unfinished, &path).map_err(failed())?;
        sync_dir(&self.dir)
    }

    fn part(&self, kind: Kind, number: u32) -> PathBuf {
        self.dir.join(format!("{}-{number:05}.part", kind.name()))
    }

    /// The parts of a kind that are whole, with the last one's end.
    pub fn parts(&self, kind: Kind) -> Result<(u32, Option<End>), BulkError> {
        let mut number = 0;
        let mut end = None;
        while self.part(kind, number + 1).exists() {
            number += 1;
            let mut reader = PartReader::open(self, kind, number)?;
            while reader.next()?.is_some() {}
            end = reader.end;
        }
        Ok((number, end))
    }

    /// Begins a part.
    pub fn write_part(&self, kind: Kind, number: u32) -> Result<PartWriter, BulkError> {
        let path = self.part(kind, number);
        let unfinished = path.with_extension("unfinished");
        let file = create(&unfinished).map_err(BulkError::file(&unfinished))?;
        let file = BufWriter::with_capacity(BUFFER_BYTES, file);
        let mut writer = PartWriter {
            path,
            unfinished,
            file,
            bytes: 0,
            items: 0,
            events: 0,
            frame: Vec::new(),
            sealing: self.sealing.clone(),
            chat: NO_CHAT,
        };
        writer.put(&Frame::Begin(Begin { archive: self.manifest.archive, number }))?;
        Ok(writer)
    }

    /// The same, whose events are sealed as those of a store. Else they are read without words where they
    /// are sealed.
    #[must_use]
    pub fn sealed_as(self, sealing: Sealing) -> Self {
        Self { sealing, ..self }
    }

    /// Notes that everything is there, once all of it was read back.
    pub fn complete(&mut self) -> Result<(), BulkError> {
        let mut kinds = BTreeMap::new();
        for kind in Kind::ALL {
            kinds.insert(kind.name().to_owned(), self.contents(kind)?);
        }
        self.manifest.kinds = kinds;
        self.manifest.complete = true;
        self.write_manifest()
    }

    /// Reads every part, and fails for one that is not as it was written.
    pub fn verify(&self) -> Result<(), BulkError> {
        for kind in Kind::ALL.into_iter().filter(|kind| !self.predates(*kind)) {
            let listed = self.listed(kind)?;
            if self.contents(kind)? != *listed {
                let what = format!("the {} are not those that were exported", kind.name());
                return Err(BulkError::archive(&self.dir, what));
            }
        }
        Ok(())
    }

    /// Whether it was made before there was anything of this kind.
    pub fn predates(&self, kind: Kind) -> bool {
        let Manifest { complete, kinds, .. } = &self.manifest;
        kind.is_later() && *complete && !kinds.contains_key(kind.name())
    }

    /// What the manifest lists of a kind.
    pub fn listed(&self, kind: Kind) -> Result<&Contents, BulkError> {
        let what = || BulkError::archive(&self.dir, format!("it lists no {}", kind.name()));
        self.manifest.kinds.get(kind.name()).ok_or_else(what)
    }

    /// What the files of a kind hold.
    fn contents(&self, kind: Kind) -> Result<Contents, BulkError> {
        let mut contents = Contents::default();
        let mut number = 1;
        loop {
            let mut reader = PartReader::open(self, kind, number)?;
            while reader.next()?.is_some() {}
            let path = self.part(kind, number);
            let (bytes, sha256) = digest(&path)?;
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            contents.parts.push(Part { file, bytes, sha256 });
            let end = reader.end.ok_or_else(|| BulkError::archive(&path, "it has no end"))?;
            contents.items += end.items;
            contents.events += end.events;
            contents.total = end.total;
            if end.next.is_none() {
                return Ok(contents);
            }
            number += 1;
        }
    }

    /// Reads everything of a kind.
    pub fn frames(&self, kind: Kind) -> Frames<'_> {
        let ended = self.predates(kind);
        Frames { archive: self, kind, number: 0, part: None, ended }
    }
}

/// Files of the owner alone.
fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

fn sync_dir(dir: &Path) -> Result<(), BulkError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(BulkError::file(dir))
}

/// Length and SHA-256 of a file.
fn digest(path: &Path) -> Result<(u64, String), BulkError> {
    let failed = || BulkError::file(path);
    let mut file = File::open(path).map_err(failed())?;
    let mut hash = Sha256::new();
    let bytes = io::copy(&mut file, &mut hash).map_err(failed())?;
    let mut hex = String::new();
    for byte in hash.finalize() {
        // Writing to a string does not fail.
        let _ = write!(hex, "{byte:02x}");
    }
    Ok((bytes, hex))
}

/// A part that is being written.
pub struct PartWriter {
    path: PathBuf,
    unfinished: PathBuf,
    file: BufWriter<File>,
    bytes: u64,
    items: u64,
    events: u64,
    frame: Vec<u8>,
    sealing: Sealing,
    /// Whose events follow.
    chat: ChatId,
}

impl PartWriter {
    /// Adds a frame.
    pub fn put(&mut self, frame: &Frame) -> Result<(), BulkError> {
        match frame {
            Frame::Item(_, item) => {
                self.items += 1;
                self.chat = chat_of(item).unwrap_or(self.chat);
            }
            Frame::Event(_) => self.events += 1,
            Frame::Begin(_) | Frame::Gone(_) | Frame::End(_) => {}
        }
        self.frame.clear();
        put_frame(&mut self.frame, frame, self.sealing.in_chat(self.chat));
        self.bytes += self.frame.len() as u64;
        self.file.write_all(&self.frame).map_err(BulkError::file(&self.unfinished))
    }

    /// How long it is so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Ends the part; it is durable and has its name when this returns.
    pub fn finish(mut self, total: u64, next: Option<super::Place>) -> Result<(), BulkError> {
        let (items, events) = (self.items, self.events);
        self.put(&Frame::End(End { items, events, total, next }))?;
        let failed = || BulkError::file(&self.unfinished);
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error);
        file.map_err(failed())?.sync_all().map_err(failed())?;
        fs::rename(&self.unfinished, &self.path).map_err(failed())?;
        sync_dir(self.path.parent().unwrap_or(Path::new(".")))
    }
}

/// Of the events in front of the first chat: there are none.
const NO_CHAT: ChatId = ChatId::from_bytes([0; 16]);

/// Whose events follow an item.
fn chat_of(item: &Item) -> Option<ChatId> {
    if let Item::Chat(item) = item { Some(item.chat.id) } else { None }
}

/// Reads a part.
struct PartReader {
    path: PathBuf,
    file: BufReader<File>,
    offset: u64,
    end: Option<End>,
    items: u64,
    events: u64,
    sealing: Sealing,
    /// Whose events follow.
    chat: ChatId,
}

impl PartReader {
    fn open(archive: &Archive, kind: Kind, number: u32) -> Result<Self, BulkError> {
        let path = archive.part(kind, number);
        let file = File::open(&path).map_err(BulkError::file(&path))?;
        let file = BufReader::with_capacity(BUFFER_BYTES, file);
        let sealing = archive.sealing.clone();
        let (offset, items, events, chat) = (0, 0, 0, NO_CHAT);
        let mut reader = Self { path, file, offset, end: None, items, events, sealing, chat };
        let begin = Begin { archive: archive.manifest.archive, number };
        match reader.frame()? {
            Frame::Begin(found) if found == begin => Ok(reader),
            Frame::Begin(_) => {
                Err(BulkError::archive(&reader.path, "it is of another archive, or misnamed"))
            }
            _ => Err(reader.damaged()),
        }
    }

    fn damaged(&self) -> BulkError {
        BulkError::archive(&self.path, format!("damaged at offset {}", self.offset))
    }

    fn frame(&mut self) -> Result<Frame, BulkError> {
        let mut header = [0; FRAME_HEADER_BYTES];
        self.read(&mut header)?;
        let (len, crc) = read_header(header).map_err(|_| self.damaged())?;
        let mut body = vec![0; len];
        self.read(&mut body)?;
        let frame = read_frame(&body, crc, self.sealing.in_chat(self.chat));
        let frame = frame.map_err(|unread| match unread {
            Unread::Malformed => self.damaged(),
            Unread::Sealed => BulkError::archive(&self.path, format!("open words: {NO_KEY}")),
        })?;
        if let Frame::Item(_, item) = &frame {
            self.chat = chat_of(item).unwrap_or(self.chat);
        }
        self.offset += (FRAME_HEADER_BYTES + len) as u64;
        Ok(frame)
    }

    fn read(&mut self, bytes: &mut [u8]) -> Result<(), BulkError> {
        self.file.read_exact(bytes).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => self.damaged(),
            _ => BulkError::file(&self.path)(error),
        })
    }

    /// The next frame; `None` behind the last, whose numbers were right.
    fn next(&mut self) -> Result<Option<Frame>, BulkError> {
        if self.end.is_some() {
            return Ok(None);
        }
        let frame = self.frame()?;
        match &frame {
            Frame::Item(..) => self.items += 1,
            Frame::Event(_) => self.events += 1,
            Frame::Gone(_) => {}
            Frame::End(end) => {
                let rest = self.file.read(&mut [0]).map_err(BulkError::file(&self.path))?;
                if (end.items, end.events, rest) != (self.items, self.events, 0) {
                    return Err(self.damaged());
                }
                self.end = Some(end.clone());
                return Ok(None);
            }
            Frame::Begin(_) => return Err(self.damaged()),
        }
        Ok(Some(frame))
    }
}

/// Everything of a kind, in order.
pub struct Frames<'a> {
    archive: &'a Archive,
    kind: Kind,
    number: u32,
    part: Option<PartReader>,
    ended: bool,
}

impl Frames<'_> {
    /// The next frame; `None` at the end.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, BulkError> {
        while !self.ended {
            let Some(part) = &mut self.part else {
                self.number += 1;
                self.part = Some(PartReader::open(self.archive, self.kind, self.number)?);
                continue;
            };
            if let Some(frame) = part.next()? {
                return Ok(Some(frame));
            }
            self.ended = part.end.as_ref().is_some_and(|end| end.next.is_none());
            self.part = None;
        }
        Ok(None)
    }

    /// The next item, passing over everything else; `None` at the end.
    pub fn next_item(&mut self) -> Result<Option<(super::Place, super::Item)>, BulkError> {
        loop {
            match self.next_frame()? {
                Some(Frame::Item(place, item)) => return Ok(Some((place, item))),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }
}
