//! /v1/accounts/me/erasure

use barterline_domain::event::Seq;
use barterline_protocol::close_code::CloseCode;
use barterline_protocol::request::Pull;
use barterline_protocol::{Encoding, Request};
use serde_json::{Value, json};

use crate::support::{Answer, Call, Person, World};

fn erase(world: &World, person: &Person, password: &str) -> Answer {
    let call = Call::new("POST", "/v1/accounts/me/erasure").token(&person.token);
    world.call(call.json(&json!({ "password": password })))
}

/// Asks as often as it takes: a slow machine has no time for all of it at once.
pub fn until_erased(erase: impl Fn() -> Answer) {
    for _ in 0..20 {
        if erase().expect(200).json()["done"] == true {
            return;
        }
    }
    panic!("it comes to no end");
}

#[tokio::test]
async fn g6_an_erased_account_says_nothing_any_more_and_numbers_stay() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    let mut seller = world.device(&bob, Encoding::Json).await;
    buyer.tells(chat, "the first secret").await;
    seller.tells(chat, "an answer").await;
    buyer.tells(chat, "the other secret").await;
    let listing = world.listing(&ana);
    let other = world.log_in("ana");
    let mut elsewhere = world.device(&other, Encoding::MsgPack).await;
    let key = json!({ "name": "a bot", "scopes": ["chats:read"], "password": "correct horse" });
    let key = world.call(Call::new("POST", "/v1/api-keys").token(&ana.token).json(&key));
    let key = key.expect(201).json()["secret"].as_str().expect("a key").to_owned();

    erase(&world, &ana, "another horse").problem(403, "password.wrong");
    elsewhere.pings().await;
    until_erased(|| erase(&world, &ana, "correct horse"));

    for client in [&mut buyer, &mut elsewhere] {
        client.is_closed(CloseCode::SessionRevoked).await;
    }
    for token in [&ana.token, &other.token, &key] {
        let call = Call::new("GET", "/v1/chats").token(token);
        world.call(call).problem(401, "token.invalid");
    }
    let refresh = json!({ "refresh_token": ana.refresh_token });
    world.post("/v1/sessions/refresh", &refresh).problem(401, "refresh.invalid");
    let again = json!({ "email": world.email("ana"), "password": "correct horse" });
    world.post("/v1/sessions", &again).problem(401, "login.failed");

    // What the other has is numbered as ever, and hears of each.
    for seq in [1, 3, 4, 5] {
        assert_eq!(seller.event().await.seq, Seq(seq));
    }
    let pull = Pull { chat, after: Some(Seq(0)), before: None, limit: None };
    let asked = seller.ask(Request::Pull(pull)).await;
    let page = format!("{:?}", seller.answer(asked).await);
    assert!(page.contains("an answer") && !page.contains("secret"), "{page}");
    let path = format!("/v1/chats/{chat}/events?after=0");
    let events = world.call(Call::new("GET", &path).token(&bob.token)).expect(200).json();
    let events = events["events"].as_array().expect("events").clone();
    assert_eq!(events.len(), 5, "two were taken back, each by an event");
    assert_eq!(events[0]["gone"], json!(true));

    let profile = world.get(&format!("/v1/accounts/{}", ana.id)).expect(200).json();
    assert_eq!(profile["name"], "Deleted account");
    let listing = world.get(&format!("/v1/listings/{listing}")).expect(200).json();
    let left = |key: &str| listing[key].as_str().unwrap_or_default().to_owned();
    assert_eq!((left("title"), left("status")), ("Deleted listing".into(), "withdrawn".into()));
    seller.tells(chat, "are you there?").await;

    // The address is free, and whoever takes it is somebody else.
    let anew = world.person("ana");
    assert_ne!(anew.id, ana.id);
    let chats = world.call(Call::new("GET", "/v1/chats").token(&anew.token)).expect(200).json();
    assert_eq!(chats["rows"].as_array().map(Vec::len), Some(0), "{chats}");
    let noted: Vec<_> = world.noted(&ana.id).into_iter().map(|(_, action, _)| action).collect();
    assert!(noted.contains(&"account.erase".to_owned()), "{noted:?}");
}

#[test]
fn nobody_is_erased_by_a_key_or_a_guess() {
    let world = World::with_setting("BARTERLINE_LIMITS__ENABLED", "false");
    let ana = world.person("ana");
    let scopes = json!(["profile:read", "profile:write", "chats:write", "listings:write"]);
    let key = json!({ "name": "a bot", "scopes": scopes, "password": "correct horse" });
    let key = world.call(Call::new("POST", "/v1/api-keys").token(&ana.token).json(&key));
    let key: Value = key.expect(201).json();
    let by_key = key["secret"].as_str().expect("a key");
    let call = Call::new("POST", "/v1/accounts/me/erasure").token(by_key);
    world.call(call.json(&json!({ "password": "correct horse" }))).problem(403, "key.log_in_only");
    erase(&world, &ana, "").problem(403, "password.wrong");
    let body = json!({});
    let call = Call::new("POST", "/v1/accounts/me/erasure").token(&ana.token).json(&body);
    world.call(call).problem(403, "password.required");
    let me = world.call(Call::new("GET", "/v1/accounts/me").token(&ana.token)).expect(200).json();
    assert_eq!(me["name"], "ana");
}
