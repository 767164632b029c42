//! Stores that move: from a directory onto the cluster, and back.

use std::path::Path;
use std::sync::Arc;

use barterline_storage::bulk::archive::Archive;
use barterline_storage::bulk::error::BulkError;
use barterline_storage::conformance::bulk::{exported, fill, go_on, import_of, imported, seen};
use barterline_storage::conformance::chat_log::Subject;
use barterline_storage::conformance::credentials;
use barterline_storage::embedded;
use barterline_storage::embedded::bulk::EmbeddedTarget;
use barterline_storage::record::sealing::Sealing;
use barterline_storage::scylla as cluster;
use barterline_storage::scylla::bulk::ScyllaTarget;
use barterline_storage::scylla::databases::Databases;
use barterline_storage::stores::Opened;
use tempfile::TempDir;

use crate::chats::Wall;
use crate::{Store, with_empty};

const SEGMENT_BYTES: u64 = 1 << 20;
const TABLES: &[&str] = &[
    "{credentials}.secrets",
    "{credentials}.addresses",
    "{credentials}.identities",
    "{credentials}.identity_claims",
    "{users}.accounts",
    "{users}.sessions",
    "{users}.sessions_by_user",
    "{users}.api_keys",
    "{users}.api_key_owners",
    "{users}.insertions",
    "{users}.blocks",
    "{users}.user_states",
    "{listings}.listings",
    "{listings}.listings_by_seller",
    "{listings}.seller_weeks",
    "{listings}.favourites",
    "{listings}.favourites_by_listing",
    "{listings}.saved_searches",
    "{listings}.listing_views",
    "{listings}.media",
    "{listings}.media_by_owner",
    "{listings}.media_years",
    "{listings}.media_looks",
    "{listings}.media_look_slots",
    "{operations}.audit",
    "{operations}.reports",
    "{operations}.reports_by_day",
    "{operations}.report_days",
    "{chats}.chat_log",
    "{chats}.chat_end",
    "{chats}.chat_amendments",
    "{chats}.inbox",
    "{chats}.dirty_chats",
    "{chats}.store_epoch",
];

fn with_subject(mut opened: Opened) -> (Opened, Subject) {
    let (_, none) = tokio::sync::mpsc::channel(1);
    let outcomes = std::mem::replace(&mut opened.outcomes, none);
    let subject = Subject::new(opened.stores.chat_log.clone(), outcomes);
    (opened, subject)
}

fn embedded_at(dir: &Path) -> (Opened, Subject) {
    with_subject(embedded::open(dir, SEGMENT_BYTES, Sealing::default()).expect("a store"))
}

impl Store {
    fn databases(&self) -> Databases {
        self.database.clone().into()
    }
}

async fn target(store: &Store, archive: &Path) -> Result<(ScyllaTarget, Archive), BulkError> {
    let (archive, import) = import_of(archive);
    let databases = store.databases();
    let target = Box::pin(ScyllaTarget::open(&databases, Arc::new(Wall), import));
    Ok((target.await?, archive))
}

async fn serve(store: &Store) -> (Opened, Subject) {
    let opened = cluster::open(&store.databases(), Arc::new(Wall)).await;
    with_subject(opened.expect("a store"))
}

#[test]
fn g1_everything_moves_from_a_laptop_to_the_cluster_and_back() {
    with_empty(TABLES, async |store| {
        let dir = TempDir::new().expect("a directory");
        let at = |name: &str| dir.path().join(name);
        let (opened, mut subject) = {
            std::fs::create_dir(at("laptop")).expect("a directory");
            embedded_at(&at("laptop"))
        };
        fill(&opened.stores, &mut subject).await;
        exported(&*opened.source, &at("full"), None).await;
        go_on(&opened.stores, &mut subject).await;
        exported(&*opened.source, &at("rest"), Some(&at("full"))).await;
        let before = seen(&opened.stores).await;

        // Cut off in the middle, nobody is let in; then whole, then the difference.
        let (half, _) = target(store, &at("full")).await.expect("an empty store");
        drop(half);
        let refused = cluster::open(&store.databases(), Arc::new(Wall)).await.err();
        let refused = refused.expect("a refusal").to_string();
        assert!(refused.contains("an import into it is unfinished"), "{refused}");
        for archive in ["full", "rest"] {
            let (target, archive) = target(store, &at(archive)).await.expect("the same import");
            Box::pin(imported(target, &archive)).await;
        }
        let (cluster, mut subject) = serve(store).await;
        assert_eq!(seen(&cluster.stores).await, before);
        assert_eq!(cluster.source.epoch(), 2);
        let refused = target(store, &at("full")).await.err().expect("a refusal").to_string();
        assert!(refused.contains("a server has used this store"), "{refused}");

        // What was imported is written on conditionally from here on.
        let chat = subject.chat(9).await;
        subject.grow(&chat, 18, 2).await;
        let taken = credentials::credential(1);
        assert!(!cluster.stores.credentials.insert(taken).await.expect("an insert"));
        let now = seen(&cluster.stores).await;
        assert_ne!(now, before);

        exported(&*cluster.source, &at("back"), None).await;
        let (archive, import) = import_of(&at("back"));
        std::fs::create_dir(at("another")).expect("a directory");
        let another =
            EmbeddedTarget::open(&at("another"), SEGMENT_BYTES, Sealing::default(), import);
        imported(another.expect("an empty directory"), &archive).await;
        assert_eq!(seen(&embedded_at(&at("another")).0.stores).await, now);
    });
}

#[test]
fn g1_a_cluster_in_use_is_exported_whole() {
    with_empty(TABLES, async |store| {
        let dir = TempDir::new().expect("a directory");
        let at = |name: &str| dir.path().join(name);
        let (cluster, mut subject) = serve(store).await;
        fill(&cluster.stores, &mut subject).await;
        exported(&*cluster.source, &at("full"), None).await;
        go_on(&cluster.stores, &mut subject).await;
        let rest = exported(&*cluster.source, &at("rest"), Some(&at("full"))).await;
        let chats = &rest.kinds["chats"];
        assert_eq!((chats.items, chats.events, chats.total), (4, 5, 8), "only what changed");
        std::fs::create_dir(at("laptop")).expect("a directory");
        for archive in ["full", "rest"] {
            let (archive, import) = import_of(&at(archive));
            let laptop =
                EmbeddedTarget::open(&at("laptop"), SEGMENT_BYTES, Sealing::default(), import);
            imported(laptop.expect("an empty directory"), &archive).await;
        }
        let laptop = embedded_at(&at("laptop")).0;
        assert_eq!(seen(&laptop.stores).await, seen(&cluster.stores).await);
    });
}
