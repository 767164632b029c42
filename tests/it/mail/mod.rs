//! What is mailed, and what comes of it.

mod email;
mod limits;
mod registration;
mod relay;
mod reset;

use serde_json::json;

use crate::support::{Answer, Call, Person, World};

/// A server that mails into files, and makes accounts at once.
fn unasked() -> World {
    World::mailing(&[("BARTERLINE_ACCOUNTS__VERIFY_EMAIL", "false")])
}

/// Somebody's address, as mail writes it.
fn at(world: &World, name: &str) -> String {
    world.email(name).to_lowercase()
}

/// Asks for a new password.
fn ask_for_reset(world: &World, email: &str) -> Answer {
    world.post("/v1/accounts/password-resets", &json!({ "email": email }))
}

/// Sets one by a code.
fn reset(world: &World, code: &str, password: &str) -> Answer {
    let body = json!({ "code": code, "password": password });
    world.post("/v1/accounts/password-resets/confirm", &body)
}

fn log_in(world: &World, email: &str, password: &str) -> Answer {
    world.post("/v1/sessions", &json!({ "email": email, "password": password }))
}

fn me(world: &World, person: &Person) -> Answer {
    world.call(Call::new("GET", "/v1/accounts/me").token(&person.token))
}

/// What of two answers has to be alike: everything but the time, the request's name and what is left.
fn shown(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let differs = ["date", "x-request-id", "ratelimit"];
    let headers = answer.headers.iter().filter(|(name, _)| !differs.contains(&name.as_str()));
    let mut headers: Vec<_> = headers.map(|(k, v)| (k.clone(), v.clone())).collect();
    headers.sort();
    (answer.status, headers, answer.body.clone())
}
