//! What is left when the power goes: a disk that forgets whatever was not synced shows that no
//! outcome leaves before the sync that covers it. A killed process cannot show it: the kernel keeps
//! what the process wrote.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use barterline_domain::chat::{Chat, ListingSnapshot, Participants};
use barterline_domain::clock::Timestamp;
use barterline_domain::event::{Author, Event, Seq, SmallState};
use barterline_domain::ids::{ChatId, ClientId, ListingId, UserId};
use barterline_domain::message::{Body, EventKind};
use barterline_domain::money::{Currency, Money};
use parking_lot::Mutex;
use tempfile::TempDir;

use super::Log;
use super::disk::{Disk, SegmentFile};
use super::index::Index;
use super::open::{FIRST_EPOCH, Opened};
use crate::chat_log::{Append, ChatLog, Outcomes, Range};
use crate::conformance::samples;
use crate::record::chat_log::erase_record;
use crate::record::sealing::Sealing;

const SEGMENT_BYTES: u64 = 1 << 20;

/// One segment: what was written, and what would be there after a power cut.
#[derive(Default)]
struct Pages {
    written: Mutex<Vec<u8>>,
    synced: Mutex<Vec<u8>>,
    lies: bool,
}

impl SegmentFile for Pages {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let written = self.written.lock();
        let rest = written.get(offset as usize..).unwrap_or_default();
        let n = rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let end = offset as usize + bytes.len();
        self.written.lock()[offset as usize..end].copy_from_slice(bytes);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        if !self.lies {
            self.written.lock().clone_into(&mut self.synced.lock());
        }
        Ok(())
    }
}

/// A disk that forgets. One that `lies` says it synced and did not.
#[derive(Default, Clone)]
struct ForgetfulDisk {
    segments: Arc<Mutex<BTreeMap<u64, Arc<Pages>>>>,
    lies: bool,
    /// No file can be opened any more.
    full: Arc<AtomicBool>,
}

impl ForgetfulDisk {
    /// The disk after a power cut.
    fn without_power(&self) -> Self {
        let segments = self.segments.lock();
        let left = segments.iter().map(|(start, pages)| {
            let synced = pages.synced.lock().clone();
            let pages = Pages {
                written: Mutex::new(synced.clone()),
                synced: Mutex::new(synced),
                lies: false,
            };
            (*start, Arc::new(pages))
        });
        let segments = Arc::new(Mutex::new(left.collect()));
        Self { segments, ..Self::default() }
    }
}

impl Disk for ForgetfulDisk {
    fn segments(&self) -> io::Result<Vec<u64>> {
        Ok(self.segments.lock().keys().copied().collect())
    }

    fn create(&self, start: u64, bytes: u64) -> io::Result<Arc<dyn SegmentFile>> {
        let zeros = vec![0; bytes as usize];
        let pages = Pages {
            written: Mutex::new(zeros.clone()),
            synced: Mutex::new(zeros),
            lies: self.lies,
        };
        let pages = Arc::new(pages);
        self.segments.lock().insert(start, Arc::clone(&pages));
        Ok(pages)
    }

    fn open(&self, start: u64) -> io::Result<Arc<dyn SegmentFile>> {
        if self.full.load(Ordering::Acquire) {
            return Err(io::Error::other("too many open files"));
        }
        let segments = self.segments.lock();
        let pages = segments.get(&start).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::clone(pages) as Arc<dyn SegmentFile>)
    }

    // The mark would find the loss too; here the log has to prove itself without it.
    fn write_high_water(&self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn read_high_water(&self) -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn place(&self, start: u64) -> String {
        format!("segment {start}")
    }
}

/// Opens a log on `disk` with an index that knows nothing: all there is comes from the log.
fn open(disk: ForgetfulDisk, dir: &TempDir, name: &str) -> Opened {
    open_kept(disk, dir, name, Sealing::default())
}

fn open_kept(disk: ForgetfulDisk, dir: &TempDir, name: &str, sealing: Sealing) -> Opened {
    let index = Index::open(&dir.path().join(name)).expect("an index");
    Log::open_on(Box::new(disk), index, (SEGMENT_BYTES, FIRST_EPOCH), sealing).expect("a log")
}

fn chat() -> Chat {
    let (listing, buyer) = (ListingId::from_bytes([1; 16]), UserId::from_bytes([2; 16]));
    let price = Money { minor: 1, currency: Currency::parse("EUR").expect("a currency") };
    Chat {
        id: ChatId::of(listing, buyer),
        listing,
        participants: Participants { buyer, seller: UserId::from_bytes([3; 16]) },
        snapshot: ListingSnapshot { title: "bicycle".to_owned(), price, version: 1 },
        opened_at: Timestamp::from_millis(1),
    }
}

fn event(seq: u64) -> Event {
    let kind = EventKind::text(&format!("message {seq}"));
    Event {
        seq: Seq(seq),
        at: Timestamp::from_millis(seq),
        author: Author::Buyer,
        id: ClientId::from_bytes(u128::from(seq).to_be_bytes()),
        digest: kind.digest(),
        kind,
        after: SmallState { buyer_messages: seq, ..SmallState::default() },
        withheld: false,
        amended: None,
    }
}

