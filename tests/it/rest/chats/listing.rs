//! What chats hear of their listing.

use barterline_domain::event::{Author, Seq};
use barterline_domain::ids::ChatId;
use barterline_protocol::Encoding;
use barterline_protocol::push::Event;
use serde_json::{Value, json};

use crate::support::socket::fresh_id;
use crate::support::{Answer, Call, Person, World};

fn key() -> String {
    fresh_id().to_string()
}

fn words(text: &str) -> Value {
    json!({ "kind": "text", "text": text })
}

/// Two people, and the chat they have about what one of them sells: buyer, seller, listing, chat.
async fn talk(world: &World) -> (Person, Person, String, ChatId) {
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    let listing = world.listing(&bob);
    let chat = world.device(&ana, Encoding::MsgPack).await.opens(&listing).await.chat;
    world.send(&ana, chat, &key(), &words("hello")).expect(201);
    (ana, bob, listing, chat)
}

fn edit(world: &World, seller: &Person, listing: &str, edit: &Value) -> Answer {
    let call = Call::new("PATCH", &format!("/v1/listings/{listing}")).token(&seller.token);
    world.call(call.json(edit)).expect(200)
}

fn euros(minor: u64) -> Value {
    json!({ "minor": minor, "currency": "EUR" })
}

fn events(world: &World, person: &Person, chat: ChatId) -> Vec<Value> {
    let call = Call::new("GET", &format!("/v1/chats/{chat}/events")).token(&person.token);
    let page = world.call(call).expect(200).json();
    page["events"].as_array().expect("events").clone()
}

