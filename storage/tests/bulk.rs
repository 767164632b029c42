//! Stores that are moved: from one directory to another by an archive, and what goes wrong on the way.

use std::fs;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use barterline_domain::clock::Timestamp;
use barterline_domain::event::{Author, Event, Seq};
use barterline_domain::ids::{ChatId, ListingId};
use barterline_domain::message::{Body, EventKind};
use barterline_storage::bulk::archive::{Archive, Manifest};
use barterline_storage::bulk::error::BulkError;
use barterline_storage::bulk::export::{Export, export};
use barterline_storage::bulk::import::checked;
use barterline_storage::bulk::{Kind, LEFT_BEHIND, Page, Place, Source, Target as _};
use barterline_storage::chat_log::AppendError;
use barterline_storage::conformance::bulk::{
    exported, fill, go_on, import_of, imported, order, seen,
};
use barterline_storage::conformance::chat_log::Subject;
use barterline_storage::conformance::{accounts, identities, samples};
use barterline_storage::embedded;
use barterline_storage::embedded::bulk::EmbeddedTarget;
use barterline_storage::error::StoreError;
use barterline_storage::record::sealing::Sealing;
use barterline_storage::stores::{AGGREGATES, Opened};
use tempfile::TempDir;
use uuid::Uuid;

const SEGMENT_BYTES: u64 = 1 << 20;

fn open(dir: &Path) -> (Opened, Subject) {
    let mut opened = embedded::open(dir, SEGMENT_BYTES, Sealing::default()).expect("a store");
    let (_, none) = tokio::sync::mpsc::channel(1);
    let outcomes = std::mem::replace(&mut opened.outcomes, none);
    let subject = Subject::new(opened.stores.chat_log.clone(), outcomes);
    (opened, subject)
}

fn target(dir: &Path, archive: &Path) -> Result<(EmbeddedTarget, Archive), BulkError> {
    let (archive, import) = import_of(archive);
    Ok((EmbeddedTarget::open(dir, SEGMENT_BYTES, Sealing::default(), import)?, archive))
}

/// Directories for a source, its archives and a target.
struct Move(TempDir);

impl Move {
    fn new() -> Self {
        Self(TempDir::new().expect("a directory"))
    }

    fn dir(&self, name: &str) -> PathBuf {
        let dir = self.0.path().join(name);
        fs::create_dir_all(&dir).expect("a directory");
        dir
    }

    /// A filled store with its full archive.
    async fn full(&self) -> (Opened, Subject) {
        let (opened, mut subject) = open(&self.dir("source"));
        fill(&opened.stores, &mut subject).await;
        exported(&*opened.source, &self.dir("full"), None).await;
        (opened, subject)
    }
}

#[tokio::test]
async fn g1_everything_moves_to_another_directory() {
    let moving = Move::new();
    let (opened, mut subject) = moving.full().await;
    go_on(&opened.stores, &mut subject).await;
    let rest = exported(&*opened.source, &moving.dir("rest"), Some(&moving.dir("full"))).await;
    let chats = &rest.kinds["chats"];
    assert_eq!((chats.items, chats.events, chats.total), (4, 5, 8), "only what changed");

    let to = moving.dir("target");
    for archive in ["full", "rest", "rest"] {
        let (target, archive) = target(&to, &moving.dir(archive)).expect("an empty store");
        imported(target, &archive).await;
    }
    let before = seen(&opened.stores).await;
    let epoch = opened.stores.inbox.position().epoch;
    drop((opened, subject));
    let (moved, mut subject) = open(&to);
    assert_eq!(seen(&moved.stores).await, before);
    // Cursors of the old store mean nothing here.
    assert_eq!(moved.stores.inbox.position().epoch, epoch + 1);
    // It is a store like any other.
    go_on_talking(&mut subject).await;
    drop((moved, subject));
    let (again, _subject) = open(&to);
    assert_eq!(again.stores.inbox.position().epoch, epoch + 1);
    drop(again);
    let refused = target(&to, &moving.dir("full")).err().expect("a refusal").to_string();
    assert!(refused.contains("a server has used this store"), "{refused}");
}

/// Whether a file of a store has these words.
fn has(dir: &Path, words: &str) -> bool {
    fs::read_dir(dir).expect("a directory").any(|entry| {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            return has(&path, words);
        }
        let bytes = fs::read(&path).expect("a file");
        bytes.windows(words.len()).any(|part| part == words.as_bytes())
    })
}

