//! POST /v1/chats/{id}/events

use barterline_domain::event::{Author, Seq};
use barterline_domain::ids::ChatId;
use barterline_protocol::request::{Pull, Send};
use barterline_protocol::{Encoding, Outgoing, Request};
use rustix::process::{Resource, Rlimit, prlimit};
use serde_json::{Value, json};

use crate::support::socket::{fresh_id, text};
use crate::support::{Call, Client, Person, World, embedded_only};

fn key() -> String {
    fresh_id().to_string()
}

fn words(text: &str) -> Value {
    json!({ "kind": "text", "text": text })
}

fn events(world: &World, person: &Person, chat: ChatId) -> Value {
    let call = Call::new("GET", &format!("/v1/chats/{chat}/events")).token(&person.token);
    world.call(call).expect(200).json()
}

async fn next_event(client: &mut Client) -> (Seq, Author, String) {
    let event = client.event().await;
    (event.seq, event.from, event.text.unwrap_or_default())
}

#[tokio::test]
async fn what_is_said_over_http_is_heard_on_every_socket() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let mut own = world.device(&ana, Encoding::MsgPack).await;
    let mut theirs = world.device(&bob, Encoding::Json).await;
    let id = key();
    let sent = world.send(&ana, chat, &id, &words("hello")).expect(201).json();
    assert_eq!(sent, json!({ "chat": chat, "id": id, "seq": 1, "at": sent["at"] }));
    let heard = (Seq(1), Author::Buyer, "hello".to_owned());
    assert_eq!(next_event(&mut own).await, heard);
    assert_eq!(next_event(&mut theirs).await, heard);
    let reply = json!({ "kind": "text", "text": "hi", "reply": 1 });
    assert_eq!(world.send(&bob, chat, &key(), &reply).expect(201).json()["seq"], 2);
    let extension = json!({ "kind": "x-dice", "text": "a six", "data": "6" });
    assert_eq!(world.send(&bob, chat, &key(), &extension).expect(201).json()["seq"], 3);
    let reaction = json!({ "kind": "reaction", "target": 1, "reaction": "👍" });
    assert_eq!(world.send(&bob, chat, &key(), &reaction).expect(201).json()["seq"], 4);
    let edit = json!({ "kind": "edit", "target": 1, "text": "hello!" });
    assert_eq!(world.send(&ana, chat, &key(), &edit).expect(201).json()["seq"], 5);
    let page = events(&world, &bob, chat);
    let first = &page["events"][0];
    assert_eq!((&first["id"], &first["text"]), (&json!(id), &json!("hello!")));
    assert_eq!(first["reactions"], json!({ "seller": "👍" }));
    assert_eq!((&page["events"][1]["reply"], &page["events"][2]["data"]), (&json!(1), &json!("6")));
}

#[tokio::test]
async fn g2_a_retry_is_answered_with_the_first_number() {
    let world = World::new();
    let (ana, _, chat) = world.chat().await;
    let id = key();
    let first = world.send(&ana, chat, &id, &words("once")).expect(201).json();
    let mut again = first.clone();
    again["repeat"] = json!(true);
    assert_eq!(world.send(&ana, chat, &id, &words("once")).expect(200).json(), again);
    // A structured field has its string in quotes.
    let quoted = format!("\"{id}\"");
    assert_eq!(world.send(&ana, chat, &quoted, &words("once")).expect(200).json(), again);
    let with_base = json!({ "kind": "text", "text": "once", "base": 0 });
    assert_eq!(world.send(&ana, chat, &id, &with_base).expect(200).json(), again);
    for n in 2..=40 {
        let sent = world.send(&ana, chat, &key(), &words("more")).expect(201).json();
        assert_eq!(sent["seq"], n);
    }
    assert_eq!(world.send(&ana, chat, &id, &words("once")).expect(200).json(), again);
    let world = world.crash();
    assert_eq!(world.send(&ana, chat, &id, &words("once")).expect(200).json(), again);
    assert_eq!(events(&world, &ana, chat)["head"], 40);
}

#[tokio::test]
async fn g2_a_message_is_one_whichever_door_it_comes_through() {
    let world = World::new();
    let (ana, _, chat) = world.chat().await;
    let mut socket = world.device(&ana, Encoding::MsgPack).await;
    let message = text(chat, 0, "by HTTP first");
    let body = words("by HTTP first");
    let sent = world.send(&ana, chat, &message.id.to_string(), &body).expect(201).json();
    let ack = socket.sends(&message).await;
    assert_eq!((json!(ack.seq), ack.repeat), (sent["seq"].clone(), true));

    let message = text(chat, 0, "by socket first");
    let ack = socket.sends(&message).await;
    let body = words("by socket first");
    let again = world.send(&ana, chat, &message.id.to_string(), &body).expect(200).json();
    assert_eq!((&again["seq"], &again["repeat"]), (&json!(ack.seq), &json!(true)));
    assert_eq!(again["at"], json!(ack.at));
    // Another message under a name that is taken: the same answer at both doors.
    let clash = Send { text: Some("another".to_owned()), ..message.clone() };
    socket.is_refused(Request::Send(clash), "id.conflict").await;
    let clash = world.send(&ana, chat, &message.id.to_string(), &words("another"));
    clash.problem(409, "id.conflict");
    assert_eq!(events(&world, &ana, chat)["head"], 2);
}

