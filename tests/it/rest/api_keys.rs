//! /v1/api-keys, and what their bearers may do

use std::time::Duration;

use barterline_domain::clock::Timestamp;
use barterline_protocol::close_code::CloseCode;
use barterline_protocol::error_code::ErrorCode;
use barterline_protocol::request::{Mark, Open, SetSettings};
use barterline_protocol::{Encoding, Outgoing, Request};
use serde_json::{Value, json};

use crate::support::socket::{fresh_id, hello, text};
use crate::support::{Answer, Call, Person, World};

const EVERYTHING: [&str; 6] = [
    "chats:read",
    "chats:write",
    "listings:read",
    "listings:write",
    "profile:read",
    "profile:write",
];

/// Makes a request anew.
type Make<'a> = Box<dyn Fn() -> Call + 'a>;

fn key(scopes: &[&str]) -> Value {
    json!({ "name": "robot", "scopes": scopes, "password": "correct horse" })
}

fn make(world: &World, owner: &Person, body: &Value) -> Answer {
    world.call(Call::new("POST", "/v1/api-keys").token(&owner.token).json(body))
}

/// A new key of a person with these scopes: what to show, and its id.
fn made(world: &World, owner: &Person, scopes: &[&str]) -> (String, String) {
    let made = make(world, owner, &key(scopes)).expect(201).json();
    let text = |field: &str| made[field].as_str().expect(field).to_owned();
    (text("secret"), text("id"))
}

fn ask(world: &World, token: &str, method: &str, path: &str) -> Answer {
    world.call(Call::new(method, path).token(token))
}

#[test]
fn a_key_is_told_once_listed_and_taken_back() {
    let world = World::new();
    let (ana, bea) = (world.person("ana"), world.person("bea"));
    let answer = make(&world, &ana, &key(&["chats:read", "profile:read", "chats:read"]));
    let answer = answer.expect(201);
    assert_eq!(answer.headers["cache-control"], "no-store");
    let made = answer.json();
    assert_eq!(
        (&made["name"], &made["scopes"]),
        (&json!("robot"), &json!(["chats:read", "profile:read"]))
    );
    let time = |field: &str| Timestamp::from_millis(made[field].as_u64().expect(field));
    assert_eq!(time("expires_at").since(time("created_at")), Duration::from_hours(365 * 24));
    let secret = made["secret"].as_str().expect("a secret");
    assert!(secret.starts_with("blk_"), "{secret}");

    let me = ask(&world, secret, "GET", "/v1/accounts/me").expect(200).json();
    assert_eq!(me["id"], json!(ana.id));
    let listed = ask(&world, &ana.token, "GET", "/v1/api-keys").expect(200);
    assert!(!listed.body.contains(secret) && !listed.body.contains("secret"), "{}", listed.body);
    assert_eq!(listed.json()["keys"][0]["id"], made["id"]);
    assert_eq!(ask(&world, &bea.token, "GET", "/v1/api-keys").json()["keys"], json!([]));

    let path = format!("/v1/api-keys/{}", made["id"].as_str().expect("an id"));
    ask(&world, &bea.token, "DELETE", &path).problem(404, "key.not_found");
    ask(&world, secret, "GET", "/v1/accounts/me").expect(200);
    for _ in 0..2 {
        ask(&world, &ana.token, "DELETE", &path).expect(204);
        ask(&world, secret, "GET", "/v1/accounts/me").problem(401, "token.invalid");
    }
    assert_eq!(ask(&world, &ana.token, "GET", "/v1/api-keys").json()["keys"], json!([]));
}

