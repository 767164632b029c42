//! /v1/accounts/me/second-factor, and log-ins with it

use std::time::Duration;

use barterline::clock::SystemClock;
use barterline_domain::clock::Clock as _;
use barterline_protocol::close_code::CloseCode;
use barterline_protocol::request::Auth;
use barterline_protocol::{Encoding, Request};
use data_encoding::BASE32_NOPAD;
use serde_json::{Value, json};
use totp_rs::{Builder, Totp};

use crate::support::socket::hello;
use crate::support::world::{barterline, run};
use crate::support::{Answer, Call, Person, World};

const PATH: &str = "/v1/accounts/me/second-factor";

fn post(world: &World, person: &Person, path: &str, body: &Value) -> Answer {
    world.call(Call::new("POST", &format!("{PATH}{path}")).token(&person.token).json(body))
}

fn standing(world: &World, person: &Person) -> Value {
    world.call(Call::new("GET", PATH).token(&person.token)).expect(200).json()
}

/// The program that makes a person's codes.
fn program(world: &World, person: &Person) -> Totp {
    let begun = post(world, person, "", &json!({ "password": "correct horse" })).expect(201).json();
    let secret = begun["secret"].as_str().expect("a secret");
    let uri = begun["uri"].as_str().expect("an address");
    let email = world.email("ana").to_lowercase().replace('.', "%2E").replace('@', "%40");
    let issuer = "Barterline";
    assert_eq!(uri, format!("otpauth://totp/{issuer}:{email}?secret={secret}&issuer={issuer}"));
    let secret = BASE32_NOPAD.decode(secret.as_bytes()).expect("base32");
    Builder::new().with_secret(secret).build().expect("a program")
}

/// A code of so many steps from now.
fn code(totp: &Totp, steps: u64) -> String {
    let ahead = Duration::from_secs(30 * steps);
    totp.generate(SystemClock.now().plus(ahead).as_millis() / 1_000).to_string()
}

fn log_in(world: &World, name: &str, code: Option<&str>) -> Answer {
    let mut body = json!({ "email": world.email(name), "password": "correct horse" });
    if let Some(code) = code {
        body["code"] = json!(code);
    }
    world.post("/v1/sessions", &body)
}

/// A second factor that is asked for, and its codes for paper.
pub fn turned_on(world: &World, person: &Person) -> (Totp, Vec<String>) {
    let (totp, _, paper) = turned_on_by(world, person);
    (totp, paper)
}

/// The same, with the code that was used for it.
fn turned_on_by(world: &World, person: &Person) -> (Totp, String, Vec<String>) {
    let totp = program(world, person);
    let used = code(&totp, 0);
    let confirmed = post(world, person, "/confirm", &json!({ "code": used }));
    let codes = confirmed.expect(200).json()["recovery_codes"].as_array().expect("codes").clone();
    let codes = codes.iter().map(|code| code.as_str().expect("a code").to_owned()).collect();
    (totp, used, codes)
}

/// Guesses until one has to wait; gives how many were taken before. A slow machine sits short waits out
/// while it hashes, and each guess that is taken doubles the next.
fn taken_guesses(mut guess: impl FnMut() -> Answer) -> usize {
    for taken in 0..16 {
        let told = guess();
        if told.status == 429 {
            assert!(told.headers.contains_key("retry-after"));
            return taken;
        }
        told.problem(403, "second_factor.code_wrong");
    }
    panic!("guesses never wait");
}

#[test]
fn who_turned_it_on_logs_in_with_a_code_until_they_turn_it_off() {
    // Wrong codes are told as often as they are tried.
    let world = World::with_setting("BARTERLINE_LIMITS__ENABLED", "false");
    let ana = world.person("ana");
    assert_eq!(standing(&world, &ana), json!({ "on": false, "recovery_codes": 0 }));
    let (totp, paper) = turned_on(&world, &ana);
    assert_eq!(standing(&world, &ana), json!({ "on": true, "recovery_codes": 10 }));
    log_in(&world, "ana", None).problem(401, "login.code_required");
    log_in(&world, "ana", Some("000000")).problem(403, "second_factor.code_wrong");
    log_in(&world, "ana", Some("")).problem(403, "second_factor.code_wrong");
    log_in(&world, "ana", Some(&"9".repeat(10_000))).problem(403, "second_factor.code_wrong");
    let next = code(&totp, 1);
    log_in(&world, "ana", Some(&next)).expect(201);
    log_in(&world, "ana", Some(&next)).problem(403, "second_factor.code_wrong");
    log_in(&world, "ana", Some(&paper[0])).expect(201);
    // A password alone neither begins anew nor ends it.
    let known = json!({ "password": "correct horse" });
    post(&world, &ana, "", &known).problem(409, "second_factor.on");
    post(&world, &ana, "/confirm", &json!({ "code": next })).problem(409, "second_factor.on");
    let both = |password: &str, code: &str| json!({ "password": password, "code": code });
    let end = |body: &Value| post(&world, &ana, "/end", body);
    end(&both("incorrect horse", &paper[1])).problem(403, "password.wrong");
    end(&both("correct horse", &paper[0])).problem(403, "second_factor.code_wrong");
    let renewed = post(&world, &ana, "/recovery-codes", &both("correct horse", &paper[1]));
    let renewed = renewed.expect(200).json();
    end(&both("correct horse", &paper[2])).problem(403, "second_factor.code_wrong");
    let fresh = renewed["recovery_codes"][0].as_str().expect("a code");
    end(&both("correct horse", fresh)).expect(204);
    end(&both("correct horse", fresh)).problem(409, "second_factor.off");
    log_in(&world, "ana", None).expect(201);
}

