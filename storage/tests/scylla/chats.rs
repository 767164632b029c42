//! The chat log and the inbox: every law, and the schedules that break what is not this way.

use std::collections::HashSet;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use barterline_domain::chat::Chat;
use barterline_domain::clock::{Clock, Timestamp};
use barterline_domain::event::{Event, Seq};
use barterline_domain::ids::{ChatId, ClientId, DeviceId, ListingId, UserId};
use barterline_domain::marks::{Marks, Visibility};
use barterline_domain::personal::PersonalChange;
use barterline_storage::chat_log::{Append, AppendError, ChatLog, Range};
use barterline_storage::conformance::chat_log::{self as laws, Subject};
use barterline_storage::conformance::{inbox as inbox_laws, samples};
use barterline_storage::error::StoreError;
use barterline_storage::inbox::Inbox;
use barterline_storage::scylla::chats::{Opened, ScyllaChats};
use barterline_storage::scylla::session::{Database, Options};
use futures_util::{StreamExt as _, stream};
use uuid::Uuid;

use crate::{PREFIX, RUNTIME, Store, TURN, options};

/// Where what people said stands.
const EVENTS: [(&str, &str); 2] = [("chat_log", "event"), ("chat_amendments", "event")];

pub struct Wall;

impl Clock for Wall {
    #[expect(clippy::disallowed_methods, reason = "a test")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp::from_millis(since.expect("after 1970").as_millis() as u64)
    }
}

impl Store {
    async fn open(&self) -> (Subject, ScyllaChats) {
        let tables = ["chat_log", "chat_end", "chat_amendments", "inbox", "dirty_chats"];
        let tables = tables.map(|table| format!("{{chats}}.{table}"));
        self.empty(&tables.each_ref().map(String::as_str)).await;
        self.another(Arc::new(Wall), 1).await
    }
}

