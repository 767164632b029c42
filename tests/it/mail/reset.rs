//! A new password for who forgot theirs.

use serde_json::json;

use super::{ask_for_reset, at, log_in, me, reset, shown, unasked};
use crate::support::mailbox::files;
use crate::support::{Call, World};

#[test]
fn a_mailed_code_sets_a_password_once_and_ends_every_session() {
    let world = unasked();
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    let email = at(&world, "ana");
    assert_eq!(ask_for_reset(&world, &email).expect(202).body, "{}");
    let code = world.mail_to(&email).secret("reset");
    // What is refused has not used it up.
    reset(&world, &code, "short").problem(422, "account.password_too_short");
    me(&world, &ana).expect(200);
    assert_eq!(reset(&world, &code, "battery staple").expect(204).body, "");
    me(&world, &ana).problem(401, "token.invalid");
    let body = json!({ "refresh_token": ana.refresh_token });
    world.post("/v1/sessions/refresh", &body).problem(401, "refresh.invalid");
    me(&world, &bob).expect(200);
    log_in(&world, &email, "correct horse").problem(401, "login.failed");
    log_in(&world, &email, "battery staple").expect(201);
    let told = world.mail_after(1, &email);
    assert!(told.text.contains("was changed just now"), "{}", told.text);
    reset(&world, &code, "another horse").problem(422, "code.invalid");
    log_in(&world, &email, "battery staple").expect(201);
}

#[test]
fn an_unknown_address_is_answered_alike_and_gets_no_mail() {
    let mut world = unasked();
    world.register("ana").expect(201);
    let known = ask_for_reset(&world, &at(&world, "ana"));
    let unknown = ask_for_reset(&world, &at(&world, "bob"));
    assert_eq!(shown(&unknown), shown(&known));
    assert_eq!(known.status, 202);
    ask_for_reset(&world, "no address").problem(422, "account.email_invalid");
    world.mail_to(&at(&world, "ana"));
    // Who goes away writes first what was asked for.
    assert!(world.stop().success());
    assert_eq!(world.mails_to(&at(&world, "ana")).len(), 1);
    assert_eq!(files(&world.mail_directory()).len(), 1);
}

#[test]
fn what_is_no_code_sets_no_password() {
    let world = unasked();
    world.register("ana").expect(201);
    ask_for_reset(&world, &at(&world, "ana")).expect(202);
    let code = world.mail_to(&at(&world, "ana")).secret("reset");
    let other = "A".repeat(43);
    for wrong in ["", "x", &code[1..], &format!("{code}A"), &other, &"é".repeat(43)] {
        reset(&world, wrong, "battery staple").problem(422, "code.invalid");
    }
    reset(&world, &code, "battery staple").expect(204);
}

#[test]
fn a_code_ends_with_the_password_that_it_was_asked_for() {
    let world = unasked();
    let ana = world.person("ana");
    let email = at(&world, "ana");
    ask_for_reset(&world, &email).expect(202);
    let earlier = world.mail_to(&email).secret("reset");
    let body = json!({ "present": "correct horse", "new": "battery staple" });
    let call = Call::new("PUT", "/v1/accounts/me/password").token(&ana.token).json(&body);
    world.call(call).expect(200);
    let told = world.mail_after(1, &email);
    assert!(told.text.contains("was changed just now"), "{}", told.text);
    reset(&world, &earlier, "another horse").problem(422, "code.invalid");
    log_in(&world, &email, "battery staple").expect(201);
}

#[test]
fn without_mail_nobody_is_left_waiting_for_it() {
    let world = World::new();
    ask_for_reset(&world, &at(&world, "ana")).problem(501, "mail.off");
    reset(&world, "x", "battery staple").problem(422, "code.invalid");
}