#[tokio::test]
async fn words_that_were_taken_back_since_an_archive_leave_what_it_is_imported_into() {
    let moving = Move::new();
    let (opened, mut subject) = open(&moving.dir("source"));
    let chat = subject.chat(1).await;
    let said = |seq: u64, kind: EventKind| Event {
        author: Author::Buyer,
        digest: kind.digest(),
        kind,
        ..samples::event(seq)
    };
    let body = Body::parse("said more calmly".to_owned()).expect("words");
    let edit = EventKind::Edit { target: Seq(1), body: Some(body) };
    let words = [EventKind::text("said in anger"), EventKind::text("said in earnest"), edit];
    for (seq, kind) in (1..).zip(words) {
        subject.append(&chat, seq - 1, vec![said(seq, kind)]).await.expect("an append");
    }
    exported(&*opened.source, &moving.dir("full"), None).await;
    let delete = said(4, EventKind::Delete { target: Seq(1) });
    subject.append(&chat, 3, vec![delete]).await.expect("an append");
    exported(&*opened.source, &moving.dir("rest"), Some(&moving.dir("full"))).await;
    exported(&*opened.source, &moving.dir("later"), None).await;
    for (archive, stays) in [("full", true), ("rest", false), ("later", false)] {
        assert_eq!(has(&moving.dir(archive), "said in anger"), stays, "{archive}");
    }
    let to = moving.dir("target");
    for archive in ["full", "rest", "rest"] {
        let (target, archive) = target(&to, &moving.dir(archive)).expect("an empty store");
        imported(target, &archive).await;
    }
    for (words, stay) in
        [("said in anger", false), ("said more calmly", false), ("said in earnest", true)]
    {
        assert_eq!(has(&to.join("messages"), words), stay, "{words}");
    }
}

/// A store whose words were read a moment before they were taken back.
struct Earlier<'a>(&'a dyn Source, Vec<Event>);

#[async_trait]
impl Source for Earlier<'_> {
    fn backend(&self) -> &'static str {
        self.0.backend()
    }

    fn epoch(&self) -> u32 {
        self.0.epoch()
    }

    fn sealing(&self) -> Sealing {
        self.0.sealing()
    }

    async fn page(&self, kind: Kind, after: Option<&Place>) -> Result<Page, StoreError> {
        self.0.page(kind, after).await
    }

    async fn listings(
        &self,
        after: Option<&Place>,
    ) -> Result<(Vec<ListingId>, Option<Place>), StoreError> {
        self.0.listings(after).await
    }

    async fn begin(&self) -> Result<(), StoreError> {
        self.0.begin().await
    }

    async fn set_read_only(&self, on: bool) -> Result<(), StoreError> {
        self.0.set_read_only(on).await
    }

    fn held(&self) -> Option<Uuid> {
        self.0.held()
    }

    async fn events(&self, _: ChatId, after: Seq) -> Result<Vec<Event>, StoreError> {
        Ok(self.1.iter().filter(|event| event.seq > after).cloned().collect())
    }
}

#[tokio::test]
async fn an_archive_of_words_that_are_taken_back_in_it_is_imported() {
    let moving = Move::new();
    let (opened, mut subject) = open(&moving.dir("source"));
    let chat = subject.chat(1).await;
    subject.grow(&chat, 0, 2).await;
    let mut events = opened.source.events(chat.id, Seq::ZERO).await.expect("a read");
    let kind = EventKind::Delete { target: Seq(1) };
    let delete = Event { digest: kind.digest(), kind, ..samples::event(3) };
    subject.append(&chat, 2, vec![delete.clone()]).await.expect("an append");
    events.push(delete);
    exported(&Earlier(&*opened.source, events), &moving.dir("full"), None).await;
    let to = moving.dir("target");
    for _ in 0..2 {
        let (target, archive) = target(&to, &moving.dir("full")).expect("an empty store");
        imported(target, &archive).await;
        // Gone with the end of the store, so that the second time they are missing.
        assert!(has(&to.join("messages"), "message 2"));
        assert!(!has(&to.join("messages"), "message 1"));
    }
}

async fn go_on_talking(subject: &mut Subject) {
    let chat = subject.chat(9).await;
    subject.grow(&chat, 18, 2).await;
}