#[test]
fn a_key_permits_what_its_scopes_say() {
    let world = World::new();
    let (ana, bea) = (world.person("ana"), world.person("bea"));
    let listing = world.listing(&bea);
    let listing = json!({ "listing": listing });
    let open = Call::new("POST", "/v1/chats").token(&ana.token);
    let opened = world.call(open.json(&listing)).expect(201).json();
    let chat = opened["chat"].as_str().expect("a chat");
    let reads = |path: &str| Call::new("GET", path);
    let writes = |method: &str, path: &str, body: &Value| Call::new(method, path).json(body);
    let events = format!("/v1/chats/{chat}/events");
    let say = json!({ "kind": "text", "text": "Hello" });
    let named = |path: &str, body: &Value| {
        writes("POST", path, body).header("idempotency-key", &fresh_id().to_string())
    };
    let price = json!({ "minor": 100, "currency": "EUR" });
    let sale = json!({ "title": "A bike", "description": "", "price": price });
    let reason = json!({ "reason": "spam" });
    let own = format!("/v1/listings/{}", world.listing(&ana));
    let reports = format!("/v1/chats/{chat}/reports");
    let marks = json!({ "device": ana.id, "delivered": 0, "read": 0 });
    let doors: Vec<(&str, Make<'_>)> = vec![
        ("chats:read", Box::new(|| reads("/v1/chats"))),
        ("chats:read", Box::new(|| reads(&format!("/v1/chats/{chat}")))),
        ("chats:read", Box::new(|| reads(&events))),
        ("chats:read", Box::new(|| reads("/v1/unread"))),
        ("chats:read", Box::new(|| reads("/v1/sync"))),
        ("chats:write", Box::new(|| writes("POST", "/v1/chats", &listing))),
        ("chats:write", Box::new(|| named(&events, &say))),
        ("chats:write", Box::new(|| named(&reports, &reason))),
        ("chats:write", Box::new(|| writes("PUT", &format!("/v1/chats/{chat}/marks"), &marks))),
        ("listings:write", Box::new(|| writes("POST", "/v1/listings", &sale))),
        ("listings:write", Box::new(|| writes("PATCH", &own, &json!({ "title": "A bike" })))),
        ("profile:read", Box::new(|| reads("/v1/accounts/me"))),
        ("profile:write", Box::new(|| writes("PATCH", "/v1/accounts/me", &json!({ "bio": "" })))),
    ];
    for given in EVERYTHING {
        let (secret, _) = made(&world, &ana, &[given]);
        for (n, (scope, door)) in doors.iter().enumerate() {
            let answer = world.call(door().token(&secret));
            if *scope == given {
                assert!((200..300).contains(&answer.status), "{given} {n}: {}", answer.body);
            } else {
                let refused = answer.problem(403, "key.out_of_scope");
                assert!(refused["detail"].to_string().contains(scope), "{given} {n}: {refused}");
            }
        }
    }
}

#[test]
fn what_concerns_the_account_takes_a_log_in() {
    let world = World::new();
    let ana = world.person("ana");
    let (secret, id) = made(&world, &ana, &EVERYTHING);
    let password = json!({ "present": "correct horse", "new": "battery staple" });
    let email = json!({ "email": "new@example.org", "password": "correct horse" });
    let nobody = json!({});
    let known = json!({ "password": "correct horse" });
    let both = json!({ "password": "correct horse", "code": "000000" });
    let session = format!("/v1/sessions/{}", ana.id);
    let end = format!("{session}/end");
    for (method, path, body) in [
        ("PUT", "/v1/accounts/me/password", &password),
        ("PUT", "/v1/accounts/me/email", &email),
        ("GET", "/v1/sessions", &nobody),
        ("POST", "/v1/sessions/end", &nobody),
        ("POST", "/v1/sessions/end", &json!({ "password": "correct horse", "except": "current" })),
        ("DELETE", "/v1/sessions/current", &nobody),
        ("POST", &end, &nobody),
        ("PATCH", &session, &json!({ "name": null })),
        ("GET", "/v1/api-keys", &nobody),
        ("POST", "/v1/api-keys", &key(&["chats:read"])),
        ("DELETE", &format!("/v1/api-keys/{id}"), &nobody),
        ("GET", "/v1/accounts/me/second-factor", &nobody),
        ("POST", "/v1/accounts/me/second-factor", &known),
        ("POST", "/v1/accounts/me/second-factor/confirm", &both),
        ("POST", "/v1/accounts/me/second-factor/recovery-codes", &both),
        ("POST", "/v1/accounts/me/second-factor/end", &both),
        ("DELETE", &format!("/v1/accounts/{}/second-factor", ana.id), &nobody),
        ("PUT", &format!("/v1/accounts/{}/suspension", ana.id), &nobody),
        ("PUT", &format!("/v1/accounts/{}/roles", ana.id), &json!({ "roles": ["admin"] })),
        ("GET", "/v1/reports", &nobody),
        ("GET", "/v1/audit", &nobody),
    ] {
        let answer = world.call(Call::new(method, path).token(&secret).json(body));
        assert_eq!(answer.status, 403, "{method} {path}: {}", answer.body);
        answer.problem(403, "key.log_in_only");
    }
    ask(&world, &ana.token, "GET", "/v1/accounts/me").expect(200);
    world.log_in("ana");
}

