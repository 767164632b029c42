//! The cluster backend while most nodes of a real cluster are gone: writing is refused soon, by an error
//! that says that it may be tried again, and goes on when they are back. What becomes of people's
//! messages meanwhile, and while one node dies after another, is seen from outside (tests/real/cql/run).
//!
//! `BARTERLINE_TEST_CQL` names a node of three that `BARTERLINE_TEST_CQL_SERVER` (the script
//! tests/real/cql/server) has started, and can kill.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use barterline_domain::clock::{Clock, Timestamp};
use barterline_domain::event::Seq;
use barterline_domain::ids::UserId;
use barterline_storage::chat_log::{Append, AppendError, ChatLog as _, Range};
use barterline_storage::conformance::chat_log::Subject;
use barterline_storage::conformance::samples;
use barterline_storage::credentials::{Credential, Credentials as _, EmailKey, KeptEmail};
use barterline_storage::gate::Gate;
use barterline_storage::record::sealing::Sealing;
use barterline_storage::scylla::chats::{self, Opened, ScyllaChats};
use barterline_storage::scylla::credentials::ScyllaCredentials;
use barterline_storage::scylla::metrics::Metrics;
use barterline_storage::scylla::schema::{self, Replication};
use barterline_storage::scylla::session::{Consistency, Database, Login, Options};
use tokio::time::sleep;

/// Accounts that are made while most copies are gone.
const CREDENTIALS: u32 = 3;
/// A store has to answer by then, also where a write is tried several times, each with a look at what
/// came of it.
const REFUSAL: Duration = Duration::from_secs(5);
/// Chats that are appended to while most copies are gone.
const CHATS: u8 = 8;
/// Rounds of appends until then.
const ROUNDS: usize = 4;
/// For a node to be seen by everybody again, on a busy machine.
const RECOVERY: Duration = Duration::from_mins(2);

#[expect(clippy::disallowed_methods, reason = "a test is told its server by the environment")]
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; see make test-real PART=cql"))
}

/// Has the script do something to the nodes.
async fn server(arguments: &'static [&'static str]) {
    let run = move || {
        let script = variable("BARTERLINE_TEST_CQL_SERVER");
        Command::new(script).args(arguments).status().expect("the script runs")
    };
    let status = tokio::task::spawn_blocking(run).await.expect("the script ends");
    assert!(status.success(), "{arguments:?}: {status}");
}

fn credential(number: u32) -> Credential {
    let mut user = [7; 16];
    user[..4].copy_from_slice(&number.to_be_bytes());
    let mut key = [7; 32];
    key[..4].copy_from_slice(&number.to_be_bytes());
    Credential {
        user: UserId::from_bytes(user),
        email: KeptEmail { key: EmailKey(key), sealed: vec![7; 60] },
        email_verified_at: None,
        password_hash: Some(format!("$argon2id${number}")),
        password_changed_at: Timestamp::from_millis(1_000),
        second_factor: None,
    }
}

/// The three nodes, all of them up.
async fn three_nodes() -> Database {
    server(&["start", "3"]).await;
    let login = Login { user: "cassandra".to_owned(), password: "cassandra".to_owned() };
    let options = Options {
        contact_points: vec![variable("BARTERLINE_TEST_CQL")],
        login: Some(login),
        datacenter: "datacenter1".to_owned(),
        consistency: Consistency::Quorum,
        keyspace_prefix: "faults_".to_owned(),
        tls: None,
        metrics: Metrics::default(),
        gate: Gate::default(),
        sealing: Sealing::default(),
    };
    let begun = Instant::now();
    let database = loop {
        let database = Database::connect(&options).await.expect("a database");
        if database.datacenters().iter().any(|(_, nodes)| *nodes == 3) {
            break database;
        }
        // A node that answers may not have heard of the others yet.
        assert!(begun.elapsed() < RECOVERY, "{:?}", database.datacenters());
        sleep(Duration::from_millis(100)).await;
    };
    let replication = Replication(vec![("datacenter1".to_owned(), 3)]);
    schema::apply(&database, &replication).await.expect("a schema");
    database
}