#[tokio::test]
async fn an_export_that_was_cut_off_goes_on() {
    let moving = Move::new();
    let (opened, _subject) = moving.full().await;
    let whole = checked(&moving.dir("full")).expect("an archive").manifest().clone();
    let cut = moving.dir("full");
    assert!(whole.kinds["chats"].parts.len() > 3, "several parts");
    cut_off(&cut);
    let refused = checked(&cut).expect_err("a refusal").to_string();
    assert!(refused.contains("run `barterline data export` there again"), "{refused}");
    // Wherever it was cut off, with a part begun.
    for kind in Kind::ALL.iter().rev() {
        for part in whole.kinds[kind.name()].parts.iter().rev() {
            fs::remove_file(cut.join(&part.file)).expect("a part less");
            let unfinished = cut.join(&part.file).with_extension("unfinished");
            fs::write(unfinished, "half").expect("a write");
            assert_eq!(resumed(&*opened.source, &cut).await, whole, "{}", part.file);
            cut_off(&cut);
            fs::remove_file(cut.join(&part.file)).expect("a part less");
        }
    }
    assert_eq!(resumed(&*opened.source, &cut).await, whole);
}

#[tokio::test]
async fn the_last_difference_is_of_a_store_that_nobody_writes() {
    let moving = Move::new();
    let (opened, mut subject) = moving.full().await;
    go_on(&opened.stores, &mut subject).await;
    let (full, rest) = (moving.dir("full"), moving.dir("rest"));
    let source = &*opened.source;
    assert_eq!(exported(source, &rest, Some(&full)).await.held, None);
    // Begun while anybody could write: what it has read may have changed.
    cut_off(&rest);
    let again = async |dir: &Path| export(source, order(dir, Some(&full))).await;
    let refused = again(&rest).await.expect_err("a refusal").to_string();
    assert!(refused.contains("name another directory"), "{refused}");

    source.set_read_only(true).await.expect("a closed store");
    let chat = subject.chat(9).await;
    let late = subject.append(&chat, 18, vec![samples::event(19)]).await;
    assert!(matches!(late, Err(AppendError::Unavailable(_))), "{late:?}");
    let account = vec![accounts::account(200)];
    let late = opened.stores.accounts.insert(account.clone()).await.expect_err("a refusal");
    assert!(late.to_string().contains("read-only"), "{late}");
    let refused = again(&rest).await.expect_err("a refusal").to_string();
    assert!(refused.contains("name another directory"), "{refused}");
    let last = moving.dir("last");
    let held = again(&last).await.expect("an export").held;
    assert!(held.is_some() && held == source.held());
    // Under the same closing it goes on; under another it does not.
    cut_off(&last);
    assert_eq!(again(&last).await.expect("an export").held, held);
    cut_off(&last);
    source.set_read_only(false).await.expect("an open store");
    opened.stores.accounts.insert(account).await.expect("an insert");
    subject.append(&chat, 18, vec![samples::event(19)]).await.expect("an append");
    source.set_read_only(true).await.expect("a closed store");
    let refused = again(&last).await.expect_err("a refusal").to_string();
    assert!(refused.contains("name another directory"), "{refused}");
}

/// As it is when the process dies before everything is there.
fn cut_off(archive: &Path) {
    let manifest = archive.join("archive.json");
    let text = fs::read_to_string(&manifest).expect("a manifest");
    let text = text.replace("\"complete\": true", "\"complete\": false");
    fs::write(&manifest, text).expect("a write");
}

async fn resumed(source: &dyn Source, archive: &Path) -> Manifest {
    let later = Export { now: Timestamp::from_millis(9_000), ..order(archive, None) };
    export(source, later).await.expect("an export")
}

#[tokio::test]
async fn an_import_that_was_cut_off_goes_on_and_nobody_serves_the_half() {
    let moving = Move::new();
    let (opened, _subject) = moving.full().await;
    let to = moving.dir("target");
    let (half, archive) = target(&to, &moving.dir("full")).expect("an empty store");
    let account = archive.frames(Kind::Accounts).next_item().expect("an archive");
    half.put(vec![account.expect("an account").1]).await.expect("a write");
    drop((archive, half));
    let refused = embedded::open(&to, SEGMENT_BYTES, Sealing::default())
        .err()
        .expect("a refusal")
        .to_string();
    assert!(refused.contains("an import into it is unfinished"), "{refused}");
    let (target, archive) = target(&to, &moving.dir("full")).expect("the same import");
    imported(target, &archive).await;
    let before = seen(&opened.stores).await;
    assert_eq!(seen(&open(&to).0.stores).await, before);
}

