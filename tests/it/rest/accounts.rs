//! /v1/accounts

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Call, World};

const NOBODY: &str = "00000000-0000-4000-8000-000000000000";
/// SHA-1 of `battery staple`.
const LEAKED: &str = "E3FF046AE352440B76336C0DF21CBAB0D9D7E9DA";

#[test]
fn people_register_and_are_seen() {
    let world = World::new();
    let ana = world.register("ana").expect(201).json();
    assert_eq!((&ana["name"], &ana["roles"]), (&json!("ana"), &json!(["user"])));
    let id = ana["id"].as_str().expect("an id");

    let person = world.log_in("ana");
    let me = world.call(Call::new("GET", "/v1/accounts/me").token(&person.token));
    assert_eq!(me.expect(200).json(), ana);

    let seen = world.get(&format!("/v1/accounts/{id}")).expect(200).json();
    let expected = json!({
        "id": id, "name": "ana", "bio": "", "avatar": null, "created_at": ana["created_at"],
    });
    assert_eq!(seen, expected, "nothing else is public");
}

#[test]
fn people_say_who_they_are_and_in_which_language_they_read() {
    let world = World::new();
    let ana = world.person("ana");
    let change = |body: &serde_json::Value| {
        world.call(Call::new("PATCH", "/v1/accounts/me").token(&ana.token).json(body))
    };
    let before = world.call(Call::new("GET", "/v1/accounts/me").token(&ana.token)).json();
    assert_eq!((&before["bio"], &before["locale"]), (&json!(""), &json!(null)));
    let all =
        json!({ "name": " Ana Maria ", "bio": "Bicycles.\nOnly old ones.", "locale": "de-AT" });
    let now = change(&all).expect(200).json();
    assert_eq!(now["name"], "Ana Maria");
    assert_eq!((&now["bio"], &now["locale"]), (&all["bio"], &json!("de-AT")));
    assert_eq!(change(&json!({})).expect(200).json(), now, "what is left out stays");
    let seen = world.get(&format!("/v1/accounts/{}", ana.id)).expect(200).json();
    assert_eq!((&seen["name"], &seen["bio"]), (&now["name"], &now["bio"]));
    assert_eq!(seen.get("locale"), None, "nobody else's business");

    change(&json!({ "name": "\u{202e}anA" })).problem(422, "account.name_invalid");
    change(&json!({ "bio": "x".repeat(1_001) })).problem(422, "account.bio_invalid");
    change(&json!({ "bio": "Old", "locale": "German" })).problem(422, "account.locale_invalid");
    change(&json!({ "nmae": "Ana" })).problem(400, "request.invalid");
    let world = world.restart();
    let me = world.call(Call::new("GET", "/v1/accounts/me").token(&ana.token)).json();
    assert_eq!(me, now, "what was refused changed nothing");
    let call = Call::new("PATCH", "/v1/accounts/me").token(&ana.token);
    let without = world.call(call.json(&json!({ "locale": null, "bio": "" }))).expect(200).json();
    assert_eq!((&without["bio"], &without["locale"]), (&json!(""), &json!(null)));
}

#[test]
fn an_address_is_taken_once() {
    let world = World::new();
    world.register("ana").expect(201);
    world.register("ana").problem(409, "account.email_taken");
    world.register("ANA").problem(409, "account.email_taken");
}

#[test]
fn what_cannot_be_an_account_is_named() {
    let world = World::new();
    let check = |email: &str, password: &str, name: &str, code: &str| {
        let body = json!({ "email": email, "password": password, "name": name });
        let problem = world.post("/v1/accounts", &body).problem(422, code).to_string();
        assert!(!problem.contains(password) || password.is_empty(), "{problem}");
    };
    check("ana", "correct horse", "Ana", "account.email_invalid");
    check("ana@example.org", "shorty1", "Ana", "account.password_too_short");
    check("ana@example.org", &"x".repeat(257), "Ana", "account.password_too_long");
    check("ana@example.org", "correct horse", " ", "account.name_invalid");
}

