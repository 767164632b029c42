//! What roles permit, how the first admin comes to be, and what is noted of it all

use std::fs;

use serde_json::{Value, json};

use crate::support::world::{barterline, run};
use crate::support::{Answer, Call, Person, World};

const NOBODY: &str = "5b2f9c1e-7a34-4d68-8f05-c19be2a07d31";
const PASSWORD: &str = "a long and quiet evening";

/// Has the binary do something about the running server.
fn command(world: &World, arguments: &[&str]) -> (i32, String, String) {
    let mut command = barterline();
    command.args(arguments).arg("--data").arg(world.data());
    run(command)
}

/// An admin, made by the operator.
fn admin(world: &World) -> Person {
    let email = world.email("root");
    let (code, out, err) = command(world, &["admin", "create", "--email", &email]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let made: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((&made["name"], &made["roles"]), (&json!("Admin"), &json!(["user", "admin"])));
    assert_eq!(made["password"], Value::Null, "nobody draws one");
    let shown = json!({ "code": made["password_code"], "password": PASSWORD });
    world.post("/v1/accounts/password-resets/confirm", &shown).expect(204);
    world.log_in_with(&email, PASSWORD)
}

fn ask(world: &World, person: &Person, method: &str, path: &str) -> Answer {
    world.call(Call::new(method, path).token(&person.token))
}

fn set_roles(world: &World, by: &Person, whose: &str, roles: &[&str]) -> Answer {
    let call = Call::new("PUT", &format!("/v1/accounts/{whose}/roles")).token(&by.token);
    world.call(call.json(&json!({ "roles": roles })))
}

#[test]
fn roles_permit_what_they_are_for_and_no_more() {
    let world = World::new();
    let (root, maud, ana) = (admin(&world), world.person("maud"), world.person("ana"));
    let made = set_roles(&world, &root, &maud.id, &["moderator", "user", "moderator"]);
    assert_eq!(made.expect(200).json()["roles"], json!(["user", "moderator"]));

    let suspension = |person: &Person| format!("/v1/accounts/{}/suspension", person.id);
    let check = |person: &Person, method: &str, path: &str, status: u16| {
        let answer = ask(&world, person, method, path);
        if status == 403 {
            answer.problem(403, "permission.denied");
        } else {
            answer.expect(status);
        }
    };
    // Nobody in particular, a moderator, an admin.
    for (path, statuses) in [("/v1/reports", [403, 200, 200]), ("/v1/audit", [403, 403, 200])] {
        for (person, status) in [&ana, &maud, &root].into_iter().zip(statuses) {
            check(person, "GET", path, status);
        }
    }
    let report = format!("/v1/reports/{NOBODY}");
    ask(&world, &ana, "GET", &report).problem(403, "permission.denied");
    ask(&world, &maud, "GET", &report).problem(404, "report.not_found");
    // A moderator keeps people out, and no staff; nobody themselves.
    check(&ana, "PUT", &suspension(&maud), 403);
    check(&maud, "PUT", &suspension(&root), 403);
    check(&maud, "PUT", &suspension(&maud), 403);
    check(&root, "PUT", &suspension(&root), 403);
    check(&maud, "PUT", &suspension(&ana), 204);
    ask(&world, &ana, "GET", "/v1/accounts/me").problem(403, "account.suspended");
    check(&maud, "DELETE", &suspension(&ana), 204);
    let ana = world.log_in("ana");
    check(&ana, "GET", "/v1/accounts/me", 200);
    // So it is with ending sessions.
    let sessions = |person: &Person| format!("/v1/accounts/{}/sessions", person.id);
    check(&ana, "DELETE", &sessions(&maud), 403);
    check(&maud, "DELETE", &sessions(&root), 403);
    check(&maud, "DELETE", &sessions(&maud), 403);
    check(&maud, "DELETE", &format!("/v1/accounts/{NOBODY}/sessions"), 404);
    let other = world.log_in("ana");
    let ended = ask(&world, &maud, "DELETE", &sessions(&ana)).expect(200).json();
    assert_eq!(ended, json!({ "ended": 2 }));
    for session in [&ana, &other] {
        ask(&world, session, "GET", "/v1/accounts/me").problem(401, "token.invalid");
    }
    let ana = world.log_in("ana");
    let noted = world.noted(&ana.id).into_iter();
    let by_staff = (maud.id.clone(), "sessions.end".to_owned());
    let noted: Vec<_> = noted.map(|(actor, action, _)| (actor, action)).collect();
    assert!(noted.contains(&by_staff), "{noted:?}");
    // Roles are given by admins, to others.
    for (by, whose) in [(&ana, &ana), (&maud, &ana), (&root, &root)] {
        set_roles(&world, by, &whose.id, &["admin"]).problem(403, "permission.denied");
    }
    set_roles(&world, &root, NOBODY, &["user"]).problem(404, "account.not_found");
    set_roles(&world, &root, &ana.id, &[]).problem(400, "request.invalid");
    set_roles(&world, &root, &ana.id, &["king"]).problem(400, "request.invalid");
    let me = ask(&world, &ana, "GET", "/v1/accounts/me").expect(200).json();
    assert_eq!(me["roles"], json!(["user"]), "nothing has changed");

    // What is taken is gone at once, whatever the token says.
    set_roles(&world, &root, &maud.id, &["user"]).expect(200);
    check(&maud, "GET", "/v1/reports", 403);
    // The operator may change the roles of everybody.
    let (code, out, _) = command(&world, &["admin", "roles", &root.id, "user"]);
    assert_eq!((code, out.contains(r#""roles":["user"]"#)), (0, true), "{out}");
    check(&root, "GET", "/v1/audit", 403);
}

#[test]
fn an_admin_is_made_by_the_operator_alone() {
    let mut world = World::new();
    let email = world.email("root");
    let refused = |arguments: &[&str], code: i32, says: &str| {
        let (exit, out, err) = command(&world, arguments);
        assert_eq!((exit, out.as_str()), (code, ""), "{err}");
        assert!(err.contains(says), "{says:?} in {err:?}");
    };
    refused(&["admin", "create", "--email", "root"], 1, "account.email_invalid");
    refused(&["admin", "create"], 2, "--email");
    refused(&["admin", "roles", NOBODY, "user"], 1, "account.not_found");
    refused(&["admin", "roles", NOBODY, "king"], 2, "user, moderator, admin, service");
    refused(&["admin", "roles", NOBODY], 2, "ROLES");
    // Standard input is empty here.
    let from_nothing = ["admin", "create", "--email", &email, "--password-stdin"];
    refused(&from_nothing, 1, "password_too_short");

    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("password");
    fs::write(&file, format!("{PASSWORD}\nand a line that is none of it\n")).expect("a file");
    let mut create = barterline();
    create.args(["admin", "create", "--email", &email, "--name", "Root", "--password-stdin"]);
    create.arg("--data").arg(world.data()).stdin(fs::File::open(&file).expect("the file"));
    let (code, out, err) = run(create);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("Root") && !out.contains("password"), "{out}");
    world.log_in_with(&email, PASSWORD);
    refused(&["admin", "create", "--email", &email], 1, "account.email_taken");

    let body = json!({
        "email": world.email("eve"), "password": PASSWORD, "name": "Eve", "roles": ["admin"],
    });
    let made = world.post("/v1/accounts", &body).expect(201).json();
    assert_eq!(made["roles"], json!(["user"]), "who registers has no say in it");
    let path = "/accounts";
    let stranger = Call::new("POST", path).token("x").json(&body).send(world.admin);
    stranger.problem(401, "admin.token_invalid");
    let data = world.data();
    assert!(world.stop().success());
    let mut late = barterline();
    late.args(["admin", "create", "--email", &email, "--data"]).arg(data);
    let (code, _, err) = run(late);
    assert!(code == 1 && err.contains("no server runs"), "{code} {err}");
}

#[test]
fn what_is_drawn_for_an_admin_is_a_code_that_sets_a_password_once() {
    let world = World::new();
    let email = world.email("root");
    let drawn = |arguments: &[&str]| -> String {
        let (code, out, err) = command(&world, arguments);
        assert_eq!((code, err.as_str()), (0, ""), "{out}");
        let made: Value = serde_json::from_str(&out).expect("JSON");
        made["password_code"].as_str().expect("a code").to_owned()
    };
    let code = drawn(&["admin", "create", "--email", &email]);
    // It is no password, and there is none yet.
    let body = json!({ "email": email, "password": code });
    world.post("/v1/sessions", &body).problem(401, "login.failed");
    let set = |code: &str, password: &str| {
        let body = json!({ "code": code, "password": password });
        world.post("/v1/accounts/password-resets/confirm", &body)
    };
    set(&code, "hunter22").problem(422, "account.password_weak");
    set(&code, PASSWORD).expect(204);
    let root = world.log_in_with(&email, PASSWORD);
    set(&code, "another long evening").problem(422, "code.invalid");
    // For whom no mail reaches, another one, which ends all log-ins.
    let another = drawn(&["admin", "password-code", "--email", &email]);
    set(&another, "another long evening").expect(204);
    ask(&world, &root, "GET", "/v1/accounts/me").problem(401, "token.invalid");
    world.log_in_with(&email, "another long evening");
    let nobody = ["admin", "password-code", "--email", "nobody@example.org"];
    let (code, out, err) = command(&world, &nobody);
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    assert!(err.contains("account.not_found"), "{err}");
    let noted = world.noted(&root.id);
    let codes = noted.iter().filter(|(_, action, _)| action == "password.code").count();
    assert_eq!(codes, 1, "{noted:?}");
}

#[test]
fn what_staff_do_and_what_happens_to_passwords_is_noted() {
    let world = World::new();
    let (root, ana) = (admin(&world), world.person("ana"));
    ask(&world, &root, "PUT", &format!("/v1/accounts/{}/suspension", ana.id)).expect(204);
    world.staff("DELETE", &format!("/accounts/{}/suspension", ana.id)).expect(204);
    set_roles(&world, &root, &ana.id, &["user", "service"]).expect(200);
    let ana = world.log_in("ana");
    // Refused, so not done, so not noted.
    set_roles(&world, &ana, &root.id, &["user"]).problem(403, "permission.denied");
    world.log_in("ana");
    let change = json!({ "present": "correct horse", "new": PASSWORD });
    let call = Call::new("PUT", "/v1/accounts/me/password").token(&ana.token).json(&change);
    world.call(call).expect(200);
    let twice = json!({ "refresh_token": ana.refresh_token });
    let next = world.post("/v1/sessions/refresh", &twice).expect(200).json();
    let again = world.post("/v1/sessions/refresh", &twice).expect(200).json();
    assert_eq!(again["refresh_token"], next["refresh_token"], "its answer may have been lost");
    let next = json!({ "refresh_token": next["refresh_token"] });
    world.post("/v1/sessions/refresh", &next).expect(200);
    world.post("/v1/sessions/refresh", &twice).problem(401, "refresh.invalid");

    let entry =
        |actor: &str, action: &str, detail: Value| (actor.to_owned(), action.to_owned(), detail);
    let expected = [
        entry(&root.id, "account.suspend", json!({})),
        entry("operator", "account.admit", json!({})),
        entry(&root.id, "roles.set", json!({ "roles": "user service" })),
        entry(&ana.id, "password.change", json!({})),
        entry(&ana.id, "sessions.end", json!({ "sessions": "1" })),
    ];
    assert_eq!(world.noted(&ana.id), expected);
    let of_root = world.noted(&root.id);
    let made = entry("operator", "account.create", json!({ "roles": "user admin" }));
    assert_eq!(of_root.first(), Some(&made));
    let reused = world.noted("system").into_iter().filter(|(_, action, detail)| {
        action == "session.reuse" && detail["account"] == ana.id.as_str()
    });
    assert_eq!(reused.count(), 1);

    let (code, out, err) = command(&world, &["audit", "--verify"]);
    assert_eq!(code, 0, "{err}");
    let verified: Value = serde_json::from_str(&out).expect("JSON");
    assert!(verified["entries"].as_u64().is_some_and(|entries| entries >= 7), "{out}");
    assert_eq!(verified["hash"].as_str().map(str::len), Some(64), "{out}");
    let (code, out, _) = command(&world, &["audit"]);
    assert!(code == 0 && out.contains(r#""number":0"#), "{out}");
    let (code, out, _) = command(&world, &["audit", "--after", "0"]);
    assert!(code == 0 && out.contains(r#""number":1"#) && !out.contains(r#""number":0,"#), "{out}");
}
