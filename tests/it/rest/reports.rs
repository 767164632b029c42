//! POST /v1/chats/{id}/reports, and what staff see of it

use barterline_domain::event::Seq;
use barterline_domain::ids::ChatId;
use barterline_protocol::request::{Block, Send};
use barterline_protocol::{Encoding, Outgoing, Request};
use serde_json::{Value, json};

use crate::support::socket::{fresh_id, text};
use crate::support::{Answer, Call, Client, Person, World};

const KEY: &str = "019ac1b3-1f58-7c02-9a6d-4b70e1f3c802";
const OTHER_KEY: &str = "019ac1b3-1f58-7c02-9a6d-4b70e1f3c803";

fn report(world: &World, person: &Person, chat: ChatId, key: &str, body: &Value) -> Answer {
    let call = Call::new("POST", &format!("/v1/chats/{chat}/reports")).token(&person.token);
    world.call(call.header("idempotency-key", key).json(body))
}

fn id(answer: Answer, status: u16) -> String {
    answer.expect(status).json()["id"].as_str().expect("an id").to_owned()
}

/// What staff read of a report: number, kind and text of each message.
fn read(world: &World, id: &str) -> Vec<(u64, String, Option<String>)> {
    let report = world.staff("GET", &format!("/reports/{id}")).expect(200).json();
    let messages = report["messages"].as_array().expect("messages");
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let fields = |message: &Value| {
        let kind = text(&message["kind"]).expect("a kind");
        (message["seq"].as_u64().expect("a number"), kind, text(&message["text"]))
    };
    messages.iter().map(fields).collect()
}

fn said(seq: u64, kind: &str, text: &str) -> (u64, String, Option<String>) {
    (seq, kind.to_owned(), Some(text.to_owned()))
}

async fn changes(client: &mut Client, chat: ChatId, kind: &str, target: u64, words: Option<&str>) {
    let base = text(chat, 0, "");
    let change = Send {
        id: fresh_id(),
        kind: kind.to_owned(),
        target: Some(Seq(target)),
        text: words.map(str::to_owned),
        ..base
    };
    client.sends(&change).await;
}

#[tokio::test]
async fn a_report_keeps_the_messages_as_they_were_for_staff() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    let mut seller = world.device(&bob, Encoding::MsgPack).await;
    buyer.tells(chat, "is it for sale?").await;
    let rude = seller.tells(chat, "rude").await;
    seller.tells(chat, "ruder").await;
    changes(&mut seller, chat, "edit", rude, Some("polite")).await;
    changes(&mut seller, chat, "edit", rude, Some("politest")).await;
    buyer.pings().await;

    let body = json!({ "reason": "abuse", "messages": [rude, 3, rude] });
    seller.unasked().await;
    let kept = id(report(&world, &ana, chat, KEY, &body), 201);
    assert_eq!(id(report(&world, &ana, chat, KEY, &body), 200), kept, "a retry");
    assert_eq!(seller.unasked().await, [], "who is reported does not hear of it");
    let fewer = json!({ "reason": "abuse", "messages": [rude] });
    report(&world, &ana, chat, KEY, &fewer).problem(409, "id.conflict");
    let expected = [
        said(rude, "text", "rude"),
        said(rude, "edit", "polite"),
        said(rude, "edit", "politest"),
        said(3, "text", "ruder"),
    ];
    assert_eq!(read(&world, &kept), expected);

    // Whatever becomes of them.
    changes(&mut seller, chat, "delete", rude, None).await;
    changes(&mut seller, chat, "delete", 3, None).await;
    assert_eq!(read(&world, &kept), expected);
    let late = id(report(&world, &ana, chat, OTHER_KEY, &json!({ "reason": "again" })), 201);
    let gone = |seq| (seq, "text".to_owned(), None);
    assert_eq!(read(&world, &late), [said(1, "text", "is it for sale?"), gone(rude), gone(3)]);

    let list = world.reports(chat);
    let ids: Vec<_> = list.iter().map(|report| &report["id"]).collect();
    assert_eq!(ids, [&json!(late), &json!(kept)], "newest first");
    assert_eq!(list[0]["reporter"], ana.id.as_str());
    assert_eq!(list[0]["reported"], bob.id.as_str());

    let world = world.restart();
    assert_eq!(read(&world, &kept), expected);
}

