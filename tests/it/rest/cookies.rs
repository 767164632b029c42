//! /v1/sessions of web pages, whose refresh token a cookie holds

use serde_json::{Value, json};

use crate::support::{Answer, Call, World};

const NAME: &str = "__Host-barterline-refresh";
const SHOP: &str = "https://shop.example";
const LISTED: (&str, &str) = ("BARTERLINE_SERVER__ORIGINS", SHOP);

/// A request of a page of this origin, which bears cookies.
fn call(path: &str, origin: Option<&str>, cookie: Option<&str>, body: &Value) -> Call {
    let mut call = Call::new("POST", path);
    for (name, value) in [("origin", origin), ("cookie", cookie)] {
        if let Some(value) = value {
            call = call.header(name, value);
        }
    }
    call.json(body)
}

fn log_in(world: &World, origin: Option<&str>) -> Answer {
    let email = world.email("ana");
    let body = json!({ "email": email, "password": "correct horse", "cookie": true });
    world.call(call("/v1/sessions", origin, None, &body))
}

fn refresh(world: &World, origin: Option<&str>, cookie: Option<&str>, body: &Value) -> Answer {
    world.call(call("/v1/sessions/refresh", origin, cookie, body))
}

/// Somebody who is logged in by a page: the answer, and the cookie as the browser sends it.
fn page(world: &World) -> (Value, String) {
    world.register("ana").expect(201);
    let answer = log_in(world, Some(SHOP)).expect(201);
    let cookie = cookie(&answer);
    (answer.json(), cookie)
}

/// What a browser sends after an answer.
fn cookie(answer: &Answer) -> String {
    let set = &answer.headers["set-cookie"];
    set.split(';').next().expect("a pair").to_owned()
}

fn sessions(world: &World) -> usize {
    let ana = world.log_in("ana");
    let answer = world.call(Call::new("GET", "/v1/sessions").token(&ana.token)).expect(200).json();
    // Beside the one that looks.
    answer["sessions"].as_array().expect("sessions").len() - 1
}

#[track_caller]
fn is_deleted(answer: &Answer) {
    let gone = format!("{NAME}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0");
    assert_eq!(answer.headers["set-cookie"], gone);
}

#[test]
fn a_cookie_is_for_one_host_under_tls_and_for_no_script() {
    let world = World::with_settings(&[LISTED]);
    world.register("ana").expect(201);
    for origin in [SHOP, &format!("http://{}", world.listening)] {
        let answer = log_in(&world, Some(origin)).expect(201);
        assert_eq!(answer.headers["cache-control"], "no-store");
        let (pair, attributes) = answer.headers["set-cookie"].split_once("; ").expect("attributes");
        let (name, token) = pair.split_once('=').expect("a pair");
        assert_eq!((name, token.len()), (NAME, 64));
        let month = 30 * 24 * 3_600;
        assert_eq!(
            attributes,
            format!("Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={month}")
        );
        let body = answer.json();
        assert!(body["refresh_expires_at"].is_u64());
        assert!(!body.to_string().contains(token) && body.get("refresh_token").is_none(), "{body}");
        // It is the token of that session, however it is shown.
        let shown = json!({ "refresh_token": token });
        let next = refresh(&world, None, None, &shown).expect(200).json();
        assert_eq!(next["session"], body["session"]);
    }
}

#[test]
fn a_refresh_by_cookie_gives_the_next_cookie() {
    let world = World::with_settings(&[LISTED]);
    let (session, mut held) = page(&world);
    for body in [json!({}), json!({ "cookie": true }), json!({ "cookie": false })] {
        // Among cookies of others.
        let sent = format!("theme=dark; {held}; lang=de");
        let answer = refresh(&world, Some(SHOP), Some(&sent), &body).expect(200);
        let next = cookie(&answer);
        assert_ne!(next, held);
        held = next;
        let answer = answer.json();
        assert_eq!((&answer["session"], answer.get("refresh_token")), (&session["session"], None));
        let token = answer["access_token"].as_str().expect("a token");
        world.call(Call::new("GET", "/v1/accounts/me").token(token)).expect(200);
    }
    // A page that kept its token itself puts it into the cookie.
    let ana = world.log_in("ana");
    let body = json!({ "refresh_token": ana.refresh_token, "cookie": true });
    refresh(&world, None, None, &body).problem(403, "origin.forbidden");
    let moved = refresh(&world, Some(SHOP), None, &body).expect(200);
    assert_eq!(moved.json().get("refresh_token"), None);
    refresh(&world, Some(SHOP), Some(&cookie(&moved)), &json!({})).expect(200);
}

