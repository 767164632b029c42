//! Requests that are no requests.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::support::http::raw;
use crate::support::{Call, World};

fn post(world: &World, content_type: &str, body: impl Into<Vec<u8>>) -> crate::support::Answer {
    let call = Call::new("POST", "/v1/sessions").header("content-type", content_type);
    world.call(call.body(body))
}

#[test]
fn a_body_is_json_and_sound() {
    let world = World::new();
    let check = |body: &[u8], says: &str| {
        let problem = post(&world, "application/json", body).problem(400, "request.invalid");
        let detail = problem["detail"].as_str().expect("words");
        assert!(detail.contains(says), "{detail}");
        assert!(!detail.contains("hunter2"), "{detail}");
    };
    check(b"", "ends early");
    check(b"{", "ends early");
    check(b"hunter2", "not JSON at line 1");
    check(b"{}", "missing field `email`");
    check(br#"{"email":"a@b.c","password":{"hunter2":1}}"#, "expected a string");
    check(br#"{"email":"hunter2","email":"x"}"#, "duplicate field `email`");
    check(&[b'{', 0xff, b'}'], "not JSON");
    check(br#"["a@b.c", "hunter2", null]"#, "has to be an object");
    check(b" \n[]", "has to be an object");
    check("[".repeat(100_000).as_bytes(), "has to be an object");
    check(format!("{{\"email\":{}", "[".repeat(100_000)).as_bytes(), "expected a string");
    check(format!("{{\"x\":{}", "[".repeat(60_000)).as_bytes(), "ends early");
}

#[test]
fn a_body_says_what_it_is() {
    let world = World::new();
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/json5"] {
        post(&world, content_type, "{}").problem(415, "request.media_type");
    }
    let call = Call::new("POST", "/v1/sessions").body("{}");
    world.call(call).problem(415, "request.media_type");
}

#[test]
fn a_body_is_bounded_declared_or_not() {
    let world = World::new();
    let large = "x".repeat(256 * 1024 + 1);
    post(&world, "application/json", large.clone()).problem(413, "request.too_large");
    // A length that lies is refused before a byte of the body has come.
    let head = "POST /v1/sessions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
                content-type: application/json\r\n";
    let lying = format!("{head}content-length: 99999999999\r\n\r\n");
    raw(world.listening, lying.as_bytes()).problem(413, "request.too_large");
    let chunk = format!("{:x}\r\n{large}\r\n0\r\n\r\n", large.len());
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n{chunk}");
    raw(world.listening, chunked.as_bytes()).problem(413, "request.too_large");
}

#[test]
fn an_unknown_path_and_method_are_named() {
    let world = World::new();
    for path in ["/", "/v1", "/v2/accounts", "/v1/accounts/", "/v1/%ff", "/v1/chats/../accounts"] {
        world.get(path).problem(404, "route.not_found");
    }
    let answer = world.call(Call::new("PUT", "/v1/listings"));
    assert_eq!(answer.headers["allow"], "GET,HEAD,POST");
    answer.problem(405, "route.method_not_allowed");
}

#[test]
fn what_is_no_http_is_refused_and_a_slow_header_is_cut_off() {
    let world = World::with(&[]);
    assert_eq!(raw(world.listening, b"\x16\x03\x01\x02\x00\x01\r\n\r\n").status, 400);
    assert_eq!(raw(world.listening, b"GET / HTTP/9.9\r\n\r\n").status, 400);
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(20_000));
    let refused = raw(world.listening, long.as_bytes()).status;
    assert!([414, 431].contains(&refused), "{refused}");
}

#[test]
fn a_request_that_never_ends_ends() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("barterline.toml");
    let settings = "[server]\nheader_timeout_ms = 200\nrequest_timeout_ms = 200\n";
    std::fs::write(&file, settings).expect("a file");
    let world = World::with(&["--config", file.to_str().expect("a path")]);
    // Half a header: the connection is closed without an answer.
    let mut slow = TcpStream::connect(world.listening).expect("a connection");
    slow.write_all(b"GET / HTTP/1.1\r\nhost:").expect("half a header");
    let mut answer = Vec::new();
    slow.read_to_end(&mut answer).expect("an end");
    // Half a body: an answer.
    let half = "POST /v1/sessions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                content-length: 10\r\n\r\n{";
    raw(world.listening, half.as_bytes()).problem(408, "request.timeout");
}