#[test]
fn a_password_that_is_guessed_soon_is_not_taken_anywhere() {
    let world = World::new();
    let ana = world.person("ana");
    let check = |path: &str, method: &str, body: &Value| {
        let call = Call::new(method, path).token(&ana.token).json(body);
        let problem = world.call(call).problem(422, "account.password_weak");
        assert!(!problem.to_string().contains("Lovelace"), "{problem}");
        problem["detail"].as_str().expect("a reason").to_owned()
    };
    let register = |password: &str| {
        let email = "fahrradfreund@example.org";
        let body = json!({ "email": email, "password": password, "name": "Lovelace" });
        check("/v1/accounts", "POST", &body)
    };
    let common = "this is one of the passwords that are used most";
    assert_eq!(register("iloveyou"), common);
    assert_eq!(register("aaaaaaaaaaaa"), "repeats are easy to guess");
    for known in ["Lovelace1", "fahrradfreund", "fahrradfreund@example.org", "Passw0rd!"] {
        register(known);
    }
    let change = json!({ "present": "correct horse", "new": "password1" });
    check("/v1/accounts/me/password", "PUT", &change);
    world.log_in("ana");
}

#[test]
fn a_password_that_leaked_is_not_taken() {
    let list = format!("{}:7\n{}:12\n{}\n", "0".repeat(40), LEAKED, "F".repeat(40));
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("leaked.txt");
    fs::write(&path, list).expect("a file");
    let path = path.to_str().expect("a path");
    let world = World::with_setting("BARTERLINE_ACCOUNTS__BREACHED_PASSWORDS", path);
    let body = |password: &str| json!({ "email": world.email("ana"), "password": password, "name": "Ana" });
    let refused = world.post("/v1/accounts", &body("battery staple"));
    refused.problem(422, "account.password_breached");
    world.post("/v1/accounts", &body("correct horse")).expect(201);
}

#[test]
fn nobody_is_not_found() {
    let world = World::new();
    world.get(&format!("/v1/accounts/{NOBODY}")).problem(404, "account.not_found");
    world.get(&format!("/v1/accounts/{NOBODY}/listings")).problem(404, "account.not_found");
    world.get("/v1/accounts/me-not").problem(400, "request.invalid");
}

#[test]
fn a_sellers_listings_come_in_pages_the_newest_first() {
    let world = World::new();
    let ana = world.person("ana");
    let mut made: Vec<_> = (0..3).map(|_| world.listing(&ana)).collect();
    made.reverse();
    let page = |query: &str| {
        let path = format!("/v1/accounts/{}/listings{query}", ana.id);
        world.get(&path).expect(200).json()
    };
    let ids = |page: &serde_json::Value| {
        let listings = page["listings"].as_array().expect("listings").iter();
        listings.map(|l| l["id"].as_str().expect("an id").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&page("")), made);
    let first = page("?limit=2");
    assert_eq!(ids(&first), made[..2]);
    let next = first["next"].as_str().expect("another page");
    let second = page(&format!("?limit=2&before={next}"));
    assert_eq!(ids(&second), made[2..]);
    assert_eq!(second["next"], json!(null));
    for query in ["?limit=0", "?limit=101", "?limit=x", "?before=x"] {
        let path = format!("/v1/accounts/{}/listings{query}", ana.id);
        world.get(&path).problem(400, "request.invalid");
    }
}

#[test]
fn a_password_is_changed_by_who_knows_it_and_ends_all_other_sessions() {
    let world = World::new();
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    let log_in = |password: &str| {
        let body = json!({ "email": world.email("ana"), "password": password });
        world.post("/v1/sessions", &body)
    };
    let thief = log_in("correct horse").expect(201).json();
    let change = |token: &str, present: &str, new: &str| {
        let body = json!({ "present": present, "new": new });
        world.call(Call::new("PUT", "/v1/accounts/me/password").token(token).json(&body))
    };
    change(&ana.token, "wrong horse", "battery staple").problem(403, "password.wrong");
    change(&ana.token, "x", "battery staple").problem(403, "password.wrong");
    change(&ana.token, "correct horse", "short").problem(422, "account.password_too_short");
    change("x", "correct horse", "battery staple").problem(401, "token.invalid");
    log_in("correct horse").expect(201);
    let changed = change(&ana.token, "correct horse", "battery staple").expect(200).json();
    assert_eq!(changed, json!({ "sessions_ended": 2 }));
    let body = json!({ "refresh_token": thief["refresh_token"] });
    world.post("/v1/sessions/refresh", &body).problem(401, "refresh.invalid");
    log_in("correct horse").problem(401, "login.failed");
    log_in("battery staple").expect(201);
    for person in [&ana, &bob] {
        world.call(Call::new("GET", "/v1/accounts/me").token(&person.token)).expect(200);
    }
}
