//! /v1/sync

use std::io::Write as _;
use std::net::TcpStream;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use barterline_domain::event::Seq;
use barterline_domain::ids::ChatId;
use barterline_protocol::Encoding;
use barterline_protocol::cursor::Cursor;
use barterline_protocol::limits::ROWS_MAX;
use barterline_protocol::push::Row;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::socket::{fresh_id, hello};
use crate::support::{Answer, Call, Inbox, Person, World, backend};

impl Person {
    fn sync(&self, query: &str) -> Call {
        Call::new("GET", &format!("/v1/sync?{query}")).token(&self.token)
    }
}

/// The answer to somebody who does not wait.
fn at_once(world: &World, person: &Person, cursor: &Value) -> Value {
    let cursor = cursor.as_str().expect("a cursor");
    let query = format!("wait_ms=0&cursor={cursor}");
    world.call(person.sync(&query)).expect(200).json()
}

/// Where somebody stands.
fn cursor(world: &World, person: &Person) -> Value {
    world.call(person.sync("")).expect(200).json()["cursor"].clone()
}

/// Begins a poll that nothing has to be told yet; gives what the person has besides.
fn waiting(world: &World, person: &Person) -> (Inbox, JoinHandle<Answer>) {
    let all = world.call(person.sync("")).expect(200).json();
    let mut inbox = Inbox::default();
    inbox.hears(&rows(&all));
    let query = format!("wait_ms=30000&cursor={}", all["cursor"].as_str().expect("a cursor"));
    let poll = world.begin(person.sync(&query));
    world.until_polls(1);
    (inbox, poll)
}

fn rows(answer: &Value) -> Vec<Row> {
    serde_json::from_value(answer["rows"].clone()).expect("rows")
}

fn chats(answer: &Value) -> Vec<ChatId> {
    rows(answer).iter().map(|row| row.chat).collect()
}

/// Takes an answer that says neither that there is more nor that what one has is worth nothing;
/// gives the chats that are news.
#[track_caller]
fn last(inbox: &mut Inbox, answer: &Value) -> Vec<ChatId> {
    assert_eq!((&answer["more"], &answer["reset"]), (&Value::Null, &Value::Null), "{answer}");
    inbox.hears(&rows(answer))
}

fn says(world: &World, person: &Person, chat: ChatId) {
    let body = json!({ "kind": "text", "text": "hello" });
    world.send(person, chat, &fresh_id().to_string(), &body).expect(201);
}

#[tokio::test]
async fn g5_exactly_what_changed_is_told() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    // A seller hears of a chat with its first message; who has nothing is told so at once.
    let nothing = world.call(bob.sync("")).expect(200);
    assert_eq!(nothing.headers["cache-control"], "no-store");
    let nothing = nothing.json();
    assert_eq!(nothing, json!({ "rows": [], "cursor": nothing["cursor"] }));
    let mut theirs = Inbox::default();
    says(&world, &ana, chat);
    let first = at_once(&world, &bob, &nothing["cursor"]);
    assert_eq!((last(&mut theirs, &first), &first["rows"][0]["head"]), (vec![chat], &json!(1)));
    assert_eq!(first["rows"][0]["last"]["text"], "hello");
    let same = at_once(&world, &bob, &first["cursor"]);
    assert_eq!(last(&mut theirs, &same), []);
    // Another chat: the first is not told again.
    let listing = world.listing(&bob);
    let open = Call::new("POST", "/v1/chats").token(&ana.token);
    let opened = world.call(open.json(&json!({ "listing": listing }))).expect(201).json();
    let other: ChatId = serde_json::from_value(opened["chat"].clone()).expect("an id");
    says(&world, &ana, other);
    let second = at_once(&world, &bob, &same["cursor"]);
    assert_eq!(last(&mut theirs, &second), [other]);
    // A mark is a change for both.
    let before = world.call(ana.sync("")).expect(200).json();
    let mut hers = Inbox::default();
    hers.hears(&rows(&before));
    let mark = Call::new("PUT", &format!("/v1/chats/{chat}/marks")).token(&bob.token);
    let device = fresh_id().to_string();
    world.call(mark.json(&json!({ "device": device, "read": 1 }))).expect(204);
    for (person, inbox, since) in [(&ana, &mut hers, &before), (&bob, &mut theirs, &second)] {
        let answer = at_once(&world, person, &since["cursor"]);
        assert_eq!(last(inbox, &answer), [chat]);
    }
    assert_eq!(chats(&world.call(bob.sync("")).expect(200).json()), [other, chat]);
}

