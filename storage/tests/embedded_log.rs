//! The embedded chat log: every law, and what damage does to it.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use barterline_domain::event::{Event, Seq};
use barterline_domain::ids::DeviceId;
use barterline_domain::marks::{Marks, Visibility};
use barterline_domain::message::EventKind;
use barterline_domain::personal::PersonalChange;
use barterline_storage::chat_log::{AppendError, ChatLog, Range};
use barterline_storage::conformance::chat_log::{self as laws, Subject};
use barterline_storage::conformance::{inbox as inbox_laws, samples};
use barterline_storage::embedded::log::{FIRST_EPOCH, Log, Opened, Options};
use barterline_storage::error::StoreError;
use barterline_storage::inbox::Inbox;
use barterline_storage::record::sealing::Sealing;
use tempfile::TempDir;

const SEGMENT_BYTES: u64 = 1 << 20;

fn open_dir(dir: &Path) -> Result<Opened, StoreError> {
    open_sealing(dir, Sealing::default())
}

fn open_sealing(dir: &Path, sealing: Sealing) -> Result<Opened, StoreError> {
    let (dir, segment_bytes, epoch) = (dir.to_owned(), SEGMENT_BYTES, FIRST_EPOCH);
    Log::open(&Options { dir, segment_bytes, epoch, sealing })
}

fn open(dir: &Path) -> (Subject, Log) {
    let Opened { log, outcomes } = open_dir(dir).expect("a log");
    (Subject::new(Arc::new(log.clone()), outcomes), log)
}

macro_rules! laws {
    ($($module:ident: $($law:ident),+;)+) => {$($(
        #[tokio::test]
        async fn $law() {
            let dir = TempDir::new().expect("a directory");
            let (mut subject, log) = open(dir.path());
            laws!(@run $module $law subject log);
        }
    )+)+};
    (@run chat_log $law:ident $subject:ident $log:ident) => {
        drop($log);
        laws::$law(&mut $subject).await;
    };
    (@run inbox $law:ident $subject:ident $log:ident) => {
        inbox_laws::$law(&mut $subject, &$log).await;
    };
}

laws! {
    chat_log:
        create_finds_the_first,
        a_missing_chat_is_empty,
        g3_events_are_read_as_they_were_appended,
        g3_a_stale_head_conflicts,
        g3_pipelined_appends_keep_their_order,
        g3_what_is_behind_a_failed_append_fails,
        ranges_are_exclusive_and_ascend,
        a_message_is_read_as_it_became;
    inbox:
        chats_are_counted,
        unread_adds_up_over_all_chats,
        g6_only_participants_have_a_row,
        unread_follows_the_read_mark,
        marks_merge_by_maximum,
        g5_changes_are_announced_after_a_position,
        rows_are_listed_newest_first_over_pages,
        changes_made_at_once_are_all_kept,
        what_changed_is_told,
        marks_are_shown_as_far_as_they_may,
        personal_changes_are_kept_and_nobody_elses;
}

/// The same laws on a log whose words are sealed.
mod sealed {
    use super::*;

    fn open(dir: &Path) -> (Subject, Log) {
        let Opened { log, outcomes } = open_sealing(dir, samples::sealing(true)).expect("a log");
        (Subject::new(Arc::new(log.clone()), outcomes), log)
    }

    laws! {
        chat_log:
            g3_events_are_read_as_they_were_appended,
            g3_a_stale_head_conflicts,
            g3_pipelined_appends_keep_their_order,
            ranges_are_exclusive_and_ascend,
            a_message_is_read_as_it_became;
        inbox:
            rows_are_listed_newest_first_over_pages,
            what_changed_is_told;
    }

