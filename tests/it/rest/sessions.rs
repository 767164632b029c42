//! /v1/sessions

use std::time::Duration;

use barterline::auth::keyring::Keyring;
use barterline::auth::token::Tokens;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::SessionId;
use barterline_protocol::Encoding;
use barterline_protocol::close_code::CloseCode;
use serde_json::{Value, json};

use crate::support::{Answer, Call, Person, World};

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
    // The answer may have been lost: until the next is used, it is given again.
    let again = refresh(&ana.refresh_token).expect(200).json();
    assert_eq!(again["refresh_token"], next["refresh_token"]);
    let next = refresh(next["refresh_token"].as_str().expect("a token")).expect(200).json();
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

/// Logs in once more, as a device with this name.
fn log_in(world: &World, name: &str, device: &str) -> Value {
    let body = json!({ "email": world.email(name), "password": "correct horse", "name": device });
    world.post("/v1/sessions", &body).expect(201).json()
}

fn sessions(world: &World, token: &str) -> Vec<Value> {
    let answer = world.call(Call::new("GET", "/v1/sessions").token(token)).expect(200).json();
    answer["sessions"].as_array().expect("sessions").clone()
}

#[test]
fn people_see_where_they_are_logged_in() {
    let world = World::new();
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    let phone = log_in(&world, "ana", "Ana's phone");
    let seen = sessions(&world, &ana.token);
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert_eq!((&seen[0]["session"], &seen[0]["name"]), (&phone["session"], &json!("Ana's phone")));
    assert_eq!((&seen[0]["current"], &seen[1]["current"]), (&json!(false), &json!(true)));
    assert_eq!(seen[1]["name"], Value::Null);
    assert!(seen[0]["created_at"].as_u64() >= seen[1]["created_at"].as_u64());
    assert!(!seen[0].to_string().contains("hash"), "{seen:?}");
    assert_eq!(sessions(&world, &bob.token).len(), 1);
    world.get("/v1/sessions").problem(401, "token.invalid");
}

#[test]
fn a_session_is_named_by_its_owner_alone() {
    let world = World::new();
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    let phone = log_in(&world, "ana", " Phone ");
    let path = format!("/v1/sessions/{}", phone["session"].as_str().expect("an id"));
    let rename =
        |token: &str, body: &Value| world.call(Call::new("PATCH", &path).token(token).json(body));
    let renamed = rename(&ana.token, &json!({ "name": "Old phone" })).expect(200).json();
    assert_eq!((&renamed["name"], &renamed["session"]), (&json!("Old phone"), &phone["session"]));
    assert_eq!(
        rename(&ana.token, &json!({ "name": null })).expect(200).json()["name"],
        Value::Null
    );
    rename(&bob.token, &json!({ "name": "mine" })).problem(404, "session.not_found");
    rename(&ana.token, &json!({})).problem(400, "request.invalid");
    for wrong in ["", " ", "a\nb", "a\u{202e}b", &"x".repeat(65)] {
        rename(&ana.token, &json!({ "name": wrong })).problem(422, "session.name_invalid");
        let body =
            json!({ "email": world.email("ana"), "password": "correct horse", "name": wrong });
        world.post("/v1/sessions", &body).problem(422, "session.name_invalid");
    }
    assert_eq!(sessions(&world, &ana.token)[0]["name"], Value::Null);
}

#[tokio::test]
async fn one_session_is_ended_from_another_and_its_socket_with_it() {
    let world = World::new();
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    let phone = log_in(&world, "ana", "Phone");
    let text = |key: &str| phone[key].as_str().expect("a text").to_owned();
    let (token, refresh_token) = (text("access_token"), text("refresh_token"));
    let lost = Person { id: ana.id.clone(), token, refresh_token };
    let mut device = world.device(&lost, Encoding::Json).await;
    let path = format!("/v1/sessions/{}/end", phone["session"].as_str().expect("an id"));
    let end =
        |token: &str, shown: &Value| world.call(Call::new("POST", &path).token(token).json(shown));
    let (nothing, password) = (json!({}), json!({ "password": "correct horse" }));
    end(&bob.token, &password).problem(404, "session.not_found");
    // A token that was stolen ends nobody else's.
    end(&ana.token, &nothing).problem(403, "password.required");
    end(&ana.token, &json!({ "password": "incorrect horse" })).problem(403, "password.wrong");
    me(&world, &lost.token).expect(200);
    assert_eq!(end(&ana.token, &password).expect(204).body, "");
    device.is_closed(CloseCode::SessionRevoked).await;
    me(&world, &lost.token).problem(401, "token.invalid");
    end(&ana.token, &password).problem(404, "session.not_found");
    let noted = (ana.id.clone(), "sessions.end".to_owned(), json!({ "sessions": "1" }));
    assert!(world.noted(&ana.id).contains(&noted));
    me(&world, &ana.token).expect(200);
    let left = sessions(&world, &ana.token);
    assert_eq!(left.len(), 1);
    // Its own is a log-out.
    let path = format!("/v1/sessions/{}/end", left[0]["session"].as_str().expect("an id"));
    world.call(Call::new("POST", &path).token(&ana.token).json(&nothing)).expect(204);
    me(&world, &ana.token).problem(401, "token.invalid");
}

#[test]
fn all_sessions_are_ended_with_or_without_the_one_that_asks() {
    let world = World::new();
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    let others = ["one", "two"].map(|device| log_in(&world, "ana", device));
    let end = |body: &Value| {
        world.call(Call::new("POST", "/v1/sessions/end").token(&ana.token).json(body))
    };
    let password = "correct horse";
    for wrong in [json!({ "except": "nobody" }), json!({ "exept": "current" })] {
        end(&wrong).problem(400, "request.invalid");
    }
    for nothing in [json!({}), json!({ "except": "current" })] {
        end(&nothing).problem(403, "password.required");
    }
    let all_others = json!({ "password": password, "except": "current" });
    assert_eq!(end(&all_others).expect(200).json(), json!({ "ended": 2 }));
    for other in &others {
        let body = json!({ "refresh_token": other["refresh_token"] });
        world.post("/v1/sessions/refresh", &body).problem(401, "refresh.invalid");
    }
    assert_eq!(end(&all_others).expect(200).json(), json!({ "ended": 0 }));
    assert_eq!(end(&json!({ "password": password })).expect(200).json(), json!({ "ended": 1 }));
    me(&world, &ana.token).problem(401, "token.invalid");
    me(&world, &bob.token).expect(200);
}

#[test]
fn who_knows_no_token_of_a_session_cannot_end_it() {
    let world = World::new();
    let ana = world.person("ana");
    // The session's id, which is no secret, with a secret of one's own.
    let mut forged = ana.refresh_token.clone();
    forged.replace_range(60.., if forged.ends_with("AAAA") { "BBBA" } else { "AAAA" });
    let body = json!({ "refresh_token": forged });
    world.post("/v1/sessions/refresh", &body).problem(401, "refresh.invalid");
    me(&world, &ana.token).expect(200);
    world.post("/v1/sessions/refresh", &json!({ "refresh_token": ana.refresh_token })).expect(200);
}
