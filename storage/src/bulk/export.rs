//! From a store into an archive.

use std::path::Path;

use barterline_domain::clock::Timestamp;
use barterline_domain::event::Seq;

use super::archive::{Archive, Frames, Manifest, PartWriter};
use super::error::BulkError;
use super::{Gone, Item, Kind, Place, Source};
use crate::error::StoreError;
use crate::record::archive::Frame;

/// Hears how far it has come: of which kind, how many items were looked at and events written.
pub type Progress<'a> = &'a (dyn Fn(Kind, u64, u64) + Send + Sync);

/// What to write where.
#[derive(Clone, Copy)]
pub struct Export<'a> {
    /// The archive's directory.
    pub dir: &'a Path,
    /// A full archive of the same store: only what changed since then is written.
    pub base: Option<&'a Path>,
    /// The time now.
    pub now: Timestamp,
    /// A part of so many bytes is ended: [`PART_BYTES`].
    pub part_bytes: u64,
    /// Hears how far it has come.
    pub progress: Progress<'a>,
}

/// Large enough to be few, small enough that little is done again after a crash.
pub const PART_BYTES: u64 = 256 << 20;

/// Writes what is in `source` into an archive. An export that was cut off goes on behind its last
/// whole part.
pub async fn export(source: &dyn Source, order: Export<'_>) -> Result<Manifest, BulkError> {
    let Export { dir, now, .. } = order;
    let base = order.base.map(Archive::open).transpose()?;
    if let Some(base) = &base {
        let Manifest { backend, epoch, base: other, .. } = base.manifest();
        if other.is_some() {
            let what = "a difference: name the full archive that it is a difference to";
            return Err(BulkError::archive(base.dir(), what));
        }
        if (backend.as_str(), *epoch) != (source.backend(), source.epoch()) {
            let what = format!("an archive of another store (a {backend} of epoch {epoch})");
            return Err(BulkError::archive(base.dir(), what));
        }
    }
    let held = source.held();
    let wanted = Archive::manifest_of(source.backend(), source.epoch(), now, base.as_ref(), held);
    let mut archive = Archive::begin(dir, wanted)?.sealed_as(source.sealing());
    if archive.manifest().complete {
        let what = "it has a whole archive already: name another directory";
        return Err(BulkError::archive(dir, what));
    }
    source.begin().await?;
    for kind in Kind::ALL {
        export_kind(source, &archive, base.as_ref(), kind, order).await?;
    }
    if source.held() != held {
        let what = "the store did not stay as it was, read-only or not: name another directory";
        return Err(BulkError::archive(dir, what));
    }
    archive.complete()?;
    Ok(archive.manifest().clone())
}

async fn export_kind(
    source: &dyn Source,
    archive: &Archive,
    base: Option<&Archive>,
    kind: Kind,
    order: Export<'_>,
) -> Result<(), BulkError> {
    let (mut number, end) = archive.parts(kind)?;
    let (mut after, mut total) = match end {
        Some(end) if end.next.is_none() => return Ok(()),
        Some(end) => (end.next, end.total),
        None => (None, 0),
    };
    let mut known = Known::of(base, kind)?;
    known.pass(after.as_ref())?;
    let mut events = 0;
    number += 1;
    let mut part = archive.write_part(kind, number)?;
    loop {
        let page = source.page(kind, after.as_ref()).await?;
        for (place, item) in page.items {
            total += 1;
            let before = known.at(&place, &mut part)?;
            if before.as_ref() != Some(&item) {
                let from = match &before {
                    Some(Item::Chat(before)) => before.head,
                    _ => Seq::ZERO,
                };
                part.put(&Frame::Item(place.clone(), item.clone()))?;
                if let Item::Chat(chat) = &item {
                    events += put_events(source, chat, from, &mut part).await?;
                }
            }
            (order.progress)(kind, total, events);
            if part.bytes() >= order.part_bytes {
                part.finish(total, Some(place))?;
                number += 1;
                part = archive.write_part(kind, number)?;
            }
        }
        after = page.next;
        if after.is_none() {
            known.rest(&mut part)?;
            return part.finish(total, None);
        }
    }
}

/// Writes the events of a chat above `from`, up to the head that its item has; gives how many.
async fn put_events(
    source: &dyn Source,
    item: &super::ChatItem,
    from: Seq,
    part: &mut PartWriter,
) -> Result<u64, BulkError> {
    let mut after = from;
    while after < item.head {
        let page = source.events(item.chat.id, after).await?;
        let mut events = page.into_iter().take_while(|event| event.seq <= item.head).peekable();
        if events.peek().is_none_or(|first| first.seq != after.next()) {
            let place = format!("chat {}, number {}", item.chat.id, after.next().0);
            return Err(StoreError::corrupt("read events", place).into());
        }
        for event in events {
            after = event.seq;
            part.put(&Frame::Event(event))?;
        }
    }
    Ok(after.0 - from.0)
}

/// What a full archive has, beside the store in the same order.
struct Known<'a> {
    frames: Option<Frames<'a>>,
    next: Option<(Place, Item)>,
    base: Option<&'a Archive>,
}

impl<'a> Known<'a> {
    fn of(base: Option<&'a Archive>, kind: Kind) -> Result<Self, BulkError> {
        let mut known = Self { frames: base.map(|base| base.frames(kind)), next: None, base };
        known.advance()?;
        Ok(known)
    }

    fn advance(&mut self) -> Result<Option<(Place, Item)>, BulkError> {
        let next = self.frames.as_mut().map(Frames::next_item).transpose()?.flatten();
        Ok(std::mem::replace(&mut self.next, next))
    }

    /// Passes over what an earlier part has dealt with.
    fn pass(&mut self, through: Option<&Place>) -> Result<(), BulkError> {
        while self.next.as_ref().is_some_and(|(place, _)| Some(place) <= through) {
            self.advance()?;
        }
        Ok(())
    }

    /// What was at a place; notes what was before it and is no more.
    fn at(&mut self, place: &Place, part: &mut PartWriter) -> Result<Option<Item>, BulkError> {
        while self.next.as_ref().is_some_and(|(next, _)| next < place) {
            self.gone(part)?;
        }
        if self.next.as_ref().is_some_and(|(next, _)| next == place) {
            return Ok(self.advance()?.map(|(_, item)| item));
        }
        Ok(None)
    }

    /// Notes what is no more, up to the end.
    fn rest(&mut self, part: &mut PartWriter) -> Result<(), BulkError> {
        while self.next.is_some() {
            self.gone(part)?;
        }
        Ok(())
    }

    fn gone(&mut self, part: &mut PartWriter) -> Result<(), BulkError> {
        let (Some((_, item)), Some(base)) = (self.advance()?, self.base) else { return Ok(()) };
        if let Some(gone) = Gone::of(&item) {
            return part.put(&Frame::Gone(gone));
        }
        let what = format!("an archive of another store: {} is not here", item.name());
        Err(BulkError::archive(base.dir(), what))
    }
}