    #[tokio::test]
    async fn sealed_words_open_by_their_keys_alone_whatever_becomes_of_the_rest() {
        let dir = TempDir::new().expect("a directory");
        let chat = {
            let (mut subject, log) = open(dir.path());
            let chat = subject.chat(1).await;
            laws::amend(&mut subject, &chat).await;
            laws::is_amended(&log, &chat).await;
            chat
        };
        let bytes = fs::read(segment(dir.path())).expect("a segment");
        for words in ["first", "second", "edited", "unseen", "answer"] {
            let stands = bytes.windows(words.len()).any(|part| part == words.as_bytes());
            assert!(!stands, "{words}");
        }
        // What is not new opens on, where nothing is sealed any more.
        for seals in [true, false] {
            let Opened { log, outcomes: _outcomes } =
                open_sealing(dir.path(), samples::sealing(seals)).expect("a log");
            laws::is_amended(&log, &chat).await;
        }
        let Opened { log, outcomes: _outcomes } = open_dir(dir.path()).expect("a log");
        let head = log.head(chat.id).await.expect("a read").expect("the chat").head;
        assert_eq!(head, Seq(18), "all but the words is there");
        let refused = log.read(chat.id, Range::After(Seq::ZERO), 1).await;
        assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn what_became_of_a_message_outlives_the_process() {
    let dir = TempDir::new().expect("a directory");
    let (mut subject, log) = open(dir.path());
    let chat = subject.chat(1).await;
    laws::amend(&mut subject, &chat).await;
    // From the log alone, and then from the checkpoint of an orderly end.
    let copy = killed(dir.path());
    laws::is_amended(&open(copy.path()).1, &chat).await;
    drop((subject, log));
    laws::is_amended(&open(dir.path()).1, &chat).await;
}

/// The log's first segment.
fn segment(dir: &Path) -> PathBuf {
    dir.join("log/0000000000000000.log")
}

/// Copies a store as a killed process leaves it: what the kernel has, without an orderly end.
fn killed(dir: &Path) -> TempDir {
    loop {
        let copy = TempDir::new().expect("a directory");
        match copy_as_it_is(dir, copy.path()) {
            Ok(()) => return copy,
            // A segment made ahead got its name meanwhile. No moment of the store had neither.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => panic!("a copy: {error}"),
        }
    }
}

fn copy_as_it_is(dir: &Path, copy: &Path) -> io::Result<()> {
    fs::create_dir(copy.join("log"))?;
    for file in ["index.redb", "log/high-water"] {
        let _ = fs::copy(dir.join(file), copy.join(file));
    }
    for entry in fs::read_dir(dir.join("log"))? {
        let path = entry?.path();
        fs::copy(&path, copy.join("log").join(path.file_name().expect("a name")))?;
    }
    Ok(())
}

/// Offset behind the last byte that is not zero.
fn used(path: &Path) -> u64 {
    let bytes = fs::read(path).expect("a segment");
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at as u64 + 1)
}

fn write_at(path: &Path, bytes: &[u8], offset: u64) {
    let file = OpenOptions::new().write(true).open(path).expect("a segment");
    file.write_all_at(bytes, offset).expect("a write");
}

#[tokio::test]
async fn g1_everything_acknowledged_is_there_after_a_kill() {
    let dir = TempDir::new().expect("a directory");
    let (mut subject, running) = open(dir.path());
    let chat = subject.chat(1).await;
    // More than a segment, so that the log goes over to the next.
    for first in (1..=6_000).step_by(100) {
        let events = (first..first + 100).map(samples::event).collect();
        subject.append(&chat, first - 1, events).await.expect("an append");
    }
    let (seller, device) = (chat.participants.seller, DeviceId::from_bytes([1; 16]));
    let marks = Marks::new(Seq(9), Seq(8));
    running.mark(seller, chat.id, device, marks, Visibility::Both).await.expect("a mark");
    running.change(seller, chat.id, PersonalChange::Pin(true)).await.expect("a change");
    let copy = killed(dir.path());
    let (_, log) = open(copy.path());
    for first in (1..=6_000).step_by(100) {
        let events = log.read(chat.id, Range::After(Seq(first - 1)), 100).await.expect("a read");
        assert_eq!(events, (first..first + 100).map(samples::event).collect::<Vec<_>>());
    }
    let row = log.row(seller, chat.id).await.expect("a read").expect("a row");
    assert_eq!((row.head, row.unread), (Seq(6_000), 2_996));
    assert_eq!((row.marks, row.personal.pinned), (marks, true));
}

#[tokio::test]
async fn an_orderly_end_and_a_kill_open_alike() {
    let dir = TempDir::new().expect("a directory");
    for round in 0..3 {
        let (mut subject, log) = open(dir.path());
        let chat = subject.chat(1).await;
        subject.grow(&chat, round * 10, 10).await;
        let head = log.head(chat.id).await.expect("a read").expect("a chat");
        assert_eq!(head.head, Seq(round * 10 + 10));
    }
}

#[tokio::test]
async fn a_torn_last_group_is_dropped() {
    let dir = TempDir::new().expect("a directory");
    let (mut subject, _log) = open(dir.path());
    let chat = subject.chat(1).await;
    subject.grow(&chat, 0, 5).await;
    let before = used(&segment(dir.path()));
    subject.grow(&chat, 5, 1).await;
    let after = used(&segment(dir.path()));
    for cut in [before + 1, before + 20, before + 40, after - 1] {
        let copy = killed(dir.path());
        // The mark follows within a second; here it has not yet.
        let _ = fs::remove_file(copy.path().join("log/high-water"));
        write_at(&segment(copy.path()), &vec![0; (after - cut) as usize], cut);
        let (mut subject, log) = open(copy.path());
        let head = log.head(chat.id).await.expect("a read").expect("a chat");
        assert_eq!(head.head, Seq(5), "cut at {cut}");
        subject.grow(&head.chat, 5, 3).await;
        let again = killed(copy.path());
        drop((subject, log));
        let (_, log) = open(again.path());
        let head = log.head(chat.id).await.expect("a read").expect("a chat");
        assert_eq!(head.head, Seq(8));
    }
}

#[tokio::test]
async fn damage_in_the_middle_is_refused_with_its_place() {
    let dir = TempDir::new().expect("a directory");
    let (mut subject, _log) = open(dir.path());
    let chat = subject.chat(1).await;
    subject.grow(&chat, 0, 20).await;
    let end = used(&segment(dir.path()));
    for (what, offset, bytes) in [
        ("a flipped byte", end / 2, vec![0xff; 1]),
        ("a zeroed sector", 512, vec![0; 512]),
        ("a lost header", 64, vec![0; 32]),
    ] {
        let copy = killed(dir.path());
        write_at(&segment(copy.path()), &bytes, offset);
        let error = open_dir(copy.path()).err().expect(what);
        let StoreError::Corrupt { place, .. } = &error else { panic!("{what}: {error}") };
        assert!(place.contains("0000000000000000.log, offset "), "{what}: {error}");
    }
}

#[tokio::test]
async fn damage_below_the_checkpoint_is_found_at_read() {
    let dir = TempDir::new().expect("a directory");
    let (mut subject, log) = open(dir.path());
    let chat = subject.chat(1).await;
    subject.grow(&chat, 0, 5).await;
    let end = used(&segment(dir.path()));
    subject.grow(&chat, 5, 5).await;
    // An orderly end writes a checkpoint: the next start does not walk this part again.
    drop((subject, log));
    write_at(&segment(dir.path()), &[0xff], end - 3);
    let (_, log) = open(dir.path());
    assert_eq!(log.head(chat.id).await.expect("a read").expect("a chat").head, Seq(10));
    let error = log.read(chat.id, Range::After(Seq::ZERO), 100).await.expect_err("damage");
    assert!(error.to_string().contains("0000000000000000.log, offset "), "{error}");
    let later = log.read(chat.id, Range::After(Seq(5)), 100).await.expect("a read");
    assert_eq!(later.len(), 5, "what is sound stays readable");
}

#[tokio::test]
async fn a_log_that_ends_below_the_high_water_mark_is_refused() {
    let dir = TempDir::new().expect("a directory");
    let (mut subject, log) = open(dir.path());
    let chat = subject.chat(1).await;
    let index = fs::read(dir.path().join("index.redb")).expect("an index");
    subject.grow(&chat, 0, 5).await;
    drop((subject, log));
    // The whole end of the log is gone, and so is the index that knows of it.
    fs::write(dir.path().join("index.redb"), index).expect("a write");
    let end = used(&segment(dir.path()));
    write_at(&segment(dir.path()), &vec![0; 400], end - 400);
    let error = open_dir(dir.path()).err().expect("a refusal");
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}

/// Event `seq` with a text of `len` bytes.
fn long_event(seq: u64, len: usize) -> Event {
    let kind = EventKind::text(&"x".repeat(len));
    Event { digest: kind.digest(), kind, ..samples::event(seq) }
}

#[tokio::test]
async fn g1_an_append_lies_in_one_segment_however_large() {
    let dir = TempDir::new().expect("a directory");
    let (mut subject, _log) = open(dir.path());
    let chat = subject.chat(1).await;
    let mut head = 0;
    // Up to the largest that is allowed, over many ends of segments.
    while head < 6_000 {
        let events: Vec<_> = (head + 1..=head + 60).map(|seq| long_event(seq, 4_000)).collect();
        subject.append(&chat, head, events).await.expect("an append");
        head += 60;
    }
    let events: Vec<_> = (head + 1..=head + 66).map(|seq| long_event(seq, 4_000)).collect();
    let refusal = subject.append(&chat, head, events).await.expect_err("more than fits");
    assert!(matches!(refusal, AppendError::Unavailable(_)), "{refusal:?}");
    let copy = killed(dir.path());
    for entry in fs::read_dir(copy.path().join("log")).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "log") {
            assert_eq!(fs::metadata(&path).expect("a file").len(), SEGMENT_BYTES);
        }
    }
    let (_, log) = open(copy.path());
    for first in (0..head).step_by(100) {
        let events = log.read(chat.id, Range::After(Seq(first)), 100).await.expect("a read");
        assert_eq!(
            events,
            (first + 1..=first + 100).map(|seq| long_event(seq, 4_000)).collect::<Vec<_>>()
        );
    }
}

