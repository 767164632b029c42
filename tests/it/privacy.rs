//! Who may see what (G6), a test for each fact and in it a word for each who: the person's own
//! devices, the counterpart, everybody else, staff.
//!
//! | fact | own devices | counterpart | others | staff |
//! |---|---|---|---|---|
//! | message body | yes | yes | never | what a participant reported |
//! | delivered and read marks | yes | if the person allows it | never | no |
//! | online, last seen | – | while watching, not blocked, if allowed | never | no |
//! | typing | no | with the chat on screen | never | no |
//! | a block | yes | never | never | no |
//! | e-mail address | yes | never | never | no |

use std::fmt::Write as _;

use barterline_domain::event::Seq;
use barterline_domain::ids::{ChatId, UserId};
use barterline_protocol::request::{Block, Open, Pull, SetSettings, SetState, Typing, Watch};
use barterline_protocol::{Encoding, Outgoing, Request};
use serde_json::{Value, json};

use crate::support::socket::{hello, text};
use crate::support::{Call, Client, Person, World};

const KEY: &str = "019ac1b3-1f58-7c02-9a6d-4b70e1f3c802";

fn user(person: &Person) -> UserId {
    person.id.parse().expect("an id")
}

async fn is_done(client: &mut Client, request: Request) {
    let asked = client.ask(request).await;
    let answer = client.answer(asked).await;
    assert!(matches!(answer, Outgoing::Ok(_) | Outgoing::Settings(_)), "{answer:?}");
}

/// All that somebody can get hold of by asking, in both encodings and over HTTP: their inbox, the
/// chat, its history, what changed, and what is told of the accounts of others.
async fn gets(world: &World, person: &Person, chat: ChatId, others: &[&Person]) -> String {
    let mut found = String::new();
    for encoding in Encoding::ALL {
        let (mut client, opening) = world.opening(hello(&person.token), encoding).await;
        write!(found, "{:?}", opening.rows).expect("text");
        let pull = Pull { chat, after: Some(Seq(0)), before: None, limit: None };
        let asked = client.ask(Request::Pull(pull)).await;
        write!(found, "{:?}", client.answer(asked).await).expect("text");
        let asked = client.ask(Request::Watch(Watch { chat, on: true })).await;
        write!(found, "{:?}", client.answer(asked).await).expect("text");
        write!(found, "{:?}", client.unasked().await).expect("text");
    }
    let mut paths = vec![
        "/v1/chats".to_owned(),
        format!("/v1/chats/{chat}"),
        format!("/v1/chats/{chat}/events?after=0"),
        "/v1/sync?wait_ms=0".to_owned(),
        "/v1/unread".to_owned(),
    ];
    paths.extend(others.iter().map(|other| format!("/v1/accounts/{}", other.id)));
    for path in paths {
        found += &world.call(Call::new("GET", &path).token(&person.token)).body;
    }
    found
}

/// All that staff can get hold of that has to do with a chat.
fn staff_get(world: &World, chat: ChatId) -> String {
    let list = world.reports(chat);
    let ids = list.iter().map(|report| report["id"].as_str().expect("an id"));
    let one = |id: &str| world.staff("GET", &format!("/reports/{id}")).expect(200).body;
    let reports: String = ids.map(one).collect();
    let list = json!(list).to_string();
    let metrics = Call::new("GET", "/metrics").send(world.admin).body;
    let status = world.staff("GET", "/status").body;
    list + &reports + &metrics + &status
}

#[tokio::test]
async fn g6_a_message_body() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let eve = world.person("eve");
    let mut live = world.device(&eve, Encoding::MsgPack).await;
    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    buyer.tells(chat, "the first secret").await;
    buyer.tells(chat, "the other secret").await;
    for reader in [&ana, &bob] {
        let found = gets(&world, reader, chat, &[]).await;
        assert!(found.contains("the first secret") && found.contains("the other secret"));
    }
    let found = gets(&world, &eve, chat, &[&ana, &bob]).await;
    assert!(!found.contains("secret") && found.contains("chat.not_found"), "{found}");
    assert_eq!(live.unasked().await, []);
    assert!(!staff_get(&world, chat).contains("secret"));
    let call = Call::new("POST", &format!("/v1/chats/{chat}/reports")).token(&bob.token);
    let body = json!({ "reason": "strange", "messages": [1] });
    world.call(call.header("idempotency-key", KEY).json(&body)).expect(201);
    let found = staff_get(&world, chat);
    assert!(found.contains("the first secret") && !found.contains("the other secret"));
}