#[tokio::test]
async fn an_archive_from_before_identities_is_imported() {
    let moving = Move::new();
    let (opened, _subject) = moving.full().await;
    for n in 1..=3 {
        let owner = identities::identity(n).user;
        opened.stores.identities.remove_all(owner).await.expect("a removal");
    }
    let full = moving.dir("full");
    let manifest = full.join("archive.json");
    let without = |kind: &str| {
        let text = fs::read_to_string(&manifest).expect("a manifest");
        let mut archive: serde_json::Value = serde_json::from_str(&text).expect("a manifest");
        archive["kinds"].as_object_mut().expect("kinds").remove(kind).expect("a kind");
        fs::write(&manifest, archive.to_string()).expect("a write");
        fs::remove_file(full.join(format!("{kind}-00001.part"))).expect("a part less");
    };
    without("identities");
    let to = moving.dir("target");
    let (target, archive) = target(&to, &full).expect("an empty store");
    imported(target, &archive).await;
    let moved = open(&to);
    assert_eq!(seen(&moved.0.stores).await, seen(&opened.stores).await);
    // Nothing else may be missing.
    without("credentials");
    let refused = checked(&full).expect_err("a refusal").to_string();
    assert!(refused.contains("it lists no credentials"), "{refused}");
}

#[tokio::test]
async fn damage_to_an_archive_is_named_before_anything_is_written() {
    let moving = Move::new();
    let (opened, _subject) = moving.full().await;
    let full = moving.dir("full");
    let part = full.join("chats-00001.part");
    let sound = fs::read(&part).expect("a part");
    let mut flipped = sound.clone();
    flipped[sound.len() / 2] ^= 1;
    for (damage, expected) in
        [(&flipped[..], "damaged at offset"), (&sound[..sound.len() - 9], "damaged at offset")]
    {
        fs::write(&part, damage).expect("a write");
        let refused = checked(&full).expect_err("a refusal").to_string();
        assert!(refused.contains("chats-00001.part") && refused.contains(expected), "{refused}");
    }
    fs::write(&part, &sound).expect("a write");
    // A sound part of another archive of the same store.
    let other = moving.dir("other");
    exported(&*opened.source, &other, None).await;
    fs::copy(other.join("accounts-00001.part"), full.join("accounts-00001.part")).expect("a copy");
    let refused = checked(&full).expect_err("a refusal").to_string();
    assert!(refused.contains("of another archive"), "{refused}");
    fs::remove_file(full.join("accounts-00001.part")).expect("a removal");
    let refused = checked(&full).expect_err("a refusal").to_string();
    assert!(refused.contains("accounts-00001.part"), "{refused}");
}

#[tokio::test]
async fn an_archive_goes_where_it_belongs() {
    let moving = Move::new();
    let (opened, mut subject) = moving.full().await;
    go_on(&opened.stores, &mut subject).await;
    let (full, rest) = (moving.dir("full"), moving.dir("rest"));
    exported(&*opened.source, &rest, Some(&full)).await;
    let refused = target(&moving.dir("empty"), &rest).err().expect("a refusal").to_string();
    assert!(refused.contains("import the full one"), "{refused}");

    let source = &*opened.source;
    let mistakes = async |dir: &Path, base: Option<&Path>| {
        export(source, order(dir, base)).await.expect_err("a refusal").to_string()
    };
    assert!(mistakes(&full, None).await.contains("whole archive already"));
    assert!(mistakes(&moving.dir("source"), None).await.contains("not empty, and no archive"));
    assert!(mistakes(&moving.dir("third"), Some(&rest)).await.contains("a difference"));
    assert!(mistakes(&moving.dir("third"), Some(&moving.dir("none"))).await.contains("no archive"));
    // Another store of the same kind and epoch.
    let (other, _other_subject) = open(&moving.dir("another"));
    let fourth = moving.dir("fourth");
    let result = export(&*other.source, order(&fourth, Some(&full))).await;
    let refused = result.expect_err("a refusal").to_string();
    assert!(refused.contains("of another store"), "{refused}");
}

/// Whoever adds an aggregate says how it moves.
#[test]
fn every_aggregate_is_in_the_archive() {
    for aggregate in AGGREGATES {
        let kind = Kind::of_aggregate(aggregate);
        let left_behind = LEFT_BEHIND.contains(aggregate);
        assert!(kind.is_some() != left_behind, "{aggregate} would be lost on the way");
    }
    let kept: std::collections::BTreeSet<_> =
        AGGREGATES.iter().filter_map(|aggregate| Kind::of_aggregate(aggregate)).collect();
    assert_eq!(kept.into_iter().collect::<Vec<_>>(), Kind::ALL);
}