#[tokio::test]
async fn g2_copies_that_come_at_the_same_time_are_one_message() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    for round in 1..=10 {
        let id = key();
        let copies: Vec<_> =
            (0..8).map(|_| world.begin(ana.send(chat, &id, &words("copy")))).collect();
        let other = world.begin(bob.send(chat, &id, &words("copy")));
        let answers = copies.into_iter().map(|copy| copy.join().expect("an answer"));
        let answers: Vec<_> = answers.map(|answer| (answer.status, answer.json())).collect();
        let new = answers.iter().filter(|(status, _)| *status == 201).count();
        assert_eq!(new, 1, "{answers:?}");
        assert!(answers.iter().all(|(_, sent)| sent["seq"] == answers[0].1["seq"]), "{answers:?}");
        // The name is the sender's own: the other person's is another message.
        other.join().expect("an answer").expect(201);
        assert_eq!(events(&world, &ana, chat)["head"], 2 * round);
    }
}

#[tokio::test]
async fn every_message_has_a_key_that_is_a_uuid() {
    let world = World::new();
    let (ana, _, chat) = world.chat().await;
    let path = format!("/v1/chats/{chat}/events");
    let without = Call::new("POST", &path).token(&ana.token).json(&words("x"));
    world.call(without).problem(400, "request.idempotency_key");
    for wrong in ["", "7", "019AC1B3-1F58-7C02-9A6D-4B70E1F3C802", "{}"] {
        let answer = world.send(&ana, chat, wrong, &words("x"));
        answer.problem(400, "request.idempotency_key");
    }
    let twice = ana.send(chat, &key(), &words("x")).header("idempotency-key", &key());
    world.call(twice).problem(400, "request.idempotency_key");
    assert_eq!(events(&world, &ana, chat)["head"], 0);
}

#[tokio::test]
async fn what_cannot_be_said_has_the_code_it_has_on_a_socket() {
    let world = World::with_setting("BARTERLINE_CHAT__EDIT_WINDOW_MS", "0");
    let (ana, bob, chat) = world.chat().await;
    world.send(&ana, chat, &key(), &words("mine")).expect(201);
    world.send(&ana, chat, &key(), &words("gone")).expect(201);
    let delete = json!({ "kind": "delete", "target": 2 });
    world.send(&ana, chat, &key(), &delete).expect(201);
    let mut socket = world.device(&ana, Encoding::MsgPack).await;
    let long = "x".repeat(4_001);
    let data = "x".repeat(8_193);
    for (status, code, body) in [
        (422, "text.empty", json!({ "kind": "text", "text": " " })),
        (422, "text.empty", json!({ "kind": "text" })),
        (422, "text.too_long", json!({ "kind": "text", "text": long })),
        (422, "text.control", json!({ "kind": "text", "text": "\u{7}" })),
        (422, "kind.unsupported", json!({ "kind": "system", "text": "x" })),
        (422, "kind.unsupported", json!({ "kind": "poem", "text": "x" })),
        (422, "data.too_long", json!({ "kind": "x-a", "text": "x", "data": data })),
        (400, "request.invalid", json!({ "kind": "edit", "text": "x" })),
        (400, "request.invalid", json!({ "kind": "media" })),
        (404, "target.not_found", json!({ "kind": "text", "text": "x", "reply": 9 })),
        (404, "target.not_found", json!({ "kind": "delete", "target": 3 })),
        (410, "target.gone", json!({ "kind": "delete", "target": 2 })),
        (409, "target.too_old", json!({ "kind": "edit", "target": 1, "text": "x" })),
        (422, "reaction.unsupported", json!({ "kind": "reaction", "target": 1, "reaction": "x" })),
        (404, "media.not_found", json!({ "kind": "media", "media": key() })),
        (409, "seq.ahead", json!({ "kind": "text", "text": "x", "base": 9 })),
    ] {
        let problem = world.send(&ana, chat, &key(), &body).problem(status, code);
        if code == "seq.ahead" {
            assert_eq!(problem["head"], 3);
        }
        // The other door says the same.
        let mut send = json!({ "chat": chat, "id": key(), "base": 0 });
        let fields = body.as_object().expect("fields").clone();
        send.as_object_mut().expect("fields").extend(fields);
        let send: Send = serde_json::from_value(send).expect("a request");
        socket.is_refused(Request::Send(send), code).await;
    }
    let theirs = json!({ "kind": "delete", "target": 1 });
    world.send(&bob, chat, &key(), &theirs).problem(403, "target.not_yours");
    assert_eq!(events(&world, &ana, chat)["head"], 3, "a refused request changes nothing");
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let world = World::new();
    let (ana, _, chat) = world.chat().await;
    for body in [
        json!({}),
        json!([]),
        json!({ "kind": 1 }),
        json!({ "kind": "text", "text": 1 }),
        json!({ "kind": "text", "text": "x", "base": -1 }),
        json!({ "kind": "text", "text": "x", "base": 1_u64 << 53 }),
        json!({ "kind": "text", "text": "x", "reply": "1" }),
        json!({ "kind": "media", "media": "x" }),
    ] {
        world.send(&ana, chat, &key(), &body).problem(400, "request.invalid");
    }
    let path = format!("/v1/chats/{chat}/events");
    let call = || Call::new("POST", &path).header("idempotency-key", &key());
    world.call(call().json(&words("x"))).problem(401, "token.invalid");
    let call = call().token(&ana.token).body("{}");
    world.call(call).problem(415, "request.media_type");
    let nowhere = Call::new("POST", "/v1/chats/x/events").token(&ana.token);
    let nowhere = nowhere.header("idempotency-key", &key()).json(&words("x"));
    world.call(nowhere).problem(400, "request.invalid");
    assert_eq!(events(&world, &ana, chat)["head"], 0);
}