/// Appends, and cuts the power at every outcome: what the outcome covers has to be there.
async fn cut_the_power_at_every_outcome(disk: ForgetfulDisk) {
    let dir = TempDir::new().expect("a directory");
    let Opened { log, mut outcomes } = open(disk.clone(), &dir, "live");
    let chat = log.create(chat()).await.expect("a chat");
    let total = 200;
    for seq in 1..=total {
        let expected_head = Seq(seq - 1);
        log.append(Append { chat: Arc::clone(&chat), expected_head, events: vec![event(seq)] });
        if seq % 7 == 0 {
            // Groups of one and of several.
            tokio::task::yield_now().await;
        }
    }
    let mut acknowledged = 0;
    while acknowledged < total {
        let committed = outcomes.recv().await.expect("an outcome");
        // Before anything else happens: this is what a power cut leaves now.
        let left = disk.without_power();
        for outcome in committed.appends {
            outcome.result.expect("an append");
            acknowledged = outcome.events[0].seq.0;
        }
        let name = format!("after {acknowledged}");
        let Opened { log, outcomes: _outcomes } = open(left, &dir, &name);
        let events = log.read(chat.id, Range::After(Seq::ZERO), 1_000).await.expect("a read");
        let expected: Vec<_> = (1..=acknowledged).map(event).collect();
        assert!(
            events.starts_with(&expected),
            "G1: {acknowledged} acknowledged, {} left",
            events.len()
        );
    }
}

#[tokio::test]
async fn g1_no_outcome_leaves_before_its_sync() {
    cut_the_power_at_every_outcome(ForgetfulDisk::default()).await;
}

#[tokio::test]
#[should_panic(expected = "G1:")]
async fn the_check_finds_a_sync_that_does_nothing() {
    cut_the_power_at_every_outcome(ForgetfulDisk { lies: true, ..ForgetfulDisk::default() }).await;
}

/// Waits until event `seq` is durable.
async fn until_durable(outcomes: &mut Outcomes, seq: u64) {
    loop {
        let committed = outcomes.recv().await.expect("an outcome");
        if committed.appends.iter().any(|outcome| outcome.events[0].seq == Seq(seq)) {
            return;
        }
    }
}

/// What the disk has of these words.
fn stands(disk: &ForgetfulDisk, words: &str) -> bool {
    let segments = disk.segments.lock();
    let has = |bytes: &[u8]| bytes.windows(words.len()).any(|part| part == words.as_bytes());
    segments.values().any(|pages| has(&pages.synced.lock()))
}

/// Changes event `seq` into something else that happened.
fn of(seq: u64, kind: EventKind) -> Event {
    Event { digest: kind.digest(), kind, ..event(seq) }
}

#[tokio::test]
async fn words_that_were_taken_back_leave_the_disk_and_nothing_else_does() {
    let (dir, disk) = (TempDir::new().expect("a directory"), ForgetfulDisk::default());
    let Opened { log, mut outcomes } = open(disk.clone(), &dir, "live");
    let chat = log.create(chat()).await.expect("a chat");
    let words = |text: &str| Body::parse(text.to_owned()).expect("words");
    let edit = |target, text| EventKind::Edit { target: Seq(target), body: Some(words(text)) };
    // More than the edits of one message are looked through at a time.
    let mut events: Vec<_> = (1..=150).map(event).collect();
    events.push(of(151, edit(1, "first words")));
    events.push(of(152, edit(2, "other words")));
    events.push(of(153, edit(1, "second words")));
    events.push(of(154, EventKind::Delete { target: Seq(1) }));
    events.push(of(155, EventKind::Delete { target: Seq(3) }));
    // As of another log, which had not heard of it.
    events.push(of(156, edit(3, "late words")));
    for event in events {
        let expected_head = Seq(event.seq.0 - 1);
        log.append(Append { chat: Arc::clone(&chat), expected_head, events: vec![event] });
    }
    until_durable(&mut outcomes, 156).await;
    let read =
        async |log: &Log| log.read(chat.id, Range::After(Seq::ZERO), 1_000).await.expect("a read");
    let before = read(&log).await;
    assert_eq!(before.len(), 156);
    for words in ["first words", "second words", "other words", "late words"] {
        assert!(stands(&disk, words), "{words}");
    }
    log.shared.checkpoint().expect("a checkpoint");
    while !log.shared.index.due(1).expect("a read").is_empty() {
        log.shared.erase_step().expect("a step");
    }
    for (words, stay) in [
        ("first words", false),
        ("second words", false),
        ("late words", false),
        ("other words", true),
        ("message 100", true),
    ] {
        assert_eq!(stands(&disk, words), stay, "{words}");
    }
    assert_eq!(read(&log).await, before);
    let raw = log.raw_events(chat.id, Seq::ZERO, 1_000).expect("a read");
    for seq in [1, 3, 151, 153, 156] {
        let mut emptied = before[seq - 1].clone();
        emptied.empty();
        assert_eq!(raw[seq - 1], emptied, "{seq}");
    }
    // Every checksum is as it was: of the records, of the groups, and of what follows from those.
    let Opened { log, outcomes: _outcomes } = open(disk.without_power(), &dir, "anew");
    assert_eq!(read(&log).await, before);
    assert!(!stands(&disk.without_power(), "first words"));
}