#[tokio::test]
async fn g6_delivered_and_read_marks() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let eve = world.person("eve");
    let mut stranger = world.device(&eve, Encoding::MsgPack).await;
    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    let mut seller = world.device(&bob, Encoding::MsgPack).await;
    let mut second = world.device(&bob, Encoding::MsgPack).await;
    for words in ["one", "two", "three"] {
        buyer.tells(chat, words).await;
    }
    seller.moves_marks(chat, 2, 1).await;
    for client in [&mut second, &mut buyer] {
        let marks = client.marks().await;
        assert_eq!((marks.delivered, marks.read), (Seq(2), Seq(1)));
    }
    let hides = SetSettings { shows_read: Some(false), shows_presence: None };
    is_done(&mut seller, Request::Settings(hides)).await;
    seller.moves_marks(chat, 3, 3).await;
    let marks = second.marks().await;
    assert_eq!((marks.delivered, marks.read), (Seq(3), Seq(3)));
    let marks = buyer.marks().await;
    assert_eq!((marks.delivered, marks.read), (Seq(3), Seq(1)), "delivered is shown, read is not");
    let row = |person: &Person| {
        let call = Call::new("GET", &format!("/v1/chats/{chat}")).token(&person.token);
        world.call(call)
    };
    assert_eq!(row(&ana).expect(200).json()["peer_marks"], json!({ "delivered": 3, "read": 1 }));
    assert_eq!(row(&bob).expect(200).json()["marks"], json!({ "delivered": 3, "read": 3 }));
    row(&eve).problem(404, "chat.not_found");
    assert_eq!(stranger.unasked().await, []);
}

#[tokio::test]
async fn g6_online_and_last_seen() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let eve = world.person("eve");
    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    let mut stranger = world.device(&eve, Encoding::MsgPack).await;
    let mut seller = world.device(&bob, Encoding::MsgPack).await;
    let online = async |client: &mut Client| {
        let asked = client.ask(Request::Watch(Watch { chat, on: true })).await;
        assert!(matches!(client.answer(asked).await, Outgoing::Ok(_)));
        let heard = client.unasked().await.into_iter().rev();
        let mut told = heard.filter_map(|frame| match frame {
            Outgoing::Presence(presence) => Some((presence.online, presence.last_seen.is_some())),
            _ => None,
        });
        told.next()
    };
    assert_eq!(online(&mut buyer).await, Some((true, false)));
    let watch = Request::Watch(Watch { chat, on: true });
    stranger.is_refused(watch, "chat.not_found").await;
    for (request, back) in [
        (
            Request::Settings(SetSettings { shows_read: None, shows_presence: Some(false) }),
            Request::Settings(SetSettings { shows_read: None, shows_presence: Some(true) }),
        ),
        (
            Request::Block(Block { user: user(&ana), on: true }),
            Request::Block(Block { user: user(&ana), on: false }),
        ),
    ] {
        is_done(&mut seller, request).await;
        assert_eq!(online(&mut buyer).await, Some((false, false)), "nor when they were");
        is_done(&mut seller, back).await;
        assert_eq!(online(&mut buyer).await, Some((true, false)));
    }
    assert_eq!(stranger.unasked().await, []);
    for found in [gets(&world, &eve, chat, &[&ana, &bob]).await, staff_get(&world, chat)] {
        assert!(!found.contains("online") && !found.contains("last_seen"), "{found}");
    }
}

#[tokio::test]
async fn g6_typing() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let eve = world.person("eve");
    let mut watching = world.device(&ana, Encoding::MsgPack).await;
    let mut elsewhere = world.device(&ana, Encoding::MsgPack).await;
    let mut stranger = world.device(&eve, Encoding::MsgPack).await;
    let mut seller = world.device(&bob, Encoding::MsgPack).await;
    let mut second = world.device(&bob, Encoding::MsgPack).await;
    is_done(&mut watching, Request::Watch(Watch { chat, on: true })).await;
    seller.ask(Request::Typing(Typing { chat })).await;
    seller.pings().await;
    // A stranger's is told nobody, and gets no answer that could tell anything.
    stranger.ask(Request::Typing(Typing { chat })).await;
    let typing = |frame: &Outgoing| matches!(frame, Outgoing::Typing(_));
    assert_eq!(stranger.unasked().await, []);
    assert_eq!(watching.unasked().await.iter().filter(|frame| typing(frame)).count(), 1);
    for client in [&mut elsewhere, &mut seller, &mut second] {
        assert!(!client.unasked().await.iter().any(typing));
    }
}