#[tokio::test]
async fn g6_a_stranger_gets_the_answer_of_a_missing_chat() {
    let world = World::new();
    let (_, _, theirs) = world.chat().await;
    let eve = world.person("eve");
    let nothing = ChatId::from_bytes([7; 16]);
    for body in [
        words("let me in"),
        words(" "),
        json!({ "kind": "poem" }),
        json!({ "kind": "delete", "target": 1 }),
        json!({ "kind": "text", "text": "x", "base": 9 }),
    ] {
        let foreign = world.send(&eve, theirs, &key(), &body).problem(404, "chat.not_found");
        let missing = world.send(&eve, nothing, &key(), &body).problem(404, "chat.not_found");
        assert_eq!(foreign, missing);
    }
}

#[tokio::test]
async fn g2_in_a_long_chat_the_newest_events_are_searched() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let old = key();
    world.send(&ana, chat, &old, &words("old")).expect(201);
    let mut seller = world.device(&bob, Encoding::MsgPack).await;
    let mut asked = 0;
    for n in 2..=4_098 {
        let send = text(chat, (n - 2) / 1_000 * 1_000, &n.to_string());
        asked = seller.ask(Request::Send(send)).await;
        if n % 64 == 0 {
            assert!(matches!(seller.answer(asked).await, Outgoing::Ack(_)));
        }
    }
    assert!(matches!(seller.answer(asked).await, Outgoing::Ack(_)));
    let with_base = json!({ "kind": "text", "text": "x", "base": 1 });
    let problem = world.send(&ana, chat, &key(), &with_base).problem(409, "base.old");
    assert_eq!(problem["head"], 4_098);
    // Nobody has to know a head to say something new, before a start and after it.
    let recent = key();
    let sent = world.send(&ana, chat, &recent, &words("recent")).expect(201).json();
    assert_eq!(sent["seq"], 4_099);
    let world = world.restart();
    let again = world.send(&ana, chat, &recent, &words("recent")).expect(200).json();
    assert_eq!((&again["seq"], &again["repeat"]), (&sent["seq"], &json!(true)));
    // With its base a message is found as far back as that reaches, or its sender is told to look.
    let old_with_base = json!({ "kind": "text", "text": "old", "base": 0 });
    world.send(&ana, chat, &old, &old_with_base).problem(409, "base.old");
    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    let newest = Pull { chat, after: None, before: None, limit: None };
    assert_eq!(buyer.pulls(newest).await.head, Seq(4_099));
}

#[tokio::test]
async fn g1_what_the_disk_does_not_take_is_not_acknowledged() {
    embedded_only!("fills the server's own disk");
    let world = World::new();
    let (ana, _, chat) = world.chat().await;
    let id = key();
    // From here on no write reaches a file.
    let full = Rlimit { current: Some(0), maximum: None };
    prlimit(Some(world.process()), Resource::Fsize, full).expect("a limit");
    for _ in 0..2 {
        let refused = world.send(&ana, chat, &id, &words("later"));
        assert!(refused.headers.contains_key("retry-after"));
        refused.problem(503, "server.unavailable");
    }
    let world = world.restart();
    let sent = world.send(&ana, chat, &id, &words("later"));
    assert!([200, 201].contains(&sent.status), "{}", sent.body);
    assert_eq!(sent.json()["seq"], 1);
    assert_eq!(world.send(&ana, chat, &id, &words("later")).expect(200).json()["seq"], 1);
}