#[test]
fn guesses_at_a_code_wait_ever_longer_even_at_home() {
    let world = World::new();
    let ana = world.person("ana");
    let (_, paper) = turned_on(&world, &ana);
    log_in(&world, "ana", Some(&paper[0])).expect(201);
    let taken = taken_guesses(|| log_in(&world, "ana", Some("000000")));
    assert!((5..10).contains(&taken), "{taken}");
}

#[test]
fn whatever_asks_for_the_password_asks_for_a_code() {
    let world = World::mailing(&[
        ("BARTERLINE_ACCOUNTS__VERIFY_EMAIL", "false"),
        ("BARTERLINE_LIMITS__ENABLED", "false"),
    ]);
    let ana = world.person("ana");
    let (totp, used, paper) = turned_on_by(&world, &ana);
    let mut paper = paper.into_iter();
    let weak = json!({ "present": "correct horse", "new": "password1" });
    let password = json!({ "present": "correct horse", "new": "battery staple lamp" });
    let email = json!({ "email": world.email("bea"), "password": "correct horse" });
    let key = json!({ "name": "robot", "scopes": ["chats:read"], "password": "correct horse" });
    let known = json!({ "password": "correct horse" });
    let (renew, end) = (format!("{PATH}/recovery-codes"), format!("{PATH}/end"));
    let ask = |method: &str, path: &str, body: &Value, code: Option<&str>| {
        let mut body = body.clone();
        if let Some(code) = code {
            body["code"] = json!(code);
        }
        world.call(Call::new(method, path).token(&ana.token).json(&body))
    };
    let asked = [
        ("PUT", "/v1/accounts/me/email", &email),
        ("POST", "/v1/api-keys", &key),
        ("PUT", "/v1/accounts/me/password", &password),
        ("POST", renew.as_str(), &known),
        ("POST", end.as_str(), &known),
        ("POST", "/v1/accounts/me/archive", &known),
        ("POST", "/v1/accounts/me/erasure", &known),
    ];
    for (method, path, body) in asked {
        ask(method, path, body, None).problem(403, "second_factor.code_required");
        for wrong in ["000000", "", &used] {
            ask(method, path, body, Some(wrong)).problem(403, "second_factor.code_wrong");
        }
        let other = body.to_string().replace("correct horse", "incorrect horse");
        let other = serde_json::from_str(&other).expect("JSON");
        ask(method, path, &other, Some("000000")).problem(403, "password.wrong");
    }
    // Nothing was made or changed, and nobody logged in.
    let keys = world.call(Call::new("GET", "/v1/api-keys").token(&ana.token)).expect(200).json();
    assert_eq!(keys["keys"], json!([]));
    assert_eq!(standing(&world, &ana), json!({ "on": true, "recovery_codes": 10 }));
    log_in(&world, "ana", None).problem(401, "login.code_required");
    // What may not be chosen uses up no code.
    let next = code(&totp, 1);
    let change = "/v1/accounts/me/password";
    ask("PUT", change, &weak, Some(&next)).problem(422, "account.password_weak");
    ask("PUT", "/v1/accounts/me/email", &email, Some(&next)).expect(202);
    ask("POST", "/v1/api-keys", &key, Some(&next)).problem(403, "second_factor.code_wrong");
    let mut on_paper = || paper.next().expect("a code");
    let made = on_paper();
    ask("POST", "/v1/api-keys", &key, Some(&made)).expect(201);
    ask("POST", "/v1/api-keys", &key, Some(&made)).problem(403, "second_factor.code_wrong");
    ask("PUT", change, &password, Some(&on_paper())).expect(200);
    let known = json!({ "password": "battery staple lamp" });
    let renewed = ask("POST", &renew, &known, Some(&on_paper())).expect(200).json();
    let fresh = renewed["recovery_codes"][0].as_str().expect("a code");
    ask("POST", &end, &known, Some(fresh)).expect(204);
    // Without a second factor nothing is asked for, and nothing looked at.
    let key =
        json!({ "name": "robot", "scopes": ["chats:read"], "password": "battery staple lamp" });
    ask("POST", "/v1/api-keys", &key, None).expect(201);
    ask("POST", "/v1/api-keys", &key, Some("000000")).expect(201);
}

