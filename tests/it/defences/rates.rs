//! How many requests anybody may make.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Answer, Call, Person, World};

const TRUSTED: (&str, &str) = ("BARTERLINE_SERVER__TRUSTED_PROXIES", "127.0.0.1");

/// A server where so many may come at once, and one more in a minute or an hour.
fn few(limit: &str, at_once: &str, more: &[(&str, &str)]) -> World {
    let window = if limit == "REGISTRATIONS" { "HOUR" } else { "MINUTE" };
    let burst = format!("BARTERLINE_LIMITS__{limit}_BURST");
    let rate = format!("BARTERLINE_LIMITS__{limit}_PER_{window}");
    World::with_settings(&[&[(&*burst, at_once), (&*rate, "1")], more].concat())
}

fn me(world: &World, person: &Person) -> Answer {
    world.call(Call::new("GET", "/v1/accounts/me").token(&person.token))
}

/// Takes a refusal by a limit of this scope, with a wait.
#[track_caller]
fn is_limited(answer: Answer, scope: &str) {
    let wait: u64 = answer.headers["retry-after"].parse().expect("seconds");
    assert!(wait > 0);
    let problem = answer.problem(429, "rate.limited");
    assert_eq!(problem["scope"], scope, "{problem}");
}

#[test]
fn every_answer_tells_what_is_left_and_the_last_how_long_to_wait() {
    let world = World::with_settings(&[
        ("BARTERLINE_LIMITS__REQUESTS_BURST", "3"),
        ("BARTERLINE_LIMITS__REQUESTS_PER_MINUTE", "1"),
    ]);
    for left in ["2", "1", "0"] {
        let answer = world.get("/v1/accounts/me");
        assert_eq!(answer.headers["ratelimit-policy"], "\"requests\";q=3;w=180");
        let told = &answer.headers["ratelimit"];
        assert!(told.starts_with(&format!("\"requests\";r={left};t=")), "{told}");
        answer.problem(401, "token.invalid");
    }
    let answer = world.get("/v1/accounts/me");
    assert!(answer.headers["ratelimit"].starts_with("\"requests\";r=0;t="));
    is_limited(answer, "requests");
    // What is refused costs no one a wait for what is not there: a path that leads nowhere counts.
    is_limited(world.get("/v1/nowhere"), "requests");
    // A socket has limits of its own.
    world.call(Call::new("GET", "/v1/socket")).problem(426, "socket.upgrade_required");
}

#[test]
fn by_default_a_client_has_a_hundred_requests_a_minute() {
    let mut command = crate::support::world::barterline();
    command.args(["config", "--reference"]);
    let (code, reference, _) = crate::support::world::run(command);
    assert_eq!(code, 0);
    for line in ["enabled = true", "requests_per_minute = 100", "requests_burst = 100"] {
        assert!(reference.lines().any(|printed| printed == line), "{line}");
    }
}

#[test]
fn people_behind_one_address_have_requests_of_their_own() {
    let world = few("REQUESTS", "8", &[]);
    // Four requests of the address.
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    for _ in 0..8 {
        me(&world, &ana).expect(200);
    }
    is_limited(me(&world, &ana), "requests");
    me(&world, &bob).expect(200);
    // A token that is none is nobody's: it counts for the address.
    for _ in 0..4 {
        world.call(Call::new("GET", "/v1/accounts/me").token("x")).problem(401, "token.invalid");
    }
    is_limited(world.call(Call::new("GET", "/v1/accounts/me").token("y")), "requests");
    is_limited(world.get("/v1/accounts/me"), "requests");
    me(&world, &bob).expect(200);
}

#[test]
fn log_ins_registrations_and_refreshes_have_stricter_limits() {
    let nobody = json!({ "email": "nobody@example.org", "password": "correct horse" });
    let world = few("LOG_INS", "2", &[]);
    for _ in 0..2 {
        world.post("/v1/sessions", &nobody).problem(401, "login.failed");
    }
    is_limited(world.post("/v1/sessions", &nobody), "log_ins");

    let world = few("REGISTRATIONS", "2", &[]);
    world.register("ana").expect(201);
    world.register("ana").problem(409, "account.email_taken");
    is_limited(world.register("bob"), "registrations");
    world.log_in("ana");

    let world = few("REFRESHES", "2", &[]);
    let ana = world.person("ana");
    let refresh =
        |token: &str| world.post("/v1/sessions/refresh", &json!({ "refresh_token": token }));
    refresh("x").problem(401, "refresh.invalid");
    let next = refresh(&ana.refresh_token).expect(200).json();
    let token = next["refresh_token"].as_str().expect("a token");
    is_limited(refresh(token), "refreshes");
    let world = world.restart();
    let again = world.post("/v1/sessions/refresh", &json!({ "refresh_token": token }));
    again.expect(200);
}

#[test]
fn who_guesses_a_password_waits_and_its_owner_does_not() {
    let world = World::with_settings(&[TRUSTED]);
    world.register("ana").expect(201);
    let log_in = |from: &str, password: &str| {
        let body: Value = json!({ "email": world.email("Ana"), "password": password });
        let call = Call::new("POST", "/v1/sessions").header("x-forwarded-for", from);
        world.call(call.json(&body))
    };
    log_in("192.0.2.1", "correct horse").expect(201);
    // From anywhere: the account is what is counted.
    for guess in 0..5 {
        let from = format!("198.51.100.{guess}");
        log_in(&from, "incorrect horse").problem(401, "login.failed");
    }
    // Each guess that is let in doubles the wait: until it outlasts what follows on a slow machine.
    let patience = Instant::now() + Duration::from_mins(1);
    loop {
        assert!(Instant::now() < patience, "nobody is made to wait");
        let answer = log_in("198.51.100.9", "incorrect horse");
        if answer.status == 401 {
            continue;
        }
        let wait: u64 = answer.headers["retry-after"].parse().expect("seconds");
        is_limited(answer, "log_ins");
        if wait > 8 {
            break;
        }
    }
    is_limited(log_in("198.51.100.99", "correct horse"), "log_ins");
    log_in("192.0.2.1", "correct horse").expect(201);
}

#[test]
fn without_limits_nobody_is_told_of_any() {
    let world = World::with_setting("BARTERLINE_LIMITS__ENABLED", "false");
    let answer = world.get("/v1/accounts/me");
    assert!(!answer.headers.contains_key("ratelimit"));
    assert!(!answer.headers.contains_key("ratelimit-policy"));
}
