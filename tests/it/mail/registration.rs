//! Addresses are confirmed before there is an account.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use super::{at, log_in, me, shown};
use crate::support::mailbox::files;
use crate::support::{Answer, Call, World};

fn confirm(world: &World, token: &str, password: &str) -> Answer {
    world.post("/v1/accounts/confirm", &json!({ "token": token, "password": password }))
}

#[test]
fn who_confirms_an_address_has_an_account() {
    let world = World::mailing(&[]);
    let asked = world.register("ana").expect(202);
    assert_eq!(asked.body, "{}");
    let email = at(&world, "ana");
    let mail = world.mail_to(&email);
    assert!(mail.head.contains("From: Shop <no-reply@shop.example>"), "{}", mail.head);
    assert!(mail.head.contains("Auto-Submitted: auto-generated"), "{}", mail.head);
    log_in(&world, &email, "correct horse").problem(401, "login.failed");

    let made = confirm(&world, &mail.secret("confirm"), "correct horse").expect(201).json();
    assert_eq!((&made["name"], &made["roles"]), (&json!("ana"), &json!(["user"])));
    let ana = world.log_in("ana");
    assert_eq!(me(&world, &ana).expect(200).json(), made);
}

#[test]
fn a_taken_address_is_answered_alike_and_its_owner_told() {
    let world = World::mailing(&[]);
    let free = world.register("ana");
    let email = at(&world, "ana");
    let token = world.mail_to(&email).secret("confirm");
    confirm(&world, &token, "correct horse").expect(201);
    let taken = world.register("ana");
    assert_eq!(shown(&taken), shown(&free));
    let mail = world.mail_after(1, &email);
    assert!(mail.text.contains("has one already"), "{}", mail.text);
    assert!(!mail.text.contains('#'), "it carries nothing: {}", mail.text);
}

#[test]
fn an_address_that_a_stranger_registered_is_confirmed_by_nobody_else() {
    let world = World::mailing(&[]);
    world.register("ana").expect(202);
    let token = world.mail_to(&at(&world, "ana")).secret("confirm");
    // Its owner opens the link, and does not know the stranger's password.
    confirm(&world, &token, "a word of mine").problem(403, "password.wrong");
    confirm(&world, &token, "short").problem(403, "password.wrong");
    log_in(&world, &at(&world, "ana"), "correct horse").problem(401, "login.failed");
    // They register themselves.
    let body = json!({ "email": at(&world, "ana"), "password": "a word of mine", "name": "Ana" });
    world.post("/v1/accounts", &body).expect(202);
    let own = world.mail_after(1, &at(&world, "ana")).secret("confirm");
    confirm(&world, &own, "a word of mine").expect(201);
    // The stranger's mail is worth nothing now.
    confirm(&world, &token, "correct horse").problem(409, "account.email_taken");
}

#[test]
fn guesses_at_a_registration_count_as_log_ins() {
    let world = World::mailing(&[]);
    world.register("ana").expect(202);
    let token = world.mail_to(&at(&world, "ana")).secret("confirm");
    for _ in 0..5 {
        confirm(&world, &token, "wrong horse").problem(403, "password.wrong");
    }
    let problem = confirm(&world, &token, "wrong horse").problem(429, "rate.limited");
    assert_eq!(problem["scope"], "log_ins");
}

#[test]
fn a_token_is_ours_untouched_and_good_once() {
    let (world, other) = (World::mailing(&[]), World::mailing(&[]));
    world.register("ana").expect(202);
    other.register("ana").expect(202);
    let token = world.mail_to(&at(&world, "ana")).secret("confirm");
    let foreign = other.mail_to(&at(&other, "ana")).secret("confirm");
    let mut forged = token.clone();
    forged.replace_range(40..41, if &token[40..41] == "A" { "B" } else { "A" });
    let huge = "v4.local.".to_owned() + &"A".repeat(100_000);
    for wrong in [&*foreign, &forged, "", "v4.local.AAAA", &token[1..], &huge] {
        confirm(&world, wrong, "correct horse").problem(422, "code.invalid");
    }
    confirm(&world, &token, "correct horse").expect(201);
    confirm(&world, &token, "correct horse").problem(409, "account.email_taken");
}

#[test]
fn mail_is_in_the_language_of_its_reader() {
    let world = World::mailing(&[]);
    let email = at(&world, "jürgen");
    let body = json!({ "email": email, "password": "correct horse", "name": "Jürgen" });
    let call = Call::new("POST", "/v1/accounts").header("accept-language", "de-AT, en;q=0.5");
    world.call(call.json(&body)).expect(202);
    let file = || files(&world.mail_directory());
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while file().is_empty() {
        assert!(std::time::Instant::now() < patience, "no mail");
    }
    let mail = std::fs::read_to_string(&file()[0]).expect("a mail");
    let mail = crate::support::mailbox::Mail::parse(&mail);
    assert!(mail.text.contains("Öffne innerhalb von 24 Stunden"), "{}", mail.text);
    assert!(mail.html.contains("<html lang=\"de\">"), "{}", mail.html);
    confirm(&world, &mail.secret("confirm"), "correct horse").expect(201);
}

#[test]
fn mails_are_for_the_owner_alone_and_nothing_of_them_is_logged() {
    let world = World::mailing(&[]);
    world.register("ana").expect(202);
    let token = world.mail_to(&at(&world, "ana")).secret("confirm");
    confirm(&world, &token, "wrong horse").expect(403);
    confirm(&world, &token, "correct horse").expect(201);
    let mode = |path: &std::path::Path| {
        std::fs::metadata(path).expect("metadata").permissions().mode() & 0o777
    };
    assert_eq!(mode(&world.mail_directory()), 0o700);
    assert!(files(&world.mail_directory()).iter().all(|file| mode(file) == 0o600));
    let last = Call::new("GET", "/v1/nothing").header("x-request-id", "the-last");
    world.call(last);
    world.until_logged("the-last");
    let log = world.log();
    assert!(log.contains("/v1/accounts/confirm"), "{log}");
    for secret in [&*token, &at(&world, "ana"), "correct horse", "wrong horse"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}
