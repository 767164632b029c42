//! From an archive into a store that nobody has served, and back again for comparison.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use barterline_domain::chat::Chat;
use barterline_domain::event::{Event, Seq};
use barterline_domain::message::EventKind;
use tokio::task::JoinSet;

use super::archive::{Archive, Contents};
use super::error::BulkError;
use super::export::Progress;
use super::standing::Import;
use super::{ChatItem, Item, Kind, PAGE_ITEMS, Target};
use crate::error::StoreError;
use crate::record::archive::Frame;

/// Chats on their way at once.
const CHATS_AT_ONCE: usize = 64;
/// Events of a chat that are put at once: what one append may hold, of messages of usual length.
const EVENTS_AT_ONCE: usize = 256;

/// An archive whose every part was read and found as it was written.
pub fn checked(dir: &Path) -> Result<Archive, BulkError> {
    let archive = Archive::open(dir)?;
    archive.verify()?;
    Ok(archive)
}

/// The import of an archive into a store of this epoch, to be admitted by how the store stands.
pub fn wanted(archive: &Archive, epoch: u32) -> Import {
    let manifest = archive.manifest();
    Import {
        archive: manifest.archive,
        base: manifest.base,
        taken_at: manifest.taken_at,
        epoch,
        complete: false,
    }
}

/// Puts everything of an archive into a store, reads it back and compares, and notes that the store
/// may be served.
pub async fn import(
    target: Arc<dyn Target>,
    archive: &Archive,
    progress: Progress<'_>,
) -> Result<(), BulkError> {
    let archive = &archive.clone().sealed_as(target.source().sealing());
    for kind in Kind::ALL {
        match kind {
            Kind::Chats => put_chats(&target, archive, progress).await?,
            _ => put_items(&*target, archive, kind, progress).await?,
        }
    }
    target.flush().await?;
    for kind in Kind::ALL.into_iter().filter(|kind| !archive.predates(*kind)) {
        compare(&*target, archive, kind).await?;
    }
    Ok(target.complete().await?)
}

async fn put_items(
    target: &dyn Target,
    archive: &Archive,
    kind: Kind,
    progress: Progress<'_>,
) -> Result<(), BulkError> {
    let mut frames = archive.frames(kind);
    let mut items = Vec::new();
    let mut done = 0;
    loop {
        let frame = frames.next_frame()?;
        let more = frame.is_some();
        match frame {
            Some(Frame::Item(_, item)) => items.push(item),
            Some(Frame::Gone(gone)) => target.remove(gone).await?,
            Some(Frame::Begin(_) | Frame::Event(_) | Frame::End(_)) | None => {}
        }
        if items.len() >= PAGE_ITEMS || !more {
            done += items.len() as u64;
            target.put(std::mem::take(&mut items)).await?;
            progress(kind, done, 0);
        }
        if !more {
            return Ok(());
        }
    }
}

/// Chats side by side, the events of each in order.
async fn put_chats(
    target: &Arc<dyn Target>,
    archive: &Archive,
    progress: Progress<'_>,
) -> Result<(), BulkError> {
    let mut frames = archive.frames(Kind::Chats);
    let mut running: JoinSet<Result<(), StoreError>> = JoinSet::new();
    let (mut chats, mut events_done) = (0, 0);
    let mut chat: Option<ChatItem> = None;
    let mut events: Vec<Event> = Vec::new();
    loop {
        let frame = frames.next_frame()?;
        match frame {
            Some(Frame::Event(event)) => {
                events_done += 1;
                events.push(event);
                if let Some(item) = &chat
                    && events.len() >= EVENTS_AT_ONCE
                {
                    target.append(&item.chat, std::mem::take(&mut events)).await?;
                }
            }
            next => {
                if let Some(item) = chat.take() {
                    chats += 1;
                    let (target, events) = (Arc::clone(target), std::mem::take(&mut events));
                    running.spawn(async move {
                        target.append(&item.chat, events).await?;
                        target.settle(item).await
                    });
                }
                while running.len() >= CHATS_AT_ONCE {
                    joined(running.join_next().await)?;
                }
                progress(Kind::Chats, chats, events_done);
                match next {
                    Some(Frame::Item(_, Item::Chat(item))) => chat = Some(*item),
                    Some(_) => {}
                    None => break,
                }
            }
        }
    }
    while !running.is_empty() {
        joined(running.join_next().await)?;
    }
    Ok(())
}

fn joined(
    ended: Option<Result<Result<(), StoreError>, tokio::task::JoinError>>,
) -> Result<(), StoreError> {
    match ended {
        None => Ok(()),
        Some(Ok(result)) => result,
        Some(Err(error)) => Err(StoreError::unavailable("import", error)),
    }
}

