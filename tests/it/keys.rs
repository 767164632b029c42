//! Keys of sealed values: what stands on the disk without them, and what is done with them.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::rest::second_factor::turned_on;
use crate::start::refused;
use crate::support::socket::fresh_id;
use crate::support::world::{Person, barterline, run, serve};
use crate::support::{Call, World, embedded_only};

/// What the file of keys says.
fn kept(world: &World) -> Value {
    let text = fs::read_to_string(world.data().join("keys/data-keys.json")).expect("a file");
    serde_json::from_str(&text).expect("JSON")
}

/// What a command about keys answers.
fn keys(world: &World, what: &str) -> Value {
    let mut command = barterline();
    command.args(["keys", what, "--data"]).arg(world.data());
    let (code, out, err) = run(command);
    assert_eq!((code, err.as_str()), (0, ""), "{what}");
    serde_json::from_str(&out).expect("JSON")
}

/// The address that somebody's account has.
fn address(world: &World, person: &Person) -> Value {
    let call = Call::new("POST", "/v1/accounts/me/archive").token(&person.token);
    let archive = world.call(call.json(&json!({ "password": "correct horse" }))).expect(200);
    let mut lines = archive.body.lines().filter_map(|line| serde_json::from_str(line).ok());
    let log_in = lines.find(|line: &Value| line["line"] == "log_in").expect("a line");
    log_in["email"].clone()
}

/// The address that it should be.
fn own(world: &World, name: &str) -> Value {
    json!(world.email(name).to_lowercase())
}

/// Whether some file has these bytes.
fn has(dir: &Path, bytes: &[u8]) -> bool {
    fs::read_dir(dir).expect("a directory").any(|entry| {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            return has(&path, bytes);
        }
        fs::read(&path).expect("a file").windows(bytes.len()).any(|part| part == bytes)
    })
}

#[test]
fn an_address_stands_nowhere_as_it_is() {
    embedded_only!("reads the files of the store");
    let mut world = World::new();
    let ana = world.person("ana");
    assert_eq!(address(&world, &ana), own(&world, "ana"));
    let email = world.email("ana");
    assert!(world.stop().success());
    assert!(has(&world.data(), b"$argon2id$"), "what stands beside it is found");
    assert!(!has(&world.data(), email.as_bytes()));
    assert!(!has(&world.data(), email.to_lowercase().as_bytes()));
}

#[tokio::test]
async fn what_was_taken_back_is_not_in_the_files() {
    embedded_only!("reads the files of the store");
    let world = World::new();
    let (ana, _, chat) = world.chat().await;
    let said = |kind: &str, text: &str| json!({ "kind": kind, "target": 1, "text": text });
    let words = |text: &str| json!({ "kind": "text", "text": text });
    let (first, again) = (fresh_id().to_string(), fresh_id().to_string());
    world.send(&ana, chat, &first, &words("said in anger")).expect(201);
    world.send(&ana, chat, &again, &words("said in earnest")).expect(201);
    let key = || fresh_id().to_string();
    world.send(&ana, chat, &key(), &said("edit", "said more calmly")).expect(201);
    world.send(&ana, chat, &key(), &json!({ "kind": "delete", "target": 1 })).expect(201);
    let data = world.data();
    let mut world = world;
    assert!(world.stop().success());
    for (text, stays) in
        [("said in anger", false), ("said more calmly", false), ("said in earnest", true)]
    {
        assert_eq!(has(&data, text.as_bytes()), stays, "{text}");
    }
    // Who sends it again is answered as before: of its words nothing is left to compare with.
    let world = world.start_again();
    for text in ["said in anger", "said otherwise"] {
        let repeated = world.send(&ana, chat, &first, &words(text)).expect(200).json();
        assert_eq!((&repeated["seq"], &repeated["repeat"]), (&json!(1), &json!(true)), "{text}");
    }
    world.send(&ana, chat, &again, &words("said otherwise")).problem(409, "id.conflict");
}

#[tokio::test]
async fn words_of_messages_are_sealed_where_the_operator_says_so() {
    const SEALS: (&str, &str) = ("BARTERLINE_KEYS__SEAL_MESSAGES", "true");
    embedded_only!("reads the files of the store");
    let world = World::with_settings(&[SEALS]);
    let (ana, bob, chat) = world.chat().await;
    let key = || fresh_id().to_string();
    let words = |text: &str| json!({ "kind": "text", "text": text });
    world.send(&ana, chat, &key(), &words("said under the seal")).expect(201);
    let edit = json!({ "kind": "edit", "target": 1, "text": "said otherwise under it" });
    world.send(&ana, chat, &key(), &edit).expect(201);
    let said = |world: &World| {
        let call = Call::new("GET", &format!("/v1/chats/{chat}/events")).token(&bob.token);
        world.call(call).expect(200).json()["events"][0]["text"].clone()
    };
    let report = Call::new("POST", &format!("/v1/chats/{chat}/reports")).token(&bob.token);
    let report = report.header("idempotency-key", &key()).json(&json!({ "reason": "abuse" }));
    let report = world.call(report).expect(201).json()["id"].clone();
    let reported = |world: &World| {
        let path = format!("/reports/{}", report.as_str().expect("an id"));
        world.staff("GET", &path).expect(200).json()["messages"][0]["text"].clone()
    };
    let mut world = world.restart_with(&[SEALS]);
    assert_eq!(said(&world), "said otherwise under it");
    assert_eq!(reported(&world), "said under the seal", "and what it was before its edit");
    assert!(world.stop().success());
    assert!(!has(&world.data(), b"under"));
    // What was sealed opens on, and what is new stands as it is.
    let world = world.start_again();
    assert_eq!(said(&world), "said otherwise under it");
    assert_eq!(reported(&world), "said under the seal");
    world.send(&ana, chat, &key(), &words("said in the open")).expect(201);
    let mut world = world;
    assert!(world.stop().success());
    assert!(has(&world.data(), b"said in the open") && !has(&world.data(), b"under"));
}

