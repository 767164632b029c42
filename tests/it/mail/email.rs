//! An account moves to another address.

use serde_json::json;

use super::{at, log_in, me, shown, unasked};
use crate::rest::erasure::until_erased;
use crate::support::{Answer, Call, Person, World};

fn ask(world: &World, person: &Person, email: &str, password: &str) -> Answer {
    let body = json!({ "email": email, "password": password });
    world.call(Call::new("PUT", "/v1/accounts/me/email").token(&person.token).json(&body))
}

fn confirm(world: &World, person: &Person, code: &str) -> Answer {
    let call = Call::new("POST", "/v1/accounts/me/email/confirm").token(&person.token);
    world.call(call.json(&json!({ "code": code })))
}

#[test]
fn an_account_moves_to_an_address_that_gets_mail() {
    let world = unasked();
    let ana = world.person("ana");
    let (old, new) = (at(&world, "ana"), at(&world, "anna"));
    ask(&world, &ana, &new, "wrong horse").problem(403, "password.wrong");
    ask(&world, &ana, "no address", "correct horse").problem(422, "account.email_invalid");
    assert_eq!(ask(&world, &ana, &new, "correct horse").expect(202).body, "{}");
    let code = world.mail_to(&new).secret("email");
    log_in(&world, &new, "correct horse").problem(401, "login.failed");
    confirm(&world, &ana, &code).expect(204);
    log_in(&world, &new, "correct horse").expect(201);
    log_in(&world, &old, "correct horse").problem(401, "login.failed");
    me(&world, &ana).expect(200);
    for (got, email) in [(0, &old), (1, &new)] {
        let told = world.mail_after(got, email);
        assert!(told.text.contains(&*old) && told.text.contains(&*new), "{}", told.text);
    }
    confirm(&world, &ana, &code).problem(422, "code.invalid");
}

#[test]
fn a_code_moves_nobody_elses_account() {
    let world = unasked();
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    ask(&world, &ana, &at(&world, "anna"), "correct horse").expect(202);
    let code = world.mail_to(&at(&world, "anna")).secret("email");
    confirm(&world, &bob, &code).problem(422, "code.invalid");
    log_in(&world, &at(&world, "bob"), "correct horse").expect(201);
}

#[test]
fn a_taken_address_is_answered_alike_and_its_owner_told_when_one_moves() {
    let world = unasked();
    let ana = world.person("ana");
    world.register("bob").expect(201);
    let free = ask(&world, &ana, &at(&world, "anna"), "correct horse");
    let taken = ask(&world, &ana, &at(&world, "bob"), "correct horse");
    assert_eq!(shown(&taken), shown(&free));
    let told = world.mail_to(&at(&world, "bob"));
    assert!(told.text.contains("has one already"), "{}", told.text);
    // It was free when it was asked for, and is not when it is confirmed.
    let code = world.mail_to(&at(&world, "anna")).secret("email");
    world.register("anna").expect(201);
    confirm(&world, &ana, &code).problem(409, "account.email_taken");
}

#[test]
fn the_owner_is_told_that_an_account_is_being_erased() {
    let world = unasked();
    let ana = world.person("ana");
    until_erased(|| {
        let call = Call::new("POST", "/v1/accounts/me/erasure").token(&ana.token);
        world.call(call.json(&json!({ "password": "correct horse" })))
    });
    let told = world.mail_to(&at(&world, "ana"));
    assert!(told.text.contains("is being erased"), "{}", told.text);
    log_in(&world, &at(&world, "ana"), "correct horse").problem(401, "login.failed");
    world.register("ana").expect(201);
}