#[test]
fn a_key_that_cannot_be_is_not_made() {
    let world = World::new();
    let ana = world.person("ana");
    let check = |change: &Value, status: u16, code: &str| {
        let mut body = key(&["chats:read"]);
        for (field, value) in change.as_object().expect("fields") {
            body[field] = value.clone();
        }
        make(&world, &ana, &body).problem(status, code);
    };
    check(&json!({ "password": "incorrect horse" }), 403, "password.wrong");
    check(&json!({ "password": "x" }), 403, "password.wrong");
    check(&json!({ "name": " " }), 422, "key.name_invalid");
    check(&json!({ "scopes": [] }), 422, "key.scope_invalid");
    check(&json!({ "scopes": ["chats:read", "chats:rule"] }), 422, "key.scope_invalid");
    check(&json!({ "expires_at": 1 }), 422, "key.end_invalid");
    check(&json!({ "expires_at": 9_007_199_254_740_991_u64 }), 422, "key.end_invalid");
    check(&json!({ "expire_at": 1 }), 400, "request.invalid");
    let without = json!({ "name": "robot", "scopes": ["chats:read"] });
    make(&world, &ana, &without).problem(400, "request.invalid");
    assert_eq!(ask(&world, &ana.token, "GET", "/v1/api-keys").json()["keys"], json!([]));
}

#[test]
fn nobody_has_more_keys_than_a_few() {
    let world = World::with_setting("BARTERLINE_LIMITS__ENABLED", "false");
    let ana = world.person("ana");
    for _ in 0..64 {
        make(&world, &ana, &key(&["chats:read"])).expect(201);
    }
    make(&world, &ana, &key(&["chats:read"])).problem(409, "key.too_many");
    let keys = ask(&world, &ana.token, "GET", "/v1/api-keys").json();
    let first = keys["keys"][0]["id"].as_str().expect("an id").to_owned();
    ask(&world, &ana.token, "DELETE", &format!("/v1/api-keys/{first}")).expect(204);
    make(&world, &ana, &key(&["chats:read"])).expect(201);
}

#[test]
fn what_is_no_key_or_one_of_somebody_kept_out_is_refused() {
    let world = World::new();
    let ana = world.person("ana");
    let (secret, _) = made(&world, &ana, &EVERYTHING);
    let swapped = format!("{}{}", &secret[..secret.len() - 3], "AAA");
    let other = format!("blk_{}", "A".repeat(64));
    for wrong in [&swapped, &other, &secret[4..].to_owned(), &format!("{secret}A")] {
        ask(&world, wrong, "GET", "/v1/accounts/me").problem(401, "token.invalid");
    }
    world.staff("PUT", &format!("/accounts/{}/suspension", ana.id)).expect(204);
    ask(&world, &secret, "GET", "/v1/accounts/me").problem(403, "account.suspended");
    world.staff("DELETE", &format!("/accounts/{}/suspension", ana.id)).expect(204);
    ask(&world, &secret, "GET", "/v1/accounts/me").expect(200);
}

