//! /v1/sessions

use std::time::Duration;

use barterline::auth::keyring::Keyring;
use barterline::auth::token::Tokens;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::SessionId;
use serde_json::json;

use crate::support::{Answer, Call, World};

fn me(world: &World, token: &str) -> Answer {
    world.call(Call::new("GET", "/v1/accounts/me").token(token))
}

#[test]
fn people_log_in_and_out() {
    let world = World::new();
    let ana = world.person("ana");
    me(&world, &ana.token).expect(200);
    let call = || Call::new("DELETE", "/v1/sessions/current").token(&ana.token);
    assert_eq!(world.call(call()).expect(204).body, "");
    world.call(call()).problem(401, "token.invalid");
    me(&world, &ana.token).problem(401, "token.invalid");
    let body = json!({ "refresh_token": ana.refresh_token });
    world.post("/v1/sessions/refresh", &body).problem(401, "refresh.invalid");
}

#[test]
fn a_session_is_told_to_no_cache() {
    let world = World::new();
    world.register("ana").expect(201);
    let body = json!({ "email": world.email("Ana"), "password": "correct horse" });
    let answer = world.post("/v1/sessions", &body).expect(201);
    assert_eq!(answer.headers["cache-control"], "no-store");
    let session = answer.json();
    assert_eq!(session["token_type"], "Bearer");
    let ends = |key: &str| session[key].as_u64().expect("a time");
    assert!(ends("access_expires_at") < ends("refresh_expires_at"));
}

#[test]
fn wrong_address_and_wrong_password_are_one_answer() {
    let world = World::new();
    world.register("ana").expect(201);
    let check = |email: &str, password: &str| {
        let body = json!({ "email": email, "password": password });
        world.post("/v1/sessions", &body).problem(401, "login.failed")
    };
    let wrong = check(&world.email("ana"), "incorrect horse");
    assert_eq!(check(&world.email("bob"), "correct horse"), wrong);
    assert_eq!(check("no address", "correct horse"), wrong);
    assert_eq!(check(&world.email("ana"), "x"), wrong);
}

#[test]
fn a_refresh_token_is_good_once_and_its_copy_ends_the_session() {
    let world = World::new();
    let ana = world.person("ana");
    let refresh =
        |token: &str| world.post("/v1/sessions/refresh", &json!({ "refresh_token": token }));
    let next = refresh(&ana.refresh_token).expect(200).json();
    let token = next["access_token"].as_str().expect("a token");
    me(&world, token).expect(200);
    refresh(&ana.refresh_token).problem(401, "refresh.invalid");
    me(&world, token).problem(401, "token.invalid");
    refresh(next["refresh_token"].as_str().expect("a token")).problem(401, "refresh.invalid");
    for junk in ["", "x", "\u{1f6b2}", &"A".repeat(64), &"A".repeat(5_000)] {
        refresh(junk).problem(401, "refresh.invalid");
    }
}

#[test]
fn a_token_that_is_none_is_refused_with_a_challenge() {
    let world = World::new();
    let ana = world.person("ana");
    for token in ["x", "v4.public.", &format!("{}x", ana.token), &ana.refresh_token] {
        let answer = me(&world, token);
        assert_eq!(answer.headers["www-authenticate"], "Bearer error=\"invalid_token\"");
        answer.problem(401, "token.invalid");
    }
    for header in ["", "Basic YTpi", "Bearer", &ana.token] {
        let call = Call::new("GET", "/v1/accounts/me").header("authorization", header);
        world.call(call).problem(401, "token.invalid");
    }
    world.get("/v1/accounts/me").problem(401, "token.invalid");
    // The scheme's case does not count (RFC 9110, section 11.1).
    let header = format!("bearer {}", ana.token);
    world.call(Call::new("GET", "/v1/accounts/me").header("authorization", &header)).expect(200);
}

#[test]
fn a_token_that_has_ended_says_so() {
    let world = World::new();
    let ana = world.person("ana");
    let keys = Keyring::open(&world.data().join("keys/access-tokens.json")).expect("keys");
    let user = ana.id.parse().expect("an id");
    let session = SessionId::from_bytes([7; 16]);
    let long_ago = Timestamp::from_millis(1);
    let (token, _) = Tokens::new(keys).issue(user, session, &[], long_ago, Duration::ZERO);
    me(&world, &token).problem(401, "token.expired");
}

#[test]
fn a_session_outlives_the_server() {
    let world = World::new();
    let ana = world.person("ana");
    let world = world.restart();
    me(&world, &ana.token).expect(200);
}