#[tokio::test]
async fn reports_that_cannot_be_are_refused() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    let mut seller = world.device(&bob, Encoding::MsgPack).await;
    buyer.tells(chat, "one").await;
    let seen = seller.tells(chat, "two").await;
    // So often that not all of it fits in a report: the first, the newest, and some of it do.
    let long = "🙂".repeat(4_000);
    for _ in 0..20 {
        changes(&mut seller, chat, "edit", seen, Some(&long)).await;
    }
    changes(&mut seller, chat, "edit", seen, Some("two, edited")).await;
    buyer.pings().await;
    let block = Block { user: bob.id.parse().expect("an id"), on: true };
    let asked = buyer.ask(Request::Block(block)).await;
    assert!(matches!(buyer.answer(asked).await, Outgoing::Ok(_)));
    let withheld = seller.tells(chat, "three").await;
    for _ in 0..40 {
        changes(&mut seller, chat, "edit", seen, Some("what is withheld")).await;
    }

    let file = |body: Value| report(&world, &ana, chat, KEY, &body);
    for messages in [json!([0]), json!([9]), json!([withheld]), json!([3]), json!([1, 9])] {
        let body = json!({ "reason": "abuse", "messages": messages });
        file(body).problem(404, "target.not_found");
    }
    let many: Vec<_> = (1..=101).collect();
    file(json!({ "reason": "abuse", "messages": many })).problem(400, "request.invalid");
    for body in [json!({}), json!({ "reason": 1 }), json!({ "reason": "x", "messages": ["1"] })] {
        file(body).problem(400, "request.invalid");
    }
    file(json!({ "reason": " " })).problem(422, "text.empty");
    file(json!({ "reason": "x".repeat(4_001) })).problem(422, "text.too_long");
    let path = format!("/v1/chats/{chat}/reports");
    let nameless = Call::new("POST", &path).token(&ana.token).json(&json!({ "reason": "abuse" }));
    world.call(nameless).problem(400, "request.idempotency_key");
    assert_eq!(world.reports(chat), Vec::<Value>::new());

    // What the reporter cannot see is not told by a report either.
    let whole = id(file(json!({ "reason": "abuse" })), 201);
    let mut texts = read(&world, &whole);
    let longs = texts.len();
    texts.retain(|(_, _, text)| text.as_deref() != Some(&*long));
    assert_eq!(longs - texts.len(), 256 * 1024 / long.len());
    let expected = [said(1, "text", "one"), said(2, "text", "two"), said(2, "edit", "two, edited")];
    assert_eq!(texts, expected);
    file(json!({ "reason": "another" })).problem(409, "id.conflict");
    // Another person's name is not in the way.
    let other = json!({ "reason": "the other side" });
    assert_ne!(id(report(&world, &bob, chat, KEY, &other), 201), whole);

    let missing = "5b2f9c1e-7a34-4d68-8f05-c19be2a07d31";
    world.staff("GET", &format!("/reports/{missing}")).problem(404, "report.not_found");
    world.staff("GET", &format!("/reports?before={missing}")).problem(404, "report.not_found");
    world.staff("GET", "/reports?limit=0").problem(400, "request.invalid");
}

#[tokio::test]
async fn g6_a_stranger_reports_a_chat_that_is_not_there_and_reads_no_report() {
    let world = World::new();
    let (ana, _, theirs) = world.chat().await;
    let eve = world.person("eve");
    let body = json!({ "reason": "abuse" });
    let foreign = report(&world, &eve, theirs, KEY, &body).problem(404, "chat.not_found");
    let nothing = ChatId::from_bytes([7; 16]);
    let missing = report(&world, &eve, nothing, KEY, &body).problem(404, "chat.not_found");
    assert_eq!(foreign, missing);
    let kept = id(report(&world, &ana, theirs, KEY, &body), 201);
    for path in ["/reports".to_owned(), format!("/reports/{kept}")] {
        let call = || Call::new("GET", &path).token(&ana.token);
        world.call(call()).problem(404, "route.not_found");
        call().send(world.admin).problem(401, "admin.token_invalid");
        Call::new("GET", &path).send(world.admin).problem(401, "admin.token_invalid");
    }
}