#[test]
fn a_key_has_requests_of_its_own_and_strangers_keys_have_those_of_their_address() {
    let settings = [
        ("BARTERLINE_LIMITS__REQUESTS_PER_MINUTE", "10"),
        ("BARTERLINE_LIMITS__REQUESTS_BURST", "10"),
    ];
    let world = World::with_settings(&settings);
    let ana = world.person("ana");
    let (secret, _) = made(&world, &ana, &["profile:read"]);
    let left = |answer: &Answer| answer.headers["ratelimit"].clone();
    let first = ask(&world, &secret, "GET", "/v1/accounts/me").expect(200);
    assert!(left(&first).contains("r=9"), "{}", left(&first));
    // The address is used up by keys that are none, and the account by its owner.
    let other = format!("blk_{}", "A".repeat(64));
    let refused = (0..50).map(|_| ask(&world, &other, "GET", "/v1/accounts/me"));
    let refused: Vec<_> = refused.map(|answer| answer.status).collect();
    assert_eq!(refused.last(), Some(&429), "{refused:?}");
    while ask(&world, &ana.token, "GET", "/v1/accounts/me").status != 429 {}
    let second = ask(&world, &secret, "GET", "/v1/accounts/me").expect(200);
    assert!(left(&second).contains("r=8"), "{}", left(&second));
}

#[tokio::test]
async fn a_program_with_a_key_talks_over_a_socket_until_the_key_is_taken_back() {
    for encoding in Encoding::ALL {
        let world = World::new();
        let (buyer, seller, chat) = world.chat().await;
        let (secret, id) = made(&world, &buyer, &["chats:read", "chats:write"]);
        let (mut robot, _) = world.opening(hello(&secret), encoding).await;
        let mut seller = world.device(&seller, encoding).await;
        robot.tells(chat, "from a robot").await;
        assert_eq!(seller.event().await.text.as_deref(), Some("from a robot"));
        // Renewing by the same key is no change; by another it is refused.
        assert!(matches!(robot.renews(&secret).await, Outgoing::Authed(_)));
        assert!(matches!(robot.renews(&buyer.token).await, Outgoing::Error(_)));
        // Choices about the person are not about chats.
        let settings = SetSettings { shows_read: Some(false), shows_presence: None };
        let asked = robot.ask(Request::Settings(settings)).await;
        let Outgoing::Error(refused) = robot.answer(asked).await else { panic!("no refusal") };
        assert_eq!(refused.code, ErrorCode::OutOfScope.name());
        ask(&world, &buyer.token, "DELETE", &format!("/v1/api-keys/{id}")).expect(204);
        robot.is_closed(CloseCode::SessionRevoked).await;
        let mut late = world.dial(encoding).await;
        late.ask(Request::Hello(hello(&secret))).await;
        late.is_closed(CloseCode::SessionRevoked).await;
    }
}

#[tokio::test]
async fn a_key_that_may_not_write_or_read_does_not() {
    let world = World::new();
    let (buyer, _, chat) = world.chat().await;
    let (reads, _) = made(&world, &buyer, &["chats:read"]);
    let (writes, _) = made(&world, &buyer, &["chats:write"]);
    let mut deaf = world.dial(Encoding::Json).await;
    deaf.ask(Request::Hello(hello(&writes))).await;
    deaf.is_closed(CloseCode::OutOfScope).await;
    let (mut mute, _) = world.opening(hello(&reads), Encoding::Json).await;
    let listing = world.listing(&world.person("carl")).parse().expect("an id");
    for request in [
        Request::Send(text(chat, 0, "not from me")),
        Request::Mark(Mark { chat, delivered: None, read: None }),
        Request::Open(Open { listing }),
    ] {
        let asked = mute.ask(request).await;
        let Outgoing::Error(refused) = mute.answer(asked).await else { panic!("no refusal") };
        assert_eq!(refused.code, ErrorCode::OutOfScope.name());
    }
    let events = format!("/v1/chats/{chat}/events");
    assert_eq!(ask(&world, &reads, "GET", &events).json()["events"], json!([]));
}