struct Wall;

impl Clock for Wall {
    #[expect(clippy::disallowed_methods, reason = "a test")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp::from_millis(since.expect("after 1970").as_millis() as u64)
    }
}

/// An append whose outcome nobody knows is told as such in time, and is told again if it stands.
#[tokio::test(flavor = "multi_thread")]
async fn g10_the_loss_of_two_nodes_is_told_in_time_and_passes() {
    let database = three_nodes().await;
    let credentials = ScyllaCredentials::open(&database).await.expect("a store");
    let epoch = chats::epoch(&database).await.expect("an epoch");
    let opened = ScyllaChats::open(database, epoch, Arc::new(Wall)).await.expect("a store");
    let Opened { chats, outcomes } = opened;
    let mut subject = Subject::new(Arc::new(chats.clone()), outcomes);
    let mut talks = Vec::new();
    for n in 0..CHATS {
        let chat = subject.chat(n).await;
        let head = chats.head(chat.id).await.expect("a read").expect("the chat").head;
        subject.grow(&chat, head.0, 2).await;
        talks.push((chat, Seq(head.0 + 2)));
    }

    server(&["kill", "2"]).await;
    // The last goes in the middle of the first round.
    let (mut longest, mut unknown) = (Duration::ZERO, 0);
    for round in 0..ROUNDS {
        let begun = Instant::now();
        for (chat, head) in &talks {
            // The same slot again, until somebody has it.
            let events = vec![samples::event(head.0 + 1)];
            chats.append(Append { chat: Arc::clone(chat), expected_head: *head, events });
        }
        if round == 0 {
            server(&["kill", "3"]).await;
        }
        for _ in 0..talks.len() {
            let outcome = subject.outcome().await;
            longest = longest.max(begun.elapsed());
            let at = talks.iter_mut().find(|(chat, _)| chat.id == outcome.chat.id);
            let (_, head) = at.expect("a chat of ours");
            match outcome.result {
                Ok(()) => *head = outcome.events[0].seq,
                Err(AppendError::Conflict { head: found }) => *head = found,
                Err(AppendError::Unknown) => unknown += 1,
                Err(AppendError::Unavailable(_)) => {}
            }
        }
    }
    println!("two of three down: longest wait for an outcome {longest:?}, {unknown} unknown");
    assert!(longest < REFUSAL, "{longest:?}");
    let refused = subject.append(&talks[0].0, talks[0].1.0, vec![samples::event(talks[0].1.0 + 1)]);
    refused.await.expect_err("one copy is not most");
    for number in 0..CREDENTIALS {
        let begun = Instant::now();
        let refused = credentials.insert(credential(number)).await;
        let (error, took) = (refused.expect_err("one copy is not most"), begun.elapsed());
        println!("two of three down: {error} after {took:?}");
        assert!(took < REFUSAL, "{took:?}: {error}");
    }

    server(&["start", "3"]).await;
    for (chat, head) in &talks {
        let (begun, wanted) = (Instant::now(), samples::event(head.0 + 1));
        loop {
            assert!(begun.elapsed() < RECOVERY, "it recovers by itself");
            match chats.head(chat.id).await {
                Ok(Some(found)) if found.head > *head => break,
                Ok(_) => {
                    let _again = subject.append(chat, head.0, vec![wanted.clone()]).await;
                }
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
        let events = chats.read(chat.id, Range::After(*head), 10).await.expect("a read");
        assert_eq!(events, [wanted], "once, in its slot");
    }
    for number in 0..CREDENTIALS {
        // What was refused may be there or not; asked again it is.
        let wanted = credential(number);
        let inserted = credentials.insert(wanted.clone()).await.expect("an answer");
        let found = credentials.find(wanted.email.key).await.expect("a read");
        assert_eq!(found.as_ref(), Some(&wanted), "inserted anew: {inserted}");
    }
}
