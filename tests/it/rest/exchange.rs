//! /v1/sessions/exchange: tokens of outer issuers for sessions

use serde_json::{Value, json};

use crate::support::provider::{Key, Provider, seconds, unsigned};
use crate::support::{Answer, Call, World};

const AUDIENCE: &str = "market";

/// A server that takes the tokens of an issuer.
fn shop(more: &[(&str, &str)]) -> (World, Provider) {
    let issuer = Provider::new();
    let name = issuer.issuer();
    let keys = format!("{name}/keys");
    let settings = [
        ("BARTERLINE_ISSUERS__OWN__ISSUER", name.as_str()),
        ("BARTERLINE_ISSUERS__OWN__JWKS_URL", &keys),
        ("BARTERLINE_ISSUERS__OWN__AUDIENCE", AUDIENCE),
        ("BARTERLINE_ISSUERS__OWN__NAME_CLAIM", "nickname"),
    ];
    let settings: Vec<_> = settings.iter().chain(more).copied().collect();
    (World::with_settings(&settings), issuer)
}

/// What the issuer says of somebody.
fn claims(world: &World, issuer: &Provider, name: &str) -> Value {
    json!({
        "iss": issuer.issuer(), "aud": [AUDIENCE, "others"], "sub": world.email(name),
        "iat": seconds(0), "nbf": seconds(0), "exp": seconds(300), "nickname": name,
    })
}

fn exchange(world: &World, token: &str) -> Answer {
    world.post("/v1/sessions/exchange", &json!({ "token": token, "name": "laptop" }))
}

/// The session of somebody whom the issuer names.
fn of(world: &World, issuer: &Provider, name: &str) -> Value {
    exchange(world, &issuer.sign(&claims(world, issuer, name))).expect(201).json()
}

fn get(world: &World, session: &Value, path: &str) -> Value {
    let token = session["access_token"].as_str().expect("a token");
    world.call(Call::new("GET", path).token(token)).expect(200).json()
}

#[test]
fn whom_an_issuer_names_has_an_account_and_a_session_as_long_as_the_token() {
    let (world, issuer) = shop(&[]);
    let first = of(&world, &issuer, "ana");
    assert_eq!(get(&world, &first, "/v1/accounts/me")["name"], "ana");
    assert!(first["refresh_token"].is_null());
    // A minute behind the token's end, for clocks that are off.
    let end = |session: &Value| session["access_expires_at"].as_i64().expect("a time") / 1_000;
    assert!((end(&first) - seconds(360)).abs() < 30, "{first}");
    let sessions = get(&world, &first, "/v1/sessions");
    assert_eq!(sessions["sessions"][0]["name"], "laptop");
    assert_eq!(sessions["sessions"][0]["expires_at"], first["access_expires_at"]);
    let identities = get(&world, &first, "/v1/accounts/me/identities");
    assert_eq!(identities["identities"][0]["provider"], "own");

    // However long the token: a session ends after a day.
    let mut long = claims(&world, &issuer, "ana");
    long["exp"] = json!(seconds(1_000_000));
    let again = exchange(&world, &issuer.sign(&long)).expect(201).json();
    assert_eq!((&again["user"], issuer.asked("/keys")), (&first["user"], 1));
    assert!((end(&again) - seconds(86_400)).abs() < 30, "{again}");
    let sessions = get(&world, &again, "/v1/sessions");
    let latest = sessions["sessions"][0]["expires_at"].as_i64().expect("a time") / 1_000;
    assert!((latest - seconds(86_400)).abs() < 30, "{sessions}");
    assert_ne!(of(&world, &issuer, "bob")["user"], first["user"]);
}

#[test]
fn a_token_is_taken_for_what_it_is() {
    let (world, issuer) = shop(&[]);
    let changed = |more: Value| {
        let mut claims = claims(&world, &issuer, "ana");
        for (name, value) in more.as_object().expect("claims") {
            claims[name] = value.clone();
        }
        claims
    };
    let refused = |token: &str| exchange(&world, token).problem(401, "exchange.token_invalid");
    for wrong in [
        json!({ "iss": "https://evil.example" }),
        json!({ "iss": null }),
        json!({ "aud": "others" }),
        json!({ "aud": [] }),
        json!({ "aud": null }),
        json!({ "exp": seconds(-90) }),
        json!({ "exp": null }),
        json!({ "exp": "tomorrow" }),
        json!({ "exp": 1e300 }),
        json!({ "nbf": seconds(90) }),
        json!({ "iat": seconds(90) }),
        json!({ "sub": null }),
        json!({ "sub": "" }),
        json!({ "sub": 7 }),
        json!({ "sub": "x".repeat(256) }),
    ] {
        refused(&issuer.sign(&changed(wrong)));
    }
    let sound = changed(json!({}));
    let as_header = |header: &Value| issuer.with_key(|key| key.sign_as(header, &sound));
    for header in [
        json!({ "alg": "ES256", "typ": "logout+jwt", "kid": "first" }),
        json!({ "alg": "ES256", "cty": "JWT", "kid": "first" }),
        json!({ "alg": "ES256", "crit": ["x"], "x": 1, "kid": "first" }),
        json!({ "alg": "ES384", "kid": "first" }),
        json!({ "alg": "none", "kid": "first" }),
        json!({ "kid": "first" }),
    ] {
        refused(&as_header(&header));
    }
    // Keys that a token brings along itself.
    let stranger = Key::new("first");
    let mut header = stranger.header();
    header["jwk"] = json!({ "kty": "oct", "k": "AAAA" });
    header["jku"] = json!("https://evil.example/keys");
    refused(&stranger.sign_as(&header, &sound));
    refused(&issuer.with_key(|key| key.sign_with_what_is_public(&sound)));
    refused(&unsigned(&sound));
    let good = issuer.sign(&sound);
    let (message, _) = good.rsplit_once('.').expect("a signature");
    for wrong in ["", "x", "..", message, &format!("{message}."), &format!("{good}A"), &good[1..]] {
        refused(wrong);
    }
    refused(&issuer.sign(&changed(json!({ "more": "x".repeat(10_000) }))));
    assert_eq!(issuer.asked("/keys"), 1);
    exchange(&world, &as_header(&json!({ "alg": "ES256", "typ": "at+jwt" }))).expect(201);
    exchange(&world, &good).expect(201);
}