/// With others nobody would be found, and everybody could register again.
#[test]
fn a_store_is_opened_with_its_own_keys_alone() {
    let mut world = World::new();
    world.person("ana");
    assert!(world.stop().success());
    let file = world.data().join("keys/data-keys.json");
    let own = fs::read_to_string(&file).expect("a file");
    let other = own.replacen(
        "\"secret\":",
        "\"secret\": \"k2pYqXb0Z0nq4bOKZ7mG1dH3sVwE5cT8uJ9rL6iN-fM\", \"was\":",
        1,
    );
    fs::write(&file, other).expect("a file");
    refused(serve(&world.data()), 1, &["other keys", "data-keys.json"]);
    fs::write(&file, own).expect("a file");
    let world = world.start_again();
    world.log_in("ana");
}

#[test]
fn what_earlier_keys_sealed_is_sealed_anew() {
    embedded_only!("the keys of a cluster are everybody's");
    let world = World::new();
    let bob = world.person("bob");
    keys(&world, "rotate");
    let world = world.restart();
    let (cem, ana) = (world.person("cem"), world.person("ana"));
    let (_, paper) = turned_on(&world, &ana);
    keys(&world, "rotate");
    let world = world.restart();
    for (name, person) in [("bob", &bob), ("cem", &cem)] {
        assert_eq!(address(&world, person), own(&world, name), "an earlier key opens");
    }
    let told = |sealed_anew, unopened| json!({ "accounts": 3, "sealed_anew": sealed_anew, "unopened": unopened });
    assert_eq!(keys(&world, "reseal"), told(3, 0));
    assert_eq!(keys(&world, "reseal"), told(0, 0));
    // The first one made what addresses are found by; the second sealed what is there no more.
    let file = world.data().join("keys/data-keys.json");
    let mut kept = kept(&world);
    kept.as_array_mut().expect("keys").remove(1);
    fs::write(&file, kept.to_string()).expect("a file");
    let world = world.restart();
    assert_eq!(address(&world, &world.log_in("bob")), own(&world, "bob"));
    let body =
        json!({ "email": world.email("ana"), "password": "correct horse", "code": paper[0] });
    world.post("/v1/sessions", &body).expect(201);
    // Who loses the key that seals keeps people in, though it cannot tell them their address.
    kept.as_array_mut().expect("keys").remove(0);
    fs::write(&file, kept.to_string()).expect("a file");
    let world = world.restart();
    let cem = world.log_in("cem");
    let change = json!({ "present": "correct horse", "new": "battery staple rides" });
    let path = "/v1/accounts/me/password";
    world.call(Call::new("PUT", path).token(&cem.token).json(&change)).expect(200);
    assert_eq!(keys(&world, "reseal"), told(0, 3));
    let noted = world.noted("operator").into_iter().map(|(_, action, _)| action);
    assert_eq!(noted.filter(|action| action == "keys.reseal").count(), 3);
}

#[test]
fn keys_are_sealed_by_a_master_key_from_elsewhere() {
    const MASTER: &str = "BARTERLINE_KEYS__MASTER";
    const ONE: &str = "xJ4hTz0cQm7vR2bY9nK1wLs8eUf3gAo6dPi5kWqZtHE";
    const TWO: &str = "Vb7nMx2zLq9cRt4yHw1kJd8fGs5aPe3oUi6wQzXvBnY";
    let secrets = |world: &World| {
        let kept = kept(world);
        kept.as_array().expect("keys").iter().filter(|key| key.get("secret").is_some()).count()
    };
    let world = World::new();
    let ana = world.person("ana");
    assert_eq!(secrets(&world), 1);
    let world = world.restart_with(&[(MASTER, ONE)]);
    assert_eq!((secrets(&world), address(&world, &ana)), (0, own(&world, "ana")));
    let mut world = world.restart_with(&[(MASTER, TWO), ("BARTERLINE_KEYS__MASTER_BEFORE", ONE)]);
    assert_eq!((secrets(&world), address(&world, &ana)), (0, own(&world, "ana")));
    assert!(world.stop().success());
    for master in ["", ONE] {
        let mut command = serve(&world.data());
        command.env(MASTER, master);
        refused(command, 1, &["data-keys.json", "`keys.master`"]);
    }
    for (wrong, with) in [("short", 2), ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 1)] {
        let mut command = serve(&world.data());
        command.env(MASTER, wrong);
        let (code, _, err) = run(command);
        assert!(
            code == with && err.contains("keys.master") && !err.contains(wrong),
            "{code}: {err}"
        );
    }
}