#[tokio::test]
async fn g5_a_message_on_a_socket_wakes_who_waits_within_a_second() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    for seq in 1..=3 {
        let (mut theirs, poll) = waiting(&world, &bob);
        buyer.tells(chat, "wake up").await;
        let said = Instant::now();
        let heard = poll.join().expect("an answer").expect(200).json();
        assert!(said.elapsed() < Duration::from_secs(1), "{:?}", said.elapsed());
        assert_eq!(last(&mut theirs, &heard), [chat]);
        assert_eq!(heard["rows"][0]["head"], seq);
        world.until_polls(0);
    }
    let (_, poll) = waiting(&world, &bob);
    buyer.moves_marks(chat, 3, 3).await;
    let heard = poll.join().expect("an answer").expect(200).json();
    assert_eq!(heard["rows"][0]["peer_marks"], json!({ "delivered": 3, "read": 3 }));
    // A chat that is opened is news for its buyer's other devices.
    let (mut hers, poll) = waiting(&world, &ana);
    let opened = buyer.opens(&world.listing(&bob)).await.chat;
    let heard = poll.join().expect("an answer").expect(200).json();
    assert_eq!(last(&mut hers, &heard), [opened]);
}

#[tokio::test]
async fn g6_nobody_is_woken_by_the_chats_of_others() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let eve = world.person("eve");
    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    let (_, poll) = waiting(&world, &eve);
    buyer.tells(chat, "not for eve").await;
    // Whoever it is for hears of it while she waits.
    assert_eq!(chats(&world.call(bob.sync("")).expect(200).json()), [chat]);
    world.until_polls(1);
    let said = world.listing(&bob);
    let own = world.device(&eve, Encoding::MsgPack).await.opens(&said).await.chat;
    let heard = poll.join().expect("an answer").expect(200).json();
    assert_eq!(chats(&heard), [own], "her own chat, and nothing else");
}

#[tokio::test]
async fn g6_a_session_that_ends_while_it_waits_is_told_nothing() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let (_, poll) = waiting(&world, &bob);
    world.call(Call::new("DELETE", "/v1/sessions/current").token(&bob.token)).expect(204);
    world.device(&ana, Encoding::MsgPack).await.tells(chat, "too late").await;
    poll.join().expect("an answer").problem(401, "token.invalid");
}

#[tokio::test]
async fn g5_a_cursor_goes_on_at_the_other_door() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    buyer.tells(chat, "known").await;
    let all = world.call(bob.sync("")).expect(200).json();
    let mut inbox = Inbox::default();
    assert_eq!(last(&mut inbox, &all), [chat]);
    let http: Cursor = serde_json::from_value(all["cursor"].clone()).expect("a cursor");
    for encoding in Encoding::ALL {
        let mut again = hello(&bob.token);
        again.cursor = Some(http.clone());
        let (_, opening) = world.opening(again, encoding).await;
        assert_eq!(inbox.hears(&opening.rows), [], "nothing is new");
    }
    buyer.tells(chat, "missed").await;
    let mut again = hello(&bob.token);
    again.cursor = Some(http.clone());
    let (_, opening) = world.opening(again, Encoding::Json).await;
    assert_eq!(inbox.hears(&opening.rows), [chat]);
    assert_eq!(opening.rows[0].head, Seq(2));
    // And back.
    let socket = serde_json::to_value(&opening.cursor).expect("a cursor");
    let same = at_once(&world, &bob, &socket);
    assert_eq!(last(&mut inbox, &same), []);
    buyer.tells(chat, "more").await;
    let more = at_once(&world, &bob, &socket);
    assert_eq!((last(&mut inbox, &more), &more["rows"][0]["head"]), (vec![chat], &json!(3)));
}

#[tokio::test]
async fn g5_a_cursor_that_is_not_of_this_store_counts_as_none_and_says_so() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    says(&world, &ana, chat);
    let known: Cursor = serde_json::from_value(cursor(&world, &bob)).expect("a cursor");
    let (epoch, position) = known.parts().expect("ours");
    let others = [
        Cursor::new(epoch + 1, position),
        Cursor::new(epoch.wrapping_sub(1), position),
        Cursor::new(epoch, backend::unknown_position(position)),
        Cursor::new(epoch, u64::MAX),
    ];
    let others = others.iter().map(|other| serde_json::to_value(other).expect("a cursor"));
    let nonsense = ["", "x", "AQ", "%00", "nonsense-that-is-long"].map(|text| json!(text));
    for other in others.chain(nonsense) {
        let all = at_once(&world, &bob, &other);
        let mut inbox = Inbox::default();
        let news = inbox.hears(&rows(&all));
        assert_eq!((news, &all["reset"]), (vec![chat], &json!(true)), "{other}");
        let next = at_once(&world, &bob, &all["cursor"]);
        assert_eq!(last(&mut inbox, &next), [], "{other}");
    }
}

