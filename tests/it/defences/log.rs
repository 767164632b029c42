//! What the log has of a request, and what it never has.

use std::io::Write as _;
use std::net::TcpStream;

use barterline_domain::event::Seq;
use barterline_protocol::close_code::CloseCode;
use barterline_protocol::request::Send;
use barterline_protocol::{Encoding, Request};
use rustix::process::{Resource, Rlimit, prlimit};
use serde_json::{Value, json};

use crate::rest::second_factor;
use crate::support::socket::{fresh_id, hello};
use crate::support::{Call, World, embedded_only};

/// The lines of the log about requests, of which there is one of each name.
fn lines(world: &World, name: &str) -> Vec<Value> {
    let log = world.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["fields"]["id"] == name).collect()
}

#[test]
fn every_request_has_a_line_where_machines_read_the_log() {
    let world = World::logged(&[("BARTERLINE_SERVER__TRUSTED_PROXIES", "127.0.0.1")]);
    let ana = world.person("ana");
    let listing = world.listing(&ana);
    let path = format!("/v1/listings/{listing}?secret=hunter2");
    let call = Call::new("GET", &path).token(&ana.token).header("x-request-id", "the-one");
    let answer = world.call(call.header("x-forwarded-for", "192.0.2.77")).expect(200);
    world.until_logged("the-one");
    let found = lines(&world, "the-one");
    let [line] = &found[..] else { panic!("{found:?}") };
    assert_eq!(line["target"], "barterline::access");
    let fields = &line["fields"];
    assert_eq!(fields["method"], "GET");
    assert_eq!(fields["route"], "/v1/listings/{id}");
    assert_eq!(fields["status"], 200);
    assert_eq!(fields["bytes"], answer.body.len());
    assert_eq!(fields["client"], "192.0.2.0", "not all of it");
    assert_eq!(fields["user"], *ana.id);
    assert!(fields["took_us"].is_u64());
    assert!(!world.log().contains("hunter2"));
}

#[test]
fn a_terminal_is_not_filled_with_requests_and_addresses_can_be_left_out() {
    let world = World::logged(&[("BARTERLINE_LOG__ACCESS", "never")]);
    world.get("/v1/nothing").expect(404);
    let silent = world.log();
    assert!(!silent.contains("barterline::access"), "{silent}");

    let world = World::logged(&[("BARTERLINE_LOG__ADDRESSES", "none")]);
    world.call(Call::new("GET", "/v1/nothing").header("x-request-id", "the-one"));
    world.until_logged("the-one");
    assert_eq!(lines(&world, "the-one")[0]["fields"].get("client"), None);
}