/// Reads everything of a kind back; fails for the first thing that is not as the archive has it.
async fn compare(target: &dyn Target, archive: &Archive, kind: Kind) -> Result<(), BulkError> {
    let mut frames = archive.frames(kind);
    // The chat whose events come, and those of them that were read ahead.
    let mut chat: Option<ChatItem> = None;
    let mut stored: Vec<Event> = Vec::new();
    let mut emptied = Emptied::default();
    while let Some(frame) = frames.next_frame()? {
        match frame {
            Frame::Item(_, item) => {
                stored.clear();
                std::mem::take(&mut emptied).check(target).await?;
                match (target.find(&item).await?, normal(item)) {
                    (None, item) => return Err(differs(item.name(), "it is missing")),
                    (Some(found), item) if !is_as(&item, found.clone()) => {
                        return Err(differs(item.name(), "it stands there otherwise"));
                    }
                    (Some(_), Item::Chat(item)) => chat = Some(*item),
                    (Some(_), _) => {}
                }
            }
            Frame::Event(event) => {
                let Some(item) = &chat else { continue };
                if stored.is_empty() {
                    stored = target.source().events(item.chat.id, Seq(event.seq.0 - 1)).await?;
                    stored.reverse();
                }
                if !stored.pop().is_some_and(|stored| emptied.admit(&item.chat, &event, &stored)) {
                    let what = format!("event {} of chat {}", event.seq.0, item.chat.id);
                    return Err(differs(what, "it is missing or another"));
                }
            }
            Frame::Gone(gone) => {
                if target.has(gone).await? {
                    return Err(differs(gone.name(), "it is still there"));
                }
            }
            Frame::Begin(_) | Frame::End(_) => {}
        }
    }
    emptied.check(target).await?;
    let Contents { total, .. } = archive.listed(kind)?;
    let found = count(target, kind).await?;
    if found != *total {
        let what = format!("the number of {}", kind.name());
        return Err(differs(what, &format!("there are {found}, and were {total}")));
    }
    Ok(())
}

/// Events of a chat that have no words in the target, and had them when they were written into the archive:
/// they were taken back since, and whatever did so has to be there.
#[derive(Default)]
struct Emptied {
    chat: Option<Arc<Chat>>,
    /// What was taken back, by the numbers of messages.
    messages: BTreeSet<Seq>,
    /// The last event that was looked at.
    last: Seq,
}

impl Emptied {
    /// Whether an event stands as the archive has it, or without its words.
    fn admit(&mut self, chat: &Arc<Chat>, wanted: &Event, stored: &Event) -> bool {
        self.last = wanted.seq;
        if let EventKind::Delete { target } = stored.kind {
            self.messages.remove(&target);
        }
        if stored == wanted {
            return true;
        }
        let mut left = wanted.clone();
        left.empty();
        self.chat = Some(Arc::clone(chat));
        self.messages.insert(wanted.kind.target().unwrap_or(wanted.seq));
        *stored == left
    }

    /// Fails if nothing took them back.
    async fn check(mut self, target: &dyn Target) -> Result<(), BulkError> {
        let Some(chat) = self.chat else { return Ok(()) };
        while !self.messages.is_empty() {
            let events = target.source().events(chat.id, self.last).await?;
            let Some(last) = events.last() else { break };
            self.last = last.seq;
            for event in &events {
                if let EventKind::Delete { target } = event.kind {
                    self.messages.remove(&target);
                }
            }
        }
        match self.messages.first() {
            None => Ok(()),
            Some(seq) => {
                let what = format!("event {} of chat {}", seq.0, chat.id);
                Err(differs(what, "it has lost its words"))
            }
        }
    }
}

/// Whether what was found is what was wanted. It may have marks of devices besides, which the source
/// has forgotten since the full archive: the greatest of all counts.
fn is_as(wanted: &Item, found: Item) -> bool {
    let mut found = normal(found);
    if let (Item::Chat(wanted), Item::Chat(found)) = (wanted, &mut found) {
        for (wanted, found) in
            [(&wanted.buyer, &mut found.buyer), (&wanted.seller, &mut found.seller)]
        {
            let known = |device| wanted.delivered.iter().any(|(wanted, _)| *wanted == device);
            found.delivered.retain(|(device, _)| known(*device));
        }
    }
    found == *wanted
}

fn normal(item: Item) -> Item {
    match item {
        Item::Chat(item) => Item::Chat(Box::new(item.normal())),
        other => other,
    }
}

fn differs(what: String, how: &str) -> BulkError {
    BulkError::Differs { what, how: how.to_owned() }
}

async fn count(target: &dyn Target, kind: Kind) -> Result<u64, StoreError> {
    let (mut count, mut after) = (0, None);
    loop {
        let page = target.source().page(kind, after.as_ref()).await?;
        count += page.items.len() as u64;
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(count),
        }
    }
}