/// What a chat was told of its listing, once it was told of this version.
async fn told_up_to(world: &World, person: &Person, chat: ChatId, version: u64) -> Vec<Value> {
    for _ in 0..100 {
        let mut told = events(world, person, chat);
        told.retain(|event| event["kind"] == "listing");
        if told.last().is_some_and(|last| last["listing"]["version"] == version) {
            return told;
        }
        // Whoever looks has it told, and finds it the next time.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("version {version} is not told");
}

#[tokio::test]
async fn an_edit_reaches_those_who_talk_about_it_at_once() {
    let world = World::new();
    let (ana, bob, listing, chat) = talk(&world).await;
    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    let mut seller = world.device(&bob, Encoding::Json).await;
    world.send(&ana, chat, &key(), &words("how much?")).expect(201);
    let heard = |event: &Event| (event.seq, event.from, event.kind.to_string());
    for hearer in [&mut buyer, &mut seller] {
        while hearer.event().await.seq < Seq(2) {}
    }
    edit(&world, &bob, &listing, &json!({ "price": euros(9_050) }));
    for hearer in [&mut buyer, &mut seller] {
        let event = hearer.event().await;
        assert_eq!(heard(&event), (Seq(3), Author::System, "listing".to_owned()));
        assert_eq!(event.text.as_deref(), Some("The price is now 90.50 EUR (it was 120.00 EUR)."));
        let moved = serde_json::to_value(event.listing).expect("JSON");
        let price = json!({ "old": euros(12_000), "new": euros(9_050) });
        assert_eq!(moved, json!({ "version": 2, "price": price }));
    }
    edit(&world, &bob, &listing, &json!({ "title": "A better bike" }));
    edit(&world, &bob, &listing, &json!({ "status": "reserved" }));
    let event = buyer.event().await;
    assert_eq!(heard(&event), (Seq(4), Author::System, "listing".to_owned()));
    let moved = serde_json::to_value(event.listing).expect("JSON");
    let status = json!({ "old": "active", "new": "reserved" });
    assert_eq!(moved, json!({ "version": 4, "status": status }));
    let call = |person: &Person| Call::new("GET", "/v1/unread").token(&person.token);
    let unread = |person| world.call(call(person)).expect(200).json()["messages"].clone();
    assert_eq!((unread(&ana), unread(&bob)), (json!(0), json!(2)), "nobody said it");
}

#[tokio::test]
async fn g3_what_nobody_was_there_to_hear_is_one_event_before_what_is_said_next() {
    let world = World::new();
    let (ana, bob, listing, chat) = talk(&world).await;
    // Nobody is in any room.
    let world = world.restart();
    for price in [11_000, 10_000, 9_000] {
        edit(&world, &bob, &listing, &json!({ "price": euros(price) }));
    }
    edit(&world, &bob, &listing, &json!({ "status": "reserved" }));
    let sent = world.send(&ana, chat, &key(), &words("still there?")).expect(201).json();
    assert_eq!(sent["seq"], 3);
    let told = &events(&world, &bob, chat)[1];
    assert_eq!((&told["seq"], &told["from"]), (&json!(2), &json!("system")));
    let price = json!({ "old": euros(12_000), "new": euros(9_000) });
    let status = json!({ "old": "active", "new": "reserved" });
    assert_eq!(told["listing"], json!({ "version": 5, "price": price, "status": status }));
    // There and back again is nothing new, and a crash changes nothing.
    let world = world.crash();
    edit(&world, &bob, &listing, &json!({ "status": "active" }));
    edit(&world, &bob, &listing, &json!({ "status": "reserved" }));
    edit(&world, &bob, &listing, &json!({ "status": "sold" }));
    let told = told_up_to(&world, &ana, chat, 8).await;
    assert_eq!(told.len(), 2);
    assert_eq!(told[1]["listing"]["status"], json!({ "old": "reserved", "new": "sold" }));
}

#[tokio::test]
async fn g2_each_of_many_who_come_at_once_finds_it_told_once() {
    let world = World::new();
    let (ana, bob, listing, chat) = talk(&world).await;
    let world = world.restart();
    edit(&world, &bob, &listing, &json!({ "status": "reserved" }));
    let sends: Vec<_> = (0..16)
        .map(|n| {
            let who = if n % 2 == 0 { &ana } else { &bob };
            world.begin(who.send(chat, &key(), &words("me")))
        })
        .collect();
    for send in sends {
        assert_eq!(send.join().expect("an answer").status, 201);
    }
    let events = events(&world, &ana, chat);
    assert_eq!((events.len(), &events[1]["kind"]), (18, &json!("listing")));
    let told = events.iter().filter(|event| event["kind"] == "listing");
    assert_eq!(told.count(), 1);
}

#[tokio::test]
async fn a_chat_in_which_nothing_was_said_is_not_shown_to_its_seller() {
    let world = World::new();
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    let listing = world.listing(&bob);
    let chat = world.device(&ana, Encoding::MsgPack).await.opens(&listing).await.chat;
    edit(&world, &bob, &listing, &json!({ "price": euros(1) }));
    let open = Call::new("POST", "/v1/chats").token(&ana.token);
    let row = world.call(open.json(&json!({ "listing": listing }))).expect(200).json();
    assert_eq!(row["head"], 0);
    let sent = world.send(&ana, chat, &key(), &words("hello")).expect(201).json();
    assert_eq!(sent["seq"], 2, "what is new comes first");
}

#[tokio::test]
async fn what_the_server_tells_is_its_alone() {
    let world = World::new();
    let (ana, bob, listing, chat) = talk(&world).await;
    edit(&world, &bob, &listing, &json!({ "status": "reserved" }));
    let told = told_up_to(&world, &ana, chat, 2).await;
    let seq = &told[0]["seq"];
    let listing = json!({ "kind": "listing", "text": "The listing is free." });
    world.send(&ana, chat, &key(), &listing).problem(422, "kind.unsupported");
    for body in [
        json!({ "kind": "edit", "target": seq, "text": "It is not." }),
        json!({ "kind": "delete", "target": seq }),
        json!({ "kind": "reaction", "target": seq, "reaction": "👍" }),
    ] {
        world.send(&bob, chat, &key(), &body).problem(404, "target.not_found");
    }
}

#[tokio::test]
async fn chats_of_what_is_gone_go_on_unless_the_operator_closes_them() {
    let sold = json!({ "status": "sold" });
    let world = World::new();
    let (ana, bob, listing, chat) = talk(&world).await;
    edit(&world, &bob, &listing, &sold);
    world.send(&ana, chat, &key(), &words("when can I fetch it?")).expect(201);
    drop(world);

    let world = World::with_setting("BARTERLINE_CHAT__CLOSED_LISTINGS", "frozen");
    let (ana, bob, listing, chat) = talk(&world).await;
    let before = key();
    let said = world.send(&ana, chat, &before, &words("is it free?")).expect(201).json();
    edit(&world, &bob, &listing, &sold);
    world.send(&ana, chat, &key(), &words("please")).problem(409, "listing.closed");
    assert_eq!(told_up_to(&world, &ana, chat, 2).await.len(), 1, "it says why");
    // What was said before stands, and may still be changed; its retry gets its number (G2).
    world.send(&ana, chat, &before, &words("is it free?")).expect(200);
    let target = &said["seq"];
    let mended = json!({ "kind": "edit", "target": target, "text": "Is it free?" });
    world.send(&ana, chat, &key(), &mended).expect(201);
    let liked = json!({ "kind": "reaction", "target": target, "reaction": "👍" });
    world.send(&bob, chat, &key(), &liked).expect(201);
    world.send(&ana, chat, &key(), &json!({ "kind": "delete", "target": target })).expect(201);
    // The seller goes on with whoever bought it.
    world.send(&bob, chat, &key(), &words("fetch it on Friday")).expect(201);
    world.send(&ana, chat, &key(), &words("I will")).expect(201);
}
