//! /v1/chats

mod listing;
mod mark;
mod send;

use barterline_protocol::Encoding;
use serde_json::{Value, json};

use crate::support::{Answer, Call, Person, World};

fn open(world: &World, person: &Person, listing: &str) -> Answer {
    let call = Call::new("POST", "/v1/chats").token(&person.token);
    world.call(call.json(&json!({ "listing": listing })))
}

fn get(world: &World, person: &Person, path: &str) -> Answer {
    world.call(Call::new("GET", path).token(&person.token))
}

#[test]
fn a_chat_is_opened_once_and_seen_by_both() {
    let world = World::new();
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    let listing = world.listing(&ana);
    let row = open(&world, &bob, &listing).expect(201).json();
    assert_eq!(open(&world, &bob, &listing).expect(200).json(), row);
    assert_eq!((&row["role"], &row["peer"]), (&json!("buyer"), &json!(ana.id)));
    assert_eq!((&row["head"], &row["unread"]), (&json!(0), &json!(0)));
    assert_eq!(row["title"], "Bike");
    let path = format!("/v1/chats/{}", row["chat"].as_str().expect("an id"));
    assert_eq!(get(&world, &bob, &path).expect(200).json(), row);
    assert_eq!(get(&world, &ana, &path).expect(200).json()["role"], "seller");
    let events = get(&world, &ana, &format!("{path}/events")).expect(200).json();
    assert_eq!(events, json!({ "chat": row["chat"], "events": [], "head": 0 }));
    for query in ["?after=0", "?before=1", "?limit=100"] {
        get(&world, &ana, &format!("{path}/events{query}")).expect(200);
    }
    for query in ["?after=0&before=1", "?after=x", "?limit=0", "?after=-1"] {
        get(&world, &ana, &format!("{path}/events{query}")).problem(400, "request.invalid");
    }
}

#[test]
fn a_chat_of_others_is_a_chat_that_is_not_there() {
    let world = World::new();
    let (ana, bob, eve) = (world.person("ana"), world.person("bob"), world.person("eve"));
    let row = open(&world, &bob, &world.listing(&ana)).expect(201).json();
    let theirs = row["chat"].as_str().expect("an id");
    let nothing = "00000000-0000-8000-8000-000000000000";
    for part in ["", "/events", "/events?after=9"] {
        let foreign = get(&world, &eve, &format!("/v1/chats/{theirs}{part}"));
        let missing = get(&world, &eve, &format!("/v1/chats/{nothing}{part}"));
        assert_eq!(foreign.problem(404, "chat.not_found"), missing.problem(404, "chat.not_found"));
    }
}

#[test]
fn not_every_listing_can_be_talked_about() {
    let world = World::new();
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    let listing = world.listing(&ana);
    open(&world, &ana, &listing).problem(409, "chat.own_listing");
    let nothing = "00000000-0000-7000-8000-000000000000";
    open(&world, &bob, nothing).problem(404, "listing.not_found");
    open(&world, &bob, "x").problem(400, "request.invalid");
    let path = format!("/v1/listings/{listing}");
    let sold = Call::new("PATCH", &path).token(&ana.token).json(&json!({ "status": "sold" }));
    world.call(sold).expect(200);
    open(&world, &bob, &listing).problem(409, "listing.closed");
}

#[test]
fn nobody_has_more_chats_than_anybody_may_have() {
    let world = World::with_setting("BARTERLINE_CHAT__CHATS_PER_PERSON", "2");
    let [ana, bob, eve] = ["ana", "bob", "eve"].map(|name| world.person(name));
    let listings = [(); 3].map(|()| world.listing(&ana));
    let row = open(&world, &bob, &listings[0]).expect(201).json();
    open(&world, &eve, &listings[0]).expect(201);
    // The seller has two, the buyers one each.
    open(&world, &eve, &listings[1]).problem(409, "inbox.full");
    assert_eq!(open(&world, &bob, &listings[0]).expect(200).json()["chat"], row["chat"]);
    open(&world, &ana, &world.listing(&bob)).problem(409, "inbox.full");
    open(&world, &eve, &world.listing(&bob)).expect(201);
    let all = get(&world, &eve, "/v1/chats").expect(200).json();
    assert_eq!(all["rows"].as_array().map(Vec::len), Some(2));
}

#[test]
fn the_inbox_comes_in_pages_the_newest_change_first() {
    let world = World::new();
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    let opened = (0..3).map(|_| {
        let row = open(&world, &bob, &world.listing(&ana)).expect(201).json();
        row["chat"].clone()
    });
    let mut opened: Vec<Value> = opened.collect();
    opened.reverse();
    let chats = |page: &Value| {
        let rows = page["rows"].as_array().expect("rows").iter();
        rows.map(|row| row["chat"].clone()).collect::<Vec<_>>()
    };
    let all = get(&world, &ana, "/v1/chats").expect(200).json();
    assert_eq!(chats(&all), opened);
    let first = get(&world, &ana, "/v1/chats?limit=2").expect(200).json();
    assert_eq!(chats(&first), opened[..2]);
    let path = format!("/v1/chats?limit=2&before={}", first["next"]);
    assert_eq!(chats(&get(&world, &ana, &path).expect(200).json()), opened[2..]);
    world.get("/v1/chats").problem(401, "token.invalid");
}

#[tokio::test]
async fn unread_messages_add_up_over_all_chats() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let eve = world.person("eve");
    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    let mut seller = world.device(&bob, Encoding::MsgPack).await;
    let mut other = world.device(&eve, Encoding::MsgPack).await;
    let row = other.opens(&world.listing(&bob)).await;
    let unread = |person: &Person| {
        let answer = world.call(Call::new("GET", "/v1/unread").token(&person.token)).expect(200);
        let answer = answer.json();
        (answer["chats"].as_u64(), answer["messages"].as_u64())
    };
    assert_eq!(unread(&bob), (Some(0), Some(0)));
    for words in ["one", "two"] {
        buyer.tells(chat, words).await;
    }
    other.tells(row.chat, "three").await;
    assert_eq!(unread(&bob), (Some(2), Some(3)));
    assert_eq!(unread(&ana), (Some(0), Some(0)));
    seller.moves_marks(chat, 2, 1).await;
    assert_eq!(unread(&bob), (Some(2), Some(2)));
    seller.moves_marks(row.chat, 1, 1).await;
    assert_eq!(unread(&bob), (Some(1), Some(1)));
    world.get("/v1/unread").problem(401, "token.invalid");
}
