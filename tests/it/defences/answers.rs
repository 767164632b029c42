//! What every answer bears.

use serde_json::json;
use uuid::Uuid;

use crate::support::tls::Certificate;
use crate::support::{Answer, Call, World};

#[track_caller]
fn is_hardened(answer: &Answer) {
    let policy = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'";
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", policy),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(answer.headers.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert!(answer.headers.contains_key("cache-control"));
    assert!(answer.headers.contains_key("x-request-id"));
}

#[test]
fn every_answer_tells_browsers_what_they_must_not_do() {
    let world = World::new();
    let ana = world.person("ana");
    let listing = world.listing(&ana);
    let own = world.call(Call::new("GET", "/v1/accounts/me").token(&ana.token)).expect(200);
    assert_eq!(own.headers["cache-control"], "no-store", "what is somebody's is kept by no cache");
    let seen = world.get(&format!("/v1/listings/{listing}")).expect(200);
    assert_eq!(seen.headers["cache-control"], "no-cache", "what has a version is asked for anew");
    let known = Call::new("GET", &format!("/v1/listings/{listing}"));
    let known = known.header("if-none-match", &seen.headers["etag"]);
    for answer in [
        own,
        seen,
        world.call(known).expect(304),
        world.get("/v1/nothing").expect(404),
        world.call(Call::new("PUT", "/v1/listings")).expect(405),
        world.get("/v1/accounts/me").expect(401),
        world.post("/v1/listings", &json!({})).expect(401),
        world.call(Call::new("POST", "/v1/sessions").body("{}")).expect(415),
        world.get("/v1/socket").expect(426),
        world.call(Call::upgrade().header("origin", "https://evil.example")).expect(403),
        Call::new("GET", "/health/live").send(world.admin).expect(200),
        Call::new("GET", "/status").send(world.admin).expect(401),
        Call::new("GET", "/nothing").send(world.admin).expect(404),
    ] {
        is_hardened(&answer);
        assert!(!answer.headers.contains_key("strict-transport-security"));
    }
}

#[test]
fn under_tls_browsers_are_told_to_stay_there() {
    let world = World::secured(&Certificate::new(), &[]);
    let answer = world.get("/v1/nothing");
    is_hardened(&answer);
    assert_eq!(answer.headers["strict-transport-security"], "max-age=31536000");
    let plain = Call::new("GET", "/v1/nothing").send(world.listening);
    assert!(!plain.headers.contains_key("strict-transport-security"));
}

#[test]
fn subdomains_are_to_stay_under_tls_where_the_operator_says_so() {
    let settings = [
        ("BARTERLINE_SERVER__TLS_SUBDOMAINS", "true"),
        ("BARTERLINE_SERVER__TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let world = World::secured(&Certificate::new(), &settings);
    let policy = "max-age=31536000; includeSubDomains";
    for answer in [world.get("/v1/nothing"), world.call(Call::new("GET", "/v1/accounts/me"))] {
        assert_eq!(answer.headers["strict-transport-security"], policy);
    }
    // TLS that ends at a proxy is TLS.
    let call = |scheme: &str| {
        let call = Call::new("GET", "/v1/nothing").header("x-forwarded-for", "192.0.2.7");
        call.header("x-forwarded-proto", scheme).send(world.listening)
    };
    assert_eq!(call("https").headers["strict-transport-security"], policy);
    assert!(!call("http").headers.contains_key("strict-transport-security"));
}

#[test]
fn every_request_has_a_name_and_a_client_may_give_it() {
    let world = World::new();
    let call =
        |name: &str| world.call(Call::new("GET", "/v1/nothing").header("x-request-id", name));
    let named = call("checkout-7.b_1");
    assert_eq!(named.headers["x-request-id"], "checkout-7.b_1");
    assert_eq!(named.json()["request_id"], "checkout-7.b_1");
    for odd in ["a b", "\"}{", "<script>", &"x".repeat(65), ""] {
        let answer = call(odd);
        let name = &answer.headers["x-request-id"];
        let ours = Uuid::parse_str(name).expect("a name of ours");
        assert_eq!(ours.get_version_num(), 7, "{odd}");
        assert_eq!(answer.json()["request_id"], *name);
    }
}

#[test]
fn long_answers_are_compressed_for_whoever_wants_that() {
    let world = World::new();
    let ana = world.person("ana");
    let body = json!({
        "title": "Bike",
        "description": "Good brakes. ".repeat(500),
        "price": { "minor": 1, "currency": "EUR" },
    });
    let call = Call::new("POST", "/v1/listings").token(&ana.token).json(&body);
    let listing = world.call(call).expect(201).json();
    let path = format!("/v1/listings/{}", listing["id"].as_str().expect("an id"));
    let plain = world.get(&path).expect(200);
    assert!(!plain.headers.contains_key("content-encoding"));
    for encoding in ["gzip", "br"] {
        let answer = world.call(Call::new("GET", &path).header("accept-encoding", encoding));
        assert_eq!(answer.headers["content-encoding"], encoding);
        assert!(answer.headers["vary"].contains("accept-encoding"));
        assert!(answer.body.len() < plain.body.len() / 4, "{encoding}");
    }
    let log_in = json!({ "email": world.email("ana"), "password": "correct horse" });
    let call = Call::new("POST", "/v1/sessions").header("accept-encoding", "gzip, br");
    let tokens = world.call(call.json(&log_in)).expect(201);
    assert!(!tokens.headers.contains_key("content-encoding"));
    assert_eq!(tokens.headers["cache-control"], "no-store");
}