/// What one of two buyers of the same seller sees: one is blocked, of the other nothing is wanted.
/// All they get must be equal but for ids and times.
#[tokio::test]
async fn g6_a_block() {
    let world = World::new();
    let (bob, ana, eve) = (world.person("bob"), world.person("ana"), world.person("eve"));
    let listing = world.listing(&bob);
    let mut seller = world.device(&bob, Encoding::MsgPack).await;
    let mut second = world.device(&bob, Encoding::MsgPack).await;
    let block = Block { user: user(&ana), on: true };
    is_done(&mut seller, Request::Block(block.clone())).await;
    assert!(second.unasked().await.contains(&Outgoing::Block(block)), "own devices know");
    // Neither is shown whether the seller is there.
    let hides = SetSettings { shows_read: None, shows_presence: Some(false) };
    is_done(&mut seller, Request::Settings(hides)).await;

    let mut views = Vec::new();
    for person in [&ana, &eve] {
        let mut view = Vec::new();
        let mut client = world.device(person, Encoding::MsgPack).await;
        let mut other = world.device(person, Encoding::MsgPack).await;
        let chat = client.opens(&listing).await.chat;
        // The row is read when it is told: nothing is said before.
        for device in [&mut client, &mut other] {
            view.push(json_of(&device.news().await));
        }
        let pin = SetState {
            chat,
            muted_until: None,
            archived: None,
            pinned: Some(true),
            unread: None,
            hide: Vec::new(),
            hide_through: None,
        };
        for request in [
            Request::Open(Open { listing: listing.parse().expect("an id") }),
            Request::Watch(Watch { chat, on: true }),
            Request::Send(text(chat, 0, "hello?")),
            Request::Send(text(chat, 0, "anybody?")),
            Request::Typing(Typing { chat }),
            Request::State(pin),
            Request::Pull(Pull { chat, after: Some(Seq(0)), before: None, limit: None }),
        ] {
            let silent = matches!(request, Request::Typing(_));
            let asked = client.ask(request).await;
            if !silent {
                view.push(json_of(&client.answer(asked).await));
            }
        }
        for (device, events) in [(&mut client, 0), (&mut other, 2)] {
            // One that reads behind hears rows and marks once more, and the state before the events.
            let (mut states, mut told) = (Vec::new(), Vec::new());
            while states.is_empty() || told.len() < events {
                match device.news().await {
                    state @ Outgoing::State(_) => states = vec![json_of(&state)],
                    Outgoing::Rows(_) | Outgoing::Marks(_) => {}
                    heard => told.push(json_of(&heard)),
                }
            }
            told.extend(device.unasked().await.iter().map(json_of));
            view.extend(told.into_iter().chain(states));
        }
        for path in ["/v1/chats".to_owned(), format!("/v1/chats/{chat}/events?after=0")] {
            view.push(world.call(Call::new("GET", &path).token(&person.token)).json());
        }
        assert!(!staff_get(&world, chat).contains("block"));
        views.push(view);
    }
    for view in &mut views {
        view.iter_mut().for_each(without_ids_and_times);
    }
    assert_eq!(views[0], views[1]);
    // The seller's own devices get number and kind of the one, and the words of the other.
    let chats = world.call(Call::new("GET", "/v1/chats").token(&bob.token)).json();
    let last = |at: usize| (&chats["rows"][at]["last"]["text"], &chats["rows"][at]["unread"]);
    assert_eq!(last(0), (&json!("anybody?"), &json!(2)), "{chats}");
    assert_eq!(last(1), (&Value::Null, &json!(0)), "{chats}");
}

fn json_of(frame: &Outgoing) -> Value {
    let mut bytes = Vec::new();
    Encoding::Json.encode(None, frame, &mut bytes);
    serde_json::from_slice(&bytes).expect("JSON")
}

fn without_ids_and_times(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for name in ["chat", "id", "at", "opened_at"] {
                fields.remove(name);
            }
            fields.values_mut().for_each(without_ids_and_times);
        }
        Value::Array(items) => items.iter_mut().for_each(without_ids_and_times),
        _ => {}
    }
}

#[tokio::test]
async fn g6_an_email_address() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let eve = world.person("eve");
    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    buyer.tells(chat, "hello").await;
    for (person, others) in [(&ana, [&bob, &eve]), (&bob, [&ana, &eve]), (&eve, [&ana, &bob])] {
        let found = gets(&world, person, chat, &others).await;
        assert!(!found.contains('@') && !found.contains("email"), "{found}");
    }
    assert!(!staff_get(&world, chat).contains('@'));
}