/// Else what is due would be given up, wherever keys are missing for a while.
#[tokio::test]
async fn sealed_words_are_overwritten_without_their_keys() {
    let (dir, disk) = (TempDir::new().expect("a directory"), ForgetfulDisk::default());
    let id = {
        let Opened { log, mut outcomes } =
            open_kept(disk.clone(), &dir, "sealed", samples::sealing(true));
        let chat = log.create(chat()).await.expect("a chat");
        let mut events: Vec<_> = (1..=150).map(event).collect();
        events.push(of(151, EventKind::Delete { target: Seq(1) }));
        for event in events {
            let expected_head = Seq(event.seq.0 - 1);
            log.append(Append { chat: Arc::clone(&chat), expected_head, events: vec![event] });
        }
        until_durable(&mut outcomes, 151).await;
        assert!(!stands(&disk, "message 100"));
        chat.id
    };
    let disk = disk.without_power();
    {
        let Opened { log, outcomes: _outcomes } = open(disk.clone(), &dir, "without keys");
        log.shared.checkpoint().expect("a checkpoint");
        while !log.shared.index.due(1).expect("a read").is_empty() {
            log.shared.erase_step().expect("a step");
        }
    }
    let Opened { log, outcomes: _outcomes } =
        open_kept(disk.without_power(), &dir, "anew", samples::sealing(false));
    let raw = log.raw_events(id, Seq::ZERO, 1_000).expect("a read");
    let mut emptied = event(1);
    emptied.empty();
    assert_eq!(raw[0], emptied);
    assert_eq!(raw[99], event(100));
}

#[tokio::test]
async fn g1_a_record_that_is_overwritten_by_half_is_finished_when_the_log_is_opened() {
    let (dir, disk) = (TempDir::new().expect("a directory"), ForgetfulDisk::default());
    let (id, record, position, expected);
    {
        let Opened { log, mut outcomes } = open(disk.clone(), &dir, "live");
        let chat = log.create(chat()).await.expect("a chat");
        for seq in 1..=20 {
            let expected_head = Seq(seq - 1);
            log.append(Append { chat: Arc::clone(&chat), expected_head, events: vec![event(seq)] });
        }
        until_durable(&mut outcomes, 20).await;
        let tail = log.shared.with_chat(chat.id, |state, id| state.chats[&id].row.tail);
        let tail = tail.expect("a read").expect("a chat");
        position = log.shared.position_of(chat.id, &tail, Seq(7)).expect("a position");
        let mut bytes = log.shared.record_bytes(position).expect("a record");
        assert_eq!(erase_record(&mut bytes), Ok(true));
        let mut events = log.read(chat.id, Range::After(Seq::ZERO), 100).await.expect("a read");
        events[6].empty();
        (id, record, expected) = (chat.id, bytes, events);
    }
    for cut in 0..=record.len() {
        let left = disk.without_power();
        left.segments.lock()[&0].write_all_at(&record[..cut], position).expect("a write");
        let index = Index::open(&dir.path().join("live")).expect("an index");
        index.keep_erasures(&[(position, record.clone())]).expect("a write");
        let opened =
            Log::open_on(Box::new(left), index, (SEGMENT_BYTES, FIRST_EPOCH), Sealing::default());
        let Opened { log, outcomes: _outcomes } = opened.expect("a log");
        let events = log.read(id, Range::After(Seq::ZERO), 100).await.expect("a read");
        assert_eq!(events, expected, "cut at {cut}");
        assert_eq!(log.shared.index.erasures().expect("a read"), []);
    }
}

#[tokio::test]
async fn words_wait_where_no_file_can_be_opened_and_nothing_else_does() {
    let (dir, disk) = (TempDir::new().expect("a directory"), ForgetfulDisk::default());
    let Opened { log, mut outcomes } = open(disk.clone(), &dir, "live");
    let chat = log.create(chat()).await.expect("a chat");
    for event in [event(1), of(2, EventKind::Delete { target: Seq(1) })] {
        let expected_head = Seq(event.seq.0 - 1);
        log.append(Append { chat: Arc::clone(&chat), expected_head, events: vec![event] });
    }
    until_durable(&mut outcomes, 2).await;
    disk.full.store(true, Ordering::Release);
    log.shared.checkpoint().expect("a checkpoint");
    assert!(log.shared.erase_step().is_err());
    log.append(Append { chat: Arc::clone(&chat), expected_head: Seq(2), events: vec![event(3)] });
    until_durable(&mut outcomes, 3).await;
    assert!(stands(&disk, "message 1"));
    disk.full.store(false, Ordering::Release);
    while !log.shared.index.due(1).expect("a read").is_empty() {
        log.shared.erase_step().expect("a step");
    }
    assert!(!stands(&disk, "message 1") && stands(&disk, "message 3"));
}