#[test]
fn pages_of_others_have_no_use_of_a_cookie() {
    let world = World::with_settings(&[LISTED]);
    let (_, held) = page(&world);
    let strangers = [
        "https://evil.example",
        "https://shop.example.evil.example",
        "http://shop.example",
        "null",
    ];
    for origin in strangers.map(Some).into_iter().chain([None]) {
        for body in [json!({}), json!({ "cookie": true })] {
            let refused = refresh(&world, origin, Some(&held), &body);
            assert!(!refused.headers.contains_key("set-cookie"), "{origin:?}");
            assert!(!refused.headers.contains_key("access-control-allow-credentials"));
            refused.problem(403, "origin.forbidden");
        }
        let refused = log_in(&world, origin);
        assert!(!refused.headers.contains_key("set-cookie"), "{origin:?}");
        refused.problem(403, "origin.forbidden");
    }
    // Nobody was logged in, and the token is as good as it was.
    assert_eq!(sessions(&world), 1);
    let answer = refresh(&world, Some(SHOP), Some(&held), &json!({})).expect(200);
    assert_eq!(answer.headers["access-control-allow-origin"], SHOP);
    assert_eq!(answer.headers["access-control-allow-credentials"], "true");
}

#[test]
fn a_log_out_deletes_the_cookie() {
    let world = World::with_settings(&[LISTED]);
    let (session, held) = page(&world);
    let token = session["access_token"].as_str().expect("a token");
    let log_out = |token: &str| Call::new("DELETE", "/v1/sessions/current").token(token);
    let answer = world.call(log_out(token).header("cookie", &held)).expect(204);
    is_deleted(&answer);
    // Of whoever keeps it all the same it is not taken.
    let refused = refresh(&world, Some(SHOP), Some(&held), &json!({}));
    is_deleted(&refused);
    refused.problem(401, "refresh.invalid");
    let ana = world.log_in("ana");
    let answer = world.call(log_out(&ana.token).header("cookie", "theme=dark")).expect(204);
    assert!(!answer.headers.contains_key("set-cookie"));
}

#[test]
fn who_asks_for_no_cookie_gets_none() {
    let world = World::with_settings(&[LISTED]);
    let (_, held) = page(&world);
    let body = json!({ "email": world.email("ana"), "password": "correct horse" });
    let answer = world.call(call("/v1/sessions", Some(SHOP), Some(&held), &body)).expect(201);
    assert!(!answer.headers.contains_key("set-cookie"));
    let token = answer.json()["refresh_token"].as_str().expect("a token").to_owned();
    // What stands in the body counts, whatever else the browser sends, and whoever asks.
    let body = json!({ "refresh_token": token });
    let answer = refresh(&world, Some("https://evil.example"), Some(&held), &body).expect(200);
    assert!(!answer.headers.contains_key("set-cookie"));
    let next = answer.json()["refresh_token"].clone();
    let answer = refresh(&world, None, Some(&held), &json!({ "refresh_token": next })).expect(200);
    assert!(!answer.headers.contains_key("set-cookie"));
    let answer = refresh(&world, None, Some(&held), &body);
    assert!(!answer.headers.contains_key("set-cookie"));
    answer.problem(401, "refresh.invalid");
    refresh(&world, None, None, &json!({})).problem(400, "request.invalid");
    // A page that has no cookie yet, or no more, logs in.
    refresh(&world, Some(SHOP), None, &json!({})).problem(401, "refresh.invalid");
    // No other door takes it.
    let me = Call::new("GET", "/v1/accounts/me").header("origin", SHOP).header("cookie", &held);
    world.call(me).problem(401, "token.invalid");
    refresh(&world, Some(SHOP), Some(&held), &json!({})).expect(200);
}

#[test]
fn a_used_cookie_that_comes_again_ends_the_session() {
    let world = World::with_settings(&[LISTED]);
    let (_, held) = page(&world);
    let answer = refresh(&world, Some(SHOP), Some(&held), &json!({})).expect(200);
    let next = cookie(&answer);
    // A page that was loaded anew before it had the answer.
    let again = refresh(&world, Some(SHOP), Some(&held), &json!({})).expect(200);
    assert_eq!(cookie(&again), next);
    let answer = refresh(&world, Some(SHOP), Some(&next), &json!({})).expect(200);
    let (next, token) = (cookie(&answer), answer.json()["access_token"].clone());
    let again = refresh(&world, Some(SHOP), Some(&held), &json!({}));
    is_deleted(&again);
    again.problem(401, "refresh.invalid");
    let token = token.as_str().expect("a token");
    world.call(Call::new("GET", "/v1/accounts/me").token(token)).problem(401, "token.invalid");
    refresh(&world, Some(SHOP), Some(&next), &json!({})).problem(401, "refresh.invalid");
    for junk in [format!("{NAME}=x"), format!("{NAME}="), format!("{next}; {next}")] {
        let refused = refresh(&world, Some(SHOP), Some(&junk), &json!({}));
        is_deleted(&refused);
        refused.problem(401, "refresh.invalid");
    }
}