#[test]
fn g5_what_does_not_fit_comes_in_pages() {
    let world = World::new();
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    let mut opened: Vec<ChatId> = Vec::new();
    for _ in 0..=ROWS_MAX {
        let open = Call::new("POST", "/v1/chats").token(&ana.token);
        let row = world.call(open.json(&json!({ "listing": world.listing(&bob) })));
        opened.push(serde_json::from_value(row.expect(201).json()["chat"].clone()).expect("an id"));
    }
    let first = world.call(ana.sync("")).expect(200).json();
    let mut hers = Inbox::default();
    let news = hers.hears(&rows(&first));
    assert_eq!((news.as_slice(), &first["more"]), (&opened[..ROWS_MAX], &json!(true)));
    // What changes between two pages is told on a later one.
    says(&world, &ana, opened[0]);
    let (mut answer, mut news) = (first, Vec::new());
    while answer["more"] == true {
        answer = at_once(&world, &ana, &answer["cursor"]);
        news.extend(hers.hears(&rows(&answer)));
    }
    assert_eq!(news, [opened[ROWS_MAX], opened[0]]);
    assert_eq!(last(&mut hers, &at_once(&world, &ana, &answer["cursor"])), []);
    // Of all these chats the seller has heard of one.
    let theirs = world.call(bob.sync("")).expect(200).json();
    assert_eq!((chats(&theirs), &theirs["more"]), (vec![opened[0]], &Value::Null));
}

#[test]
fn a_wait_has_an_end() {
    let world = World::new();
    let ana = world.person("ana");
    let since = cursor(&world, &ana);
    let query = format!("wait_ms=50&cursor={}", since.as_str().expect("a cursor"));
    let asked = Instant::now();
    let nothing = world.call(ana.sync(&query)).expect(200).json();
    assert!(asked.elapsed() >= Duration::from_millis(50));
    assert_eq!(nothing, json!({ "rows": [], "cursor": nothing["cursor"] }));
    for wrong in ["wait_ms=30001", "wait_ms=-1", "wait_ms=x", "wait_ms=1&wait_ms=2"] {
        world.call(ana.sync(wrong)).problem(400, "request.invalid");
    }
    world.get("/v1/sync").problem(401, "token.invalid");
    world
        .call(Call::new("POST", "/v1/sync").token(&ana.token))
        .problem(405, "route.method_not_allowed");
}

#[test]
fn no_wait_is_longer_than_a_request_may_take() {
    // Longer than a password takes to be hashed.
    let world = World::with_setting("BARTERLINE_SERVER__REQUEST_TIMEOUT_MS", "1000");
    let ana = world.person("ana");
    let since = cursor(&world, &ana);
    let query = format!("wait_ms=30000&cursor={}", since.as_str().expect("a cursor"));
    assert_eq!(world.call(ana.sync(&query)).expect(200).json()["rows"], json!([]));
}

#[test]
fn g7_few_requests_of_one_user_wait_and_those_that_go_make_room() {
    let world = World::new();
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    let since = cursor(&world, &ana);
    let since = since.as_str().expect("a cursor");
    let request = format!(
        "GET /v1/sync?wait_ms=30000&cursor={since} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\
         \r\n\r\n",
        ana.token
    );
    let connections: Vec<_> = (0..8)
        .map(|_| {
            let mut connection = TcpStream::connect(world.listening).expect("a connection");
            connection.write_all(request.as_bytes()).expect("a request");
            connection
        })
        .collect();
    world.until_polls(8);
    let query = format!("wait_ms=30000&cursor={since}");
    world.call(ana.sync(&query)).problem(429, "sync.too_many");
    // Who does not wait is answered, and so is everybody else.
    world.call(ana.sync(&format!("wait_ms=0&cursor={since}"))).expect(200);
    world.call(ana.sync("")).expect(200);
    let theirs = cursor(&world, &bob);
    let theirs = format!("wait_ms=1&cursor={}", theirs.as_str().expect("a cursor"));
    world.call(bob.sync(&theirs)).expect(200);
    drop(connections);
    world.until_polls(0);
}

#[test]
fn g9_a_server_that_stops_answers_who_waits_at_once() {
    let mut world = World::new();
    let ana = world.person("ana");
    let (_, poll) = waiting(&world, &ana);
    let told = Instant::now();
    world.signal(Signal::TERM);
    let answer = poll.join().expect("an answer").expect(200).json();
    assert_eq!(answer, json!({ "rows": [], "cursor": answer["cursor"] }));
    assert!(world.ended().success());
    assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
}