#[tokio::test]
async fn g1_a_refused_log_is_left_as_it_is() {
    let dir = TempDir::new().expect("a directory");
    let (mut subject, log) = open(dir.path());
    let chat = subject.chat(1).await;
    subject.grow(&chat, 0, 9).await;
    let before = used(&segment(dir.path()));
    subject.grow(&chat, 9, 1).await;
    // The mark follows an idle log, too.
    let mark = dir.path().join("log/high-water");
    let end = used(&segment(dir.path()));
    let patience = Instant::now() + Duration::from_secs(20);
    while fs::read(&mark).ok().is_none_or(|mark| mark[..8] != end.to_le_bytes()) {
        assert!(Instant::now() < patience, "the mark stays behind");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let copy = killed(dir.path());
    drop((subject, log));
    write_at(&segment(copy.path()), &[0xff], before + 50);
    let damaged = fs::read(segment(copy.path())).expect("a segment");
    let error = open_dir(copy.path()).err().expect("a refusal");
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert!(fs::read(segment(copy.path())).expect("a segment") == damaged);
}

#[tokio::test]
async fn a_log_that_is_lost_after_an_orderly_end_is_refused() {
    let dir = TempDir::new().expect("a directory");
    let (mut subject, log) = open(dir.path());
    let chat = subject.chat(1).await;
    subject.grow(&chat, 0, 9).await;
    drop((subject, log));
    for what in ["zeroed", "removed", "another"] {
        let copy = killed(dir.path());
        let path = segment(copy.path());
        match what {
            "zeroed" => fs::write(&path, vec![0; SEGMENT_BYTES as usize]).expect("a write"),
            "removed" => fs::remove_file(&path).expect("a removal"),
            _ => {
                let other = TempDir::new().expect("a directory");
                let (mut subject, log) = open(other.path());
                let chat = subject.chat(2).await;
                subject.grow(&chat, 0, 20).await;
                drop((subject, log));
                fs::copy(segment(other.path()), &path).expect("a copy");
            }
        }
        let error = open_dir(copy.path()).err().expect(what).to_string();
        assert!(error.contains("0000000000000000.log"), "{what}: {error}");
    }
}

#[tokio::test]
async fn a_damaged_newest_event_takes_its_preview_along_and_nothing_else() {
    let dir = TempDir::new().expect("a directory");
    let (mut subject, log) = open(dir.path());
    let (first, second) = (subject.chat(1).await, subject.chat(1).await);
    assert_eq!(first.id, second.id);
    subject.grow(&first, 0, 4).await;
    let before = used(&segment(dir.path()));
    subject.grow(&first, 4, 1).await;
    // So that the damage is not in the group that is looked at when the log is opened.
    subject.chat(2).await;
    drop((subject, log));
    write_at(&segment(dir.path()), &[0xff], before + 60);
    let (_, log) = open(dir.path());
    let row = log.row(first.participants.buyer, first.id).await.expect("a row").expect("a chat");
    assert_eq!((row.head, row.last), (Seq(5), None));
}

#[tokio::test]
async fn a_newer_format_is_refused() {
    let dir = TempDir::new().expect("a directory");
    let (subject, log) = open(dir.path());
    subject.chat(1).await;
    drop((subject, log));
    write_at(&segment(dir.path()), &[9], 16);
    let error = open_dir(dir.path()).err().expect("a refusal").to_string();
    assert!(error.contains("format 9; this server knows up to 1"), "{error}");
}

#[tokio::test]
async fn a_disk_that_fails_ends_appending_and_loses_nothing() {
    let dir = TempDir::new().expect("a directory");
    let (mut subject, log) = open(dir.path());
    let chat = subject.chat(1).await;
    subject.grow(&chat, 0, 3).await;
    // The next segment cannot be made any more.
    let moved = dir.path().join("elsewhere");
    fs::rename(dir.path().join("log"), &moved).expect("a rename");
    let mut head = 3;
    let refusal = loop {
        let events = (head + 1..=head + 500).map(samples::event).collect();
        match subject.append(&chat, head, events).await {
            Ok(()) => head += 500,
            Err(refusal) => break refusal,
        }
    };
    assert!(matches!(refusal, AppendError::Unavailable(_)), "{refusal}");
    assert!(log.failure().is_some_and(|reason| reason.contains("cannot create")));
    let after = subject.append(&chat, head, vec![samples::event(head + 1)]).await;
    assert!(after.is_err(), "only reopening lets appends through again");
    let last = log.read(chat.id, Range::Before(Seq(head + 1)), 1).await.expect("a read");
    assert_eq!(last, [samples::event(head)], "reads go on");
    drop((subject, log));
    fs::rename(&moved, dir.path().join("log")).expect("a rename");
    let (mut subject, log) = open(dir.path());
    assert_eq!(log.head(chat.id).await.expect("a read").expect("a chat").head, Seq(head));
    subject.grow(&chat, head, 1).await;
}