#[test]
fn guesses_at_a_code_within_a_session_wait_as_at_the_door() {
    let world = World::new();
    let ana = world.person("ana");
    turned_on(&world, &ana);
    let end = |code: &str| {
        post(&world, &ana, "/end", &json!({ "password": "correct horse", "code": code }))
    };
    let taken = taken_guesses(|| end("000000"));
    assert!((5..10).contains(&taken), "{taken}");
    // Whoever guesses here waits there, too: there are no five more.
    let taken = taken_guesses(|| log_in(&world, "ana", Some("000000")));
    assert!(taken < 4, "{taken}");
    assert_eq!(standing(&world, &ana)["on"], true);
}

#[test]
fn who_lost_program_and_paper_is_let_in_by_the_operator() {
    let world = World::new();
    let (ana, bea) = (world.person("ana"), world.person("bea"));
    turned_on(&world, &ana);
    let of_ana = format!("/v1/accounts/{}/second-factor", ana.id);
    let other = world.call(Call::new("DELETE", &of_ana).token(&bea.token));
    other.problem(403, "permission.denied");
    log_in(&world, "ana", None).problem(401, "login.code_required");
    let mut command = barterline();
    command.args(["admin", "end-second-factor", &ana.id]).arg("--data").arg(world.data());
    let (status, _, err) = run(command);
    assert_eq!((status, err.as_str()), (0, ""));
    log_in(&world, "ana", None).expect(201);
    world
        .staff("DELETE", "/accounts/00000000-0000-4000-8000-000000000000/second-factor")
        .problem(404, "account.not_found");
    let noted: Vec<_> = world.noted(&ana.id).into_iter().map(|(_, action, _)| action).collect();
    assert_eq!(noted, ["second_factor.on", "second_factor.off"]);
}

#[test]
fn a_second_factor_outlives_a_restart() {
    let world = World::new();
    let ana = world.person("ana");
    let (_, paper) = turned_on(&world, &ana);
    let world = world.restart();
    log_in(&world, "ana", Some(&paper[0])).expect(201);
    log_in(&world, "ana", None).problem(401, "login.code_required");
    let keys = world.data().join("keys/data-keys.json");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&keys.metadata().expect("a file").permissions());
    assert_eq!(mode & 0o777, 0o600);
}

const REQUIRED: &str = "BARTERLINE_ACCOUNTS__SECOND_FACTOR";

#[tokio::test]
async fn where_everybody_has_to_have_one_nothing_goes_before_it_is_on() {
    let world = World::with_setting(REQUIRED, "everybody");
    let ana = world.person("ana");
    let ask = |method: &str, path: &str| world.call(Call::new(method, path).token(&ana.token));
    let key = json!({ "password": "correct horse", "name": "robot", "scopes": ["chats:read"] });
    for (method, path) in [
        ("GET", "/v1/sessions"),
        ("GET", "/v1/accounts/me"),
        ("GET", "/v1/chats"),
        ("GET", "/v1/sync"),
    ] {
        ask(method, path).problem(403, "second_factor.required");
    }
    let make_key = || world.call(Call::new("POST", "/v1/api-keys").token(&ana.token).json(&key));
    make_key().problem(403, "second_factor.required");
    let mut early = world.dial(Encoding::Json).await;
    early.ask(Request::Hello(hello(&ana.token))).await;
    early.is_closed(CloseCode::FactorRequired).await;
    // They may go, and come back.
    ask("DELETE", "/v1/sessions/current").expect(204);
    let ana = world.log_in("ana");
    assert_eq!(standing(&world, &ana), json!({ "on": false, "recovery_codes": 0 }));
    let (_, paper) = turned_on(&world, &ana);
    let ask = |method: &str, path: &str| world.call(Call::new(method, path).token(&ana.token));
    ask("GET", "/v1/sessions").expect(200);
    let mut phone = world.device(&ana, Encoding::Json).await;
    // Whoever turns it off is where they were.
    let off = json!({ "password": "correct horse", "code": paper[0] });
    post(&world, &ana, "/end", &off).expect(204);
    ask("GET", "/v1/sessions").problem(403, "second_factor.required");
    phone.ask(Request::Auth(Auth { token: ana.token.clone() })).await;
    phone.is_closed(CloseCode::FactorRequired).await;
}

#[test]
fn staff_do_nothing_without_one_where_they_have_to_have_it() {
    let world = World::with_setting(REQUIRED, "staff");
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    let ask = |who: &Person, path: &str| world.call(Call::new("GET", path).token(&who.token));
    ask(&ana, "/v1/sessions").expect(200);
    let mut appoint = barterline();
    appoint.args(["admin", "roles", &ana.id, "user", "moderator", "--data"]).arg(world.data());
    assert_eq!(run(appoint).0, 0);
    for path in ["/v1/reports", "/v1/sessions"] {
        ask(&ana, path).problem(403, "second_factor.required");
    }
    turned_on(&world, &ana);
    ask(&ana, "/v1/reports").expect(200);
    ask(&bob, "/v1/sessions").expect(200);
}