macro_rules! laws {
    ($($module:ident: $($law:ident),+;)+) => {$($(
        #[test]
        fn $law() {
            on_a_cluster(async |_, mut subject, chats| {
                laws!(@run $module $law subject chats);
            });
        }
    )+)+};
    (@run chat_log $law:ident $subject:ident $chats:ident) => {
        drop($chats);
        laws::$law(&mut $subject).await;
    };
    (@run inbox $law:ident $subject:ident $chats:ident) => {
        inbox_laws::$law(&mut $subject, &$chats).await;
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

/// A clock that is off by so many milliseconds.
pub struct Skewed(pub i64);

impl Clock for Skewed {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(Wall.now().as_millis().saturating_add_signed(self.0))
    }
}

impl Store {
    /// One more server on the same tables.
    async fn another(&self, clock: Arc<dyn Clock>, epoch: u32) -> (Subject, ScyllaChats) {
        let opened = ScyllaChats::open(self.database.clone(), epoch, clock).await;
        let Opened { chats, outcomes } = opened.expect("a store");
        (Subject::new(Arc::new(chats.clone()), outcomes), chats)
    }

    /// Whether words stand in these columns of tables of chats.
    async fn has(&self, words: &str, columns: &[(&str, &str)]) -> bool {
        let mut found = false;
        for (table, column) in columns {
            let text = format!("SELECT {column} FROM {{chats}}.{table}");
            let text = self.database.keyspaces().fill(&text);
            let rows = self.raw.query_unpaged(text, ()).await.expect("rows");
            let rows = rows.into_rows_result().expect("rows");
            for row in rows.rows::<(Option<Vec<u8>>,)>().expect("blobs") {
                let bytes = row.expect("a row").0.unwrap_or_default();
                found |= bytes.windows(words.len()).any(|part| part == words.as_bytes());
            }
        }
        found
    }

    async fn count(&self, text: &str, chat: &Chat) -> i64 {
        let text = self.database.keyspaces().fill(text);
        let id = Uuid::from_bytes(*chat.id.as_bytes());
        let rows = self.raw.query_unpaged(text, (id,)).await.expect("a read");
        let rows = rows.into_rows_result().expect("rows");
        rows.first_row::<(i64,)>().expect("a row").0
    }
}

fn on_a_cluster(test: impl AsyncFnOnce(&'static Store, Subject, ScyllaChats)) {
    RUNTIME.block_on(async {
        let _turn = TURN.lock().await;
        let store = Store::shared().await;
        let (subject, chats) = store.open().await;
        test(store, subject, chats).await;
    });
}

/// Appends `count` events as a server does: behind the head it knows, again after a conflict. Gives
/// how often another was faster.
async fn talk(subject: &mut Subject, chat: &Arc<Chat>, name: u8, count: u64) -> u64 {
    let (mut head, mut conflicts) = (0, 0);
    for n in 0..count {
        loop {
            let mut id = [name; 16];
            id[8..].copy_from_slice(&n.to_be_bytes());
            let id = ClientId::from_bytes(id);
            let event = Event { id, ..samples::event(head + 1) };
            match subject.append(chat, head, vec![event]).await {
                Ok(()) => break head += 1,
                Err(AppendError::Conflict { head: faster }) => {
                    assert!(faster.0 > head, "a conflict with nobody");
                    (head, conflicts) = (faster.0, conflicts + 1);
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
    conflicts
}

/// `BARTERLINE_TEST_APPENDS`: how many events, of both together.
#[test]
fn g3_two_servers_append_to_one_chat_in_one_order() {
    let wanted = crate::variable("BARTERLINE_TEST_APPENDS");
    let all: u64 = wanted.map_or(600, |text| text.parse().expect("a number of appends"));
    on_a_cluster(async |store, mut one, chats| {
        // A server of its own: nothing but the database is shared.
        let database = Database::connect(&crate::options(crate::PREFIX)).await.expect("a database");
        let opened = ScyllaChats::open(database, 1, Arc::new(Wall)).await.expect("a store");
        let mut other = Subject::new(Arc::new(opened.chats.clone()), opened.outcomes);
        let chat = one.chat(1).await;
        let begun = Instant::now();
        let half = all / 2;
        let (a, b) =
            tokio::join!(talk(&mut one, &chat, 1, half), talk(&mut other, &chat, 2, all - half));
        let took = begun.elapsed();
        assert!(a + b > 0, "they never met");
        println!("{all} appends by two servers: {} conflicts, {took:.1?}", a + b);
        for read_by in [&chats, &opened.chats] {
            let mut events = Vec::new();
            let mut after = Seq::ZERO;
            while after.0 < all {
                let page = read_by.read(chat.id, Range::After(after), 1_000).await.expect("a read");
                after = page.last().expect("more").seq;
                events.extend(page);
            }
            assert!(events.iter().map(|event| event.seq.0).eq(1..=all), "a gap, or one twice");
            let ids: HashSet<_> = events.iter().map(|event| event.id).collect();
            assert_eq!(ids.len() as u64, all, "each once");
            for name in [1, 2] {
                let own = events.iter().filter(|event| event.id.as_bytes()[0] == name);
                assert!(own.map(|event| event.id).is_sorted(), "the order of server {name}");
            }
        }
        let text = "SELECT COUNT(seq) FROM {chats}.chat_log WHERE chat = ? AND bucket = 0";
        let counted = store.count(text, &chat).await;
        assert_eq!(counted.cast_unsigned(), all.min(4_095));
    });
}

#[test]
fn an_inbox_of_several_pages_is_read_whole() {
    on_a_cluster(async |_, one, chats| {
        // More than the 1,000 rows that are asked for at a time.
        const CHATS: u16 = 1_100;
        let user = UserId::from_bytes([42; 16]);
        let create = async |n: u16| {
            let mut chat = samples::chat(1);
            let mut listing = [9; 16];
            listing[..2].copy_from_slice(&n.to_be_bytes());
            chat.id = ChatId::of(ListingId::from_bytes(listing), user);
            chat.participants.buyer = user;
            chats.create(chat).await.expect("a chat").id
        };
        // Nobody reads the outcomes of so many.
        let Subject { mut outcomes, .. } = one;
        let (created, ()) = tokio::join!(
            stream::iter(0..CHATS).map(create).buffer_unordered(16).collect::<HashSet<_>>(),
            async {
                let mut opened = 0;
                while opened < usize::from(CHATS) {
                    opened += outcomes.recv().await.expect("an open store").opened.len();
                }
            }
        );
        let (mut listed, mut before) = (Vec::new(), None);
        loop {
            let page = chats.list(user, before, 300).await.expect("a page");
            assert!(page.rows.is_sorted_by(|newer, older| newer.changed > older.changed));
            listed.extend(page.rows.iter().map(|row| row.chat.id));
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(listed.len(), usize::from(CHATS));
        assert_eq!(listed.into_iter().collect::<HashSet<_>>(), created);
        let flag = PersonalChange::Unread(true);
        let marked = *created.iter().next().expect("a chat");
        chats.change(user, marked, flag).await.expect("a change");
        assert_eq!(chats.unread(user).await.expect("a count").chats, 1);
    });
}

/// Gives up on a future after so many turns, as a request does whose answer is lost.
async fn given_up<F: Future>(turns: u64, future: F) -> Option<F::Output> {
    let (mut future, mut left) = (pin!(future), turns);
    poll_fn(|context| {
        let Some(less) = left.checked_sub(1) else { return Poll::Ready(None) };
        left = less;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

#[test]
fn a_mark_of_unknown_outcome_is_shown_once_it_stands() {
    on_a_cluster(async |_, mut one, chats| {
        let chat = one.chat(1).await;
        one.grow(&chat, 0, 40).await;
        let people = chat.participants;
        let device = DeviceId::from_bytes([1; 16]);
        for turns in 1..40 {
            let marks = Marks::new(Seq(turns), Seq(turns));
            let mark = chats.mark(people.seller, chat.id, device, marks, Visibility::Both);
            if given_up(turns, mark).await.is_some() {
                assert!(turns > 2, "it was never given up half done");
                return;
            }
            // Nobody asks again, and nobody moves it further.
            let row = async |user| chats.row(user, chat.id).await.expect("a read").expect("a row");
            let begun = Instant::now();
            loop {
                let stands = row(people.seller).await.marks;
                if row(people.buyer).await.peer_marks == stands {
                    break;
                }
                chats.make_up(Duration::from_mins(1)).await.expect("a look");
                assert!(begun.elapsed() < Duration::from_secs(20), "{stands:?} is never shown");
            }
        }
        panic!("the mark takes no end");
    });
}

#[test]
fn g3_an_append_over_a_gap_or_ahead_of_another_is_refused() {
    on_a_cluster(async |store, mut one, chats| {
        let chat = one.chat(1).await;
        one.grow(&chat, 0, 3).await;
        // To insert a number that is not there would be applied.
        let gap = one.append(&chat, 110, vec![samples::event(111)]).await;
        assert_eq!(gap, Err(AppendError::Conflict { head: Seq(3) }));
        // Two on their way at once, and a rival: the second never stands without the first.
        let (mut rival, _) = store.another(Arc::new(Wall), 1).await;
        for round in 0..30 {
            let head = chats.head(chat.id).await.expect("a read").expect("the chat").head.0;
            for seq in [head + 1, head + 2] {
                let (chat, expected_head) = (Arc::clone(&chat), Seq(seq - 1));
                let events = vec![samples::event(seq)];
                one.log.append(Append { chat, expected_head, events });
            }
            let rivals =
                Event { id: ClientId::from_bytes([round; 16]), ..samples::event(head + 1) };
            let _either = rival.append(&chat, head, vec![rivals]).await;
            let (_either, _way) = (one.outcome().await, one.outcome().await);
            let now = chats.head(chat.id).await.expect("a read").expect("the chat").head.0;
            let events = chats.read(chat.id, Range::After(Seq::ZERO), 1_000).await.expect("a read");
            assert!(events.iter().map(|event| event.seq.0).eq(1..=now));
        }
    });
}

#[test]
fn g1_an_append_outlives_the_server_that_died_before_the_inbox() {
    on_a_cluster(async |store, mut one, chats| {
        let chat = one.chat(1).await;
        laws::amend(&mut one, &chat).await;
        let head = chats.head(chat.id).await.expect("a read").expect("the chat").head;
        // As a crash right after the conditional batch leaves it: the log, its mark, and no more.
        for table in ["inbox", "chat_amendments"] {
            let text = store.database.keyspaces().fill(&format!("TRUNCATE {{chats}}.{table}"));
            store.raw.query_unpaged(text, ()).await.expect("an empty table");
        }
        drop((one, chats));
        let (mut hears, next) = store.another(Arc::new(Skewed(61_000)), 1).await;
        while next.make_up(Duration::from_mins(1)).await.expect("a look") > 0 {}
        let moved = hears.committed().await.moved.pop().expect("what nobody told of");
        assert_eq!((moved.chat, moved.from, moved.head), (Arc::clone(&chat), Seq(1), head));
        let people = chat.participants;
        for user in [people.buyer, people.seller] {
            let row = next.row(user, chat.id).await.expect("a read").expect("the row");
            assert_eq!(row.head, head);
            assert_eq!(row.last.map(|last| last.seq), Some(head));
        }
        laws::is_amended(&next, &chat).await;
        assert_eq!(next.make_up(Duration::ZERO).await.expect("a look"), 0, "settled is settled");
    });
}

#[test]
fn g1_a_server_whose_clock_is_ahead_looks_too_early_and_once_more() {
    on_a_cluster(async |store, mut one, _| {
        let chat = one.chat(1).await;
        one.grow(&chat, 0, 3).await;
        let minute = Duration::from_mins(1);
        // As far apart as two servers' clocks may be: to this one the mark seems old, while somebody
        // still appends.
        let (_, ahead) = store.another(Arc::new(Skewed(480_000)), 1).await;
        while ahead.make_up(minute).await.expect("a look") > 0 {}
        let text = store.database.keyspaces().fill("TRUNCATE {chats}.inbox");
        store.raw.query_unpaged(text, ()).await.expect("an empty table");
        drop(one);
        let (_, later) = store.another(Arc::new(Skewed(601_000)), 1).await;
        // The store's own look may be the faster one.
        let begun = Instant::now();
        loop {
            later.make_up(minute).await.expect("a look");
            let row = later.row(chat.participants.buyer, chat.id).await.expect("a read");
            if row.is_some_and(|row| row.head == Seq(3)) {
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "no second look");
        }
        while later.make_up(minute).await.expect("a look") > 0 {
            assert!(begun.elapsed() < Duration::from_secs(40), "settled is settled");
        }
    });
}

#[test]
fn words_that_were_taken_back_leave_the_tables() {
    on_a_cluster(async |store, mut one, chats| {
        let chat = one.chat(1).await;
        laws::amend(&mut one, &chat).await;
        let before = chats.read(chat.id, Range::After(Seq::ZERO), 100).await.expect("a read");
        for _ in 0..2 {
            chats.make_up(Duration::ZERO).await.expect("a look");
            for (words, stay) in [
                ("answer", false),
                ("answer, edited", false),
                ("too late", false),
                ("first, edited", true),
                ("second, unseen", true),
            ] {
                assert_eq!(store.has(words, &EVENTS).await, stay, "{words}");
            }
            laws::is_amended(&chats, &chat).await;
            let after = chats.read(chat.id, Range::After(Seq::ZERO), 100).await.expect("a read");
            assert_eq!(after, before);
        }
    });
}

#[test]
fn sealed_words_stand_in_no_table_and_open_by_their_keys_alone() {
    on_a_cluster(async |store, mut open, plain| {
        let options = Options { sealing: samples::sealing(true), ..options(PREFIX) };
        let database = Database::connect(&options).await.expect("a database");
        let opened = ScyllaChats::open(database, 1, Arc::new(Wall)).await.expect("a store");
        let (chats, outcomes) = (opened.chats, opened.outcomes);
        let mut subject = Subject::new(Arc::new(chats.clone()), outcomes);
        let chat = subject.chat(1).await;
        laws::amend(&mut subject, &chat).await;
        // Once as it was said, and once when what was taken back is overwritten.
        for _ in 0..2 {
            for words in ["first", "second", "edited", "unseen", "answer", "too late"] {
                let stands = store.has(words, &[EVENTS[0], EVENTS[1], ("inbox", "last")]).await;
                assert!(!stands, "{words}");
            }
            laws::is_amended(&chats, &chat).await;
            chats.make_up(Duration::ZERO).await.expect("a look");
        }
        let refused = plain.read(chat.id, Range::After(Seq::ZERO), 100).await;
        assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
        let other = open.chat(2).await;
        laws::amend(&mut open, &other).await;
        laws::is_amended(&chats, &other).await;
    });
}

#[test]
fn g3_a_server_whose_clock_is_behind_is_not_overruled() {
    on_a_cluster(async |store, mut ahead, _| {
        let (mut behind, chats) = store.another(Arc::new(Skewed(-3_600_000)), 1).await;
        let chat = ahead.chat(1).await;
        let seller = chat.participants.seller;
        let device = DeviceId::from_bytes([1; 16]);
        for head in (0..10).step_by(2) {
            ahead.grow(&chat, head, 1).await;
            behind.grow(&chat, head + 1, 1).await;
            let row = chats.row(seller, chat.id).await.expect("a read").expect("the row");
            assert_eq!((row.head, row.last), (Seq(head + 2), Some(samples::event(head + 2))));
            let marks = Marks::new(Seq(head + 2), Seq(head + 1));
            let moved = chats.mark(seller, chat.id, device, marks, Visibility::Both).await;
            assert_eq!(moved.expect("a mark"), Some(marks));
        }
    });
}

#[test]
fn g3_a_server_of_an_earlier_epoch_appends_nothing() {
    on_a_cluster(async |store, mut one, chats| {
        let chat = one.chat(1).await;
        one.grow(&chat, 0, 2).await;
        let (mut other, _) = store.another(Arc::new(Wall), 2).await;
        let refused = other.append(&chat, 2, vec![samples::event(3)]).await;
        assert!(matches!(refused, Err(AppendError::Unavailable(_))), "{refused:?}");
        assert_eq!(chats.head(chat.id).await.expect("a read").expect("the chat").head, Seq(2));
    });
}

#[test]
fn events_stand_in_buckets_and_nothing_is_deleted() {
    on_a_cluster(async |store, mut one, chats| {
        let chat = one.chat(1).await;
        for first in (1..=8_300_u64).step_by(100) {
            // Some of these go over the end of a bucket: one append, two batches.
            let events = (first..first + 100).map(samples::event).collect();
            one.append(&chat, first - 1, events).await.expect("an append");
        }
        for (bucket, expected) in [(0, 4_095), (1, 4_096), (2, 109)] {
            let text = format!(
                "SELECT COUNT(seq) FROM {{chats}}.chat_log WHERE chat = ? AND bucket = {bucket}"
            );
            assert_eq!(store.count(&text, &chat).await, expected, "bucket {bucket}");
        }
        let head = chats.head(chat.id).await.expect("a read").expect("the chat");
        assert_eq!((head.head, head.state), (Seq(8_300), samples::event(8_300).after));
        let all = chats.read(chat.id, Range::After(Seq::ZERO), 10_000).await.expect("a read");
        assert!(all.iter().map(|event| event.seq.0).eq(1..=8_300));
        let back = chats.read(chat.id, Range::Before(Seq(8_301)), 10_000).await.expect("a read");
        assert_eq!(all, back);
    });
}