#[test]
fn keys_are_asked_for_when_they_are_new_and_kept_when_nobody_answers() {
    let (world, issuer) = shop(&[]);
    issuer.set_down(true);
    let token = issuer.sign(&claims(&world, &issuer, "ana"));
    let answer = exchange(&world, &token);
    assert!(answer.headers.contains_key("retry-after"));
    answer.problem(503, "sign_in.provider_unavailable");
    issuer.set_down(false);
    exchange(&world, &token).expect(201);
    issuer.change_key(Key::edwards("second"));
    of(&world, &issuer, "ana");
    issuer.set_down(true);
    of(&world, &issuer, "ana");
    let asked = issuer.asked("/keys");
    for _ in 0..3 {
        let token = Key::new("third").sign(&claims(&world, &issuer, "ana"));
        exchange(&world, &token).problem(401, "exchange.token_invalid");
    }
    assert_eq!(issuer.asked("/keys"), asked, "once a minute");
}

#[test]
fn an_issuer_says_where_its_keys_are() {
    let (world, issuer) = shop(&[("BARTERLINE_ISSUERS__OWN__JWKS_URL", "")]);
    of(&world, &issuer, "ana");
    assert_eq!((issuer.asked("/.well-known/openid-configuration"), issuer.asked("/keys")), (1, 1));
}

#[test]
fn only_what_the_settings_name_is_taken() {
    let settings = [
        ("BARTERLINE_ISSUERS__OWN__SIGN_UP", "false"),
        ("BARTERLINE_ISSUERS__OWN__ALGORITHMS", "EdDSA"),
    ];
    let (world, issuer) = shop(&settings);
    let token = issuer.sign(&claims(&world, &issuer, "ana"));
    exchange(&world, &token).problem(401, "exchange.token_invalid");
    issuer.change_key(Key::edwards("second"));
    let token = issuer.sign(&claims(&world, &issuer, "ana"));
    exchange(&world, &token).problem(403, "sign_in.closed");
}

#[test]
fn who_is_kept_out_gets_no_session_by_any_token() {
    let (world, issuer) = shop(&[]);
    let session = of(&world, &issuer, "ana");
    let ana = session["user"].as_str().expect("an id");
    world.staff("PUT", &format!("/accounts/{ana}/suspension")).expect(204);
    let token = issuer.sign(&claims(&world, &issuer, "ana"));
    exchange(&world, &token).problem(403, "account.suspended");
    let bearer = session["access_token"].as_str().expect("a token");
    world.call(Call::new("GET", "/v1/accounts/me").token(bearer)).problem(403, "account.suspended");
    // Nothing asks for a password that there is not.
    world.staff("DELETE", &format!("/accounts/{ana}/suspension")).expect(204);
    let session = of(&world, &issuer, "ana");
    let bearer = session["access_token"].as_str().expect("a token");
    let proof = json!({ "password": "correct horse" });
    let ask = |path: &str, body: &Value| {
        world.call(Call::new("POST", &format!("/v1/accounts/me/{path}")).token(bearer).json(body))
    };
    ask("archive", &proof).problem(403, "password.none");
    // Who has just come in takes along what is theirs, and leaves.
    let lines = ask("archive", &json!({})).expect(200).body;
    assert!(lines.contains(r#"{"line":"end","#), "{lines}");
    assert_eq!(ask("erasure", &json!({})).expect(200).json(), json!({ "done": true }));
    ask("archive", &json!({})).problem(401, "token.invalid");
    let again = of(&world, &issuer, "ana");
    assert_ne!(again["user"], session["user"], "they are somebody new");
}

#[test]
fn who_proved_themselves_long_ago_takes_nothing_along_by_the_same_token_again() {
    let (world, issuer) = shop(&[]);
    let long_ago = json!(seconds(-700));
    for (claim, at) in [("iat", &long_ago), ("auth_time", &long_ago), ("iat", &Value::Null)] {
        let mut said = claims(&world, &issuer, "ana");
        said[claim] = at.clone();
        if claim == "iat" {
            // Nor by what is no time.
            said["auth_time"] = json!("yesterday");
        }
        if said["iat"].is_null() {
            said.as_object_mut().expect("claims").remove("iat");
        }
        let session = exchange(&world, &issuer.sign(&said)).expect(201).json();
        let bearer = session["access_token"].as_str().expect("a token");
        for path in ["archive", "erasure"] {
            let path = format!("/v1/accounts/me/{path}");
            let call = Call::new("POST", &path).token(bearer).json(&json!({}));
            world.call(call).problem(403, "password.required");
        }
    }
}

#[test]
fn two_at_once_are_one_person() {
    let (world, issuer) = shop(&[]);
    let token = issuer.sign(&claims(&world, &issuer, "ana"));
    let begun: Vec<_> = (0..4)
        .map(|_| {
            let body = json!({ "token": token });
            world.begin(Call::new("POST", "/v1/sessions/exchange").json(&body))
        })
        .collect();
    let mut users: Vec<_> = begun
        .into_iter()
        .map(|call| call.join().expect("an answer").expect(201).json()["user"].to_string())
        .collect();
    users.dedup();
    assert_eq!(users.len(), 1, "{users:?}");
}