#[test]
fn no_secret_is_ever_logged() {
    let world =
        World::logged(&[("BARTERLINE_LOG__LEVEL", "debug"), ("BARTERLINE_LOG__ACCESS", "never")]);
    let body = json!({ "email": world.email("ana"), "password": "hunter2 hunter2", "name": "Ana" });
    world.post("/v1/accounts", &body).expect(201);
    let session = world.post("/v1/sessions", &body).expect(201).json();
    let text = |key: &str| session[key].as_str().expect("a token").to_owned();
    let (access, refresh) = (text("access_token"), text("refresh_token"));
    world.call(Call::new("GET", "/v1/accounts/me").token(&access)).expect(200);
    let refreshed = |token: &str| {
        world.post("/v1/sessions/refresh", &json!({ "refresh_token": token })).expect(200).json()
    };
    let next = refreshed(&refresh);
    let last = refreshed(next["refresh_token"].as_str().expect("a token"));
    // The first once more: that is a theft, and told to the operator.
    world.post("/v1/sessions/refresh", &json!({ "refresh_token": refresh })).expect(401);
    let wrong = json!({ "email": world.email("ana"), "password": ["hunter2 hunter2"] });
    world.post("/v1/sessions", &wrong).expect(400);
    let wrong = json!({ "email": world.email("ana"), "password": "hunter2 hunter3" });
    world.post("/v1/sessions", &wrong).expect(401);
    world.call(Call::new("GET", &format!("/v1/{access}?token={access}")).token("hunter2"));
    let call = Call::new("GET", "/v1/nothing").header("x-request-id", "the-last");
    world.call(call.header("cookie", "hunter2"));
    world.until_logged("the-last");
    let log = world.log();
    assert!(log.contains("\"DEBUG\"") && log.contains("/v1/sessions/refresh"), "{log}");
    for secret in [
        last["access_token"].as_str().expect("a token"),
        last["refresh_token"].as_str().expect("a token"),
        "hunter2",
        &access,
        &refresh,
        next["access_token"].as_str().expect("a token"),
        next["refresh_token"].as_str().expect("a token"),
        &world.email("ana"),
    ] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

#[test]
fn log_ins_have_a_line_each_without_what_was_shown() {
    const SHOP: &str = "https://shop.example";
    let settings = [("BARTERLINE_LOG__LEVEL", "debug"), ("BARTERLINE_SERVER__ORIGINS", SHOP)];
    let world = World::logged(&settings);
    let ana = world.person("ana");
    let (_, paper) = second_factor::turned_on(&world, &ana);
    let email = world.email("ana");
    let log_in = |password: &str, code: &str| {
        let body = json!({ "email": email, "password": password, "code": code, "cookie": true });
        world.call(Call::new("POST", "/v1/sessions").header("origin", SHOP).json(&body))
    };
    log_in("incorrect horse", &paper[0]).problem(401, "login.failed");
    log_in("correct horse", &paper[1].replace(|c: char| c != '-', "a"))
        .problem(403, "second_factor.code_wrong");
    let page = log_in("correct horse", &paper[0]).expect(201);
    let change = json!({ "present": "another horse", "new": "battery staple lamp" });
    let change = Call::new("PUT", "/v1/accounts/me/password").token(&ana.token).json(&change);
    world.call(change).problem(403, "password.wrong");
    let held = page.headers["set-cookie"].split(';').next().expect("a pair").to_owned();
    let refresh = Call::new("POST", "/v1/sessions/refresh").header("origin", SHOP);
    let next = world.call(refresh.header("cookie", &held).json(&json!({}))).expect(200);
    let last = Call::new("GET", "/v1/nothing").header("x-request-id", "the-last");
    world.call(last);
    world.until_logged("the-last");
    let log = world.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let lines: Vec<_> = lines.filter(|line| line["target"] == "barterline::auth").collect();
    let user = json!(ana.id);
    let expected = [
        ("INFO", "logged in", &user, &json!(false)),
        ("WARN", "a wrong password", &user, &Value::Null),
        ("WARN", "a wrong code", &user, &Value::Null),
        ("INFO", "logged in", &user, &json!(true)),
        ("WARN", "a wrong password", &user, &Value::Null),
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:?}");
    for (line, (level, message, user, second_factor)) in lines.iter().zip(expected) {
        let fields = &line["fields"];
        assert_eq!((&line["level"], &fields["message"]), (&json!(level), &json!(message)));
        assert_eq!((&fields["user"], &fields["second_factor"]), (user, second_factor), "{line}");
        assert_eq!(fields["client"], "127.0.0.0", "not all of it");
    }
    let set = next.headers["set-cookie"].split(['=', ';']).nth(1).expect("a token").to_owned();
    let (page, next) = (page.json(), next.json());
    for secret in [
        "horse",
        "battery",
        &paper[0],
        held.split_once('=').expect("a pair").1,
        &set,
        page["access_token"].as_str().expect("a token"),
        next["access_token"].as_str().expect("a token"),
        &ana.token,
        &ana.refresh_token,
        &email,
    ] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

/// What the log has of refusals: code, scope, by what, whose, where.
fn refusals(world: &World) -> Vec<[Value; 5]> {
    let log = world.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let lines = lines.filter(|line| line["target"] == "barterline::refused");
    lines
        .map(|line| {
            assert_eq!(line["fields"]["client"], "127.0.0.0", "not all of it: {line}");
            ["code", "scope", "by", "user", "route"].map(|name| line["fields"][name].clone())
        })
        .collect()
}

#[test]
fn whatever_is_refused_has_a_line_with_whose_it_was_and_by_what() {
    let settings = [
        ("BARTERLINE_LOG__ACCESS", "never"),
        ("BARTERLINE_LIMITS__REFRESHES_BURST", "1"),
        ("BARTERLINE_LIMITS__REFRESHES_PER_MINUTE", "1"),
    ];
    let world = World::logged(&settings);
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    let me = |token: &str| world.call(Call::new("GET", "/v1/accounts/me").token(token));
    // Tokens and keys.
    me("hunter2").problem(401, "token.invalid");
    let shown = json!({ "refresh_token": "hunter2" });
    world.post("/v1/sessions/refresh", &shown).problem(401, "refresh.invalid");
    let body = json!({ "name": "x", "scopes": ["listings:write"], "password": "correct horse" });
    let key = world.call(Call::new("POST", "/v1/api-keys").token(&ana.token).json(&body));
    let key = key.expect(201).json();
    let secret = key["secret"].as_str().expect("a secret");
    // What is not permitted.
    me(secret).problem(403, "key.out_of_scope");
    let staff = Call::new("GET", "/v1/audit").token(&ana.token);
    world.call(staff).problem(403, "permission.denied");
    let listing = world.listing(&bob);
    let edit = Call::new("PATCH", &format!("/v1/listings/{listing}")).token(&ana.token);
    world.call(edit.json(&json!({ "title": "Mine" }))).problem(403, "listing.not_yours");
    let path = format!("/v1/chats/{}", uuid::Uuid::nil());
    world.call(Call::new("GET", &path).token(&ana.token)).problem(404, "chat.not_found");
    // Limits, and what is not sound.
    world.post("/v1/sessions/refresh", &shown).problem(429, "rate.limited");
    world.post("/v1/sessions", &json!({ "email": 7 })).problem(400, "request.invalid");
    // A session that has ended still says whose it was.
    world.call(Call::new("DELETE", "/v1/sessions/current").token(&ana.token)).expect(204);
    me(&ana.token).problem(401, "token.invalid");
    // What is not there for anybody, and what is only over, says nothing of who asks.
    world.get("/v1/nothing").expect(404);

    let (null, user) = (Value::Null, json!(ana.id));
    let [token, by_key] = [json!("token"), json!("key")];
    let expected = [
        ("token.invalid", &null, &token, &null, "/v1/accounts/me"),
        ("refresh.invalid", &null, &null, &null, "/v1/sessions/refresh"),
        ("key.out_of_scope", &null, &by_key, &null, "/v1/accounts/me"),
        ("permission.denied", &null, &token, &user, "/v1/audit"),
        ("listing.not_yours", &null, &token, &user, "/v1/listings/{id}"),
        ("chat.not_found", &null, &token, &user, "/v1/chats/{id}"),
        ("rate.limited", &json!("refreshes"), &null, &null, "/v1/sessions/refresh"),
        ("request.invalid", &null, &null, &null, "/v1/sessions"),
        ("token.invalid", &null, &token, &user, "/v1/accounts/me"),
    ];
    let expected = expected.map(|(code, scope, by, user, route)| {
        [json!(code), scope.clone(), by.clone(), user.clone(), json!(route)]
    });
    // The line is written before the answer is.
    assert_eq!(refusals(&world), expected);
    let log = world.log();
    for secret in ["hunter2", secret, &ana.token, &world.email("ana")] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
    assert!(log.contains(key["id"].as_str().expect("an id")), "which key it was");
    let metrics = Call::new("GET", "/metrics").send(world.admin).expect(200).body;
    assert!(metrics.contains("barterline_refusals_total{kind=\"proof\"} 3"), "{metrics}");
}

#[tokio::test]
async fn what_is_refused_on_a_socket_has_a_line_as_well() {
    let world = World::logged(&[("BARTERLINE_LOG__ACCESS", "never")]);
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    let mut client = world.dial(Encoding::Json).await;
    client.ask(Request::Hello(hello("hunter2"))).await;
    client.is_closed(CloseCode::TokenInvalid).await;
    let mut buyer = world.device(&ana, Encoding::Json).await;
    let mut seller = world.device(&bob, Encoding::Json).await;
    let chat = buyer.opens(&world.listing(&bob)).await.chat;
    let said = buyer.tells(chat, "hunter3").await;
    seller.event().await;
    let target = Some(Seq(said));
    let theirs = Send { target, ..Send::new(chat, fresh_id(), Seq(0), "delete") };
    seller.is_refused(Request::Send(theirs), "target.not_yours").await;
    buyer.says("hunter4").await;
    buyer.is_closed(CloseCode::Malformed).await;
    // A head that is none.
    let mut stranger = TcpStream::connect(world.listening).expect("a connection");
    stranger.write_all(b"hunter5\r\n\r\n").expect("sent");
    world.until_logged("http.head_unsound");
    let (null, token) = (Value::Null, json!("token"));
    let expected = [
        ("token_invalid", &token, &null, "/v1/socket"),
        ("target.not_yours", &token, &json!(bob.id), "/v1/socket"),
        ("malformed", &token, &json!(ana.id), "/v1/socket"),
        ("http.head_unsound", &null, &null, "none"),
    ];
    let expected = expected.map(|(code, by, user, route)| {
        [json!(code), null.clone(), by.clone(), user.clone(), json!(route)]
    });
    assert_eq!(refusals(&world), expected);
    assert!(!world.log().contains("hunter"));
}

#[test]
fn a_failure_of_ours_is_logged_once_with_its_cause_and_its_name() {
    embedded_only!("fills the server's own disk");
    let world = World::logged(&[("BARTERLINE_LOG__ACCESS", "never")]);
    // From here on no write reaches a file.
    let full = Rlimit { current: Some(0), maximum: None };
    prlimit(Some(world.process()), Resource::Fsize, full).expect("a limit");
    let body = json!({ "email": world.email("ana"), "password": "correct horse", "name": "Ana" });
    let call = Call::new("POST", "/v1/accounts").header("x-request-id", "the-one").json(&body);
    // The log is a file, too: what cannot be written into it harms nobody.
    world.call(call).problem(503, "server.unavailable");
    let lifted = Rlimit { current: None, maximum: None };
    prlimit(Some(world.process()), Resource::Fsize, lifted).expect("a limit");
    let call = Call::new("POST", "/v1/accounts").header("x-request-id", "the-other").json(&body);
    world.call(call).problem(503, "server.unavailable");
    world.until_logged("the-other");
    let found = lines(&world, "the-other");
    let [line] = &found[..] else { panic!("{found:?}") };
    assert_eq!((&line["level"], &line["fields"]["status"]), (&json!("WARN"), &json!(503)));
    assert!(line["fields"]["error"].as_str().is_some_and(|cause| !cause.is_empty()), "{line}");
}
