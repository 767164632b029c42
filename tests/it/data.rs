//! `barterline data` and `barterline read-only`: a store that moves while people talk.

use std::fs;
use std::path::Path;
use std::process::Command;

use barterline_domain::ids::ChatId;
use barterline_protocol::Encoding;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::socket::fresh_id;
use crate::support::world::{barterline, run, serve};
use crate::support::{Call, Person, World, embedded_only};

fn words(text: &str) -> Value {
    json!({ "kind": "text", "text": text })
}

fn events(world: &World, person: &Person, chat: ChatId) -> Value {
    let call = Call::new("GET", &format!("/v1/chats/{chat}/events")).token(&person.token);
    world.call(call).expect(200).json()
}

/// Runs a command beside the server of a world, or where one will be, with the same settings.
fn beside(data: &Path, arguments: &[&str]) -> (i32, String, String) {
    // Of the command that serves, all but what only a server has.
    let mut command = barterline();
    for (name, value) in serve(data).get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command.args(arguments).arg("--data").arg(data);
    run(command)
}

/// The same on a directory that keeps everything itself.
fn on_a_laptop(data: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command: Command = barterline();
    command.args(arguments).arg("--data").arg(data);
    run(command)
}

fn done((code, out, said): (i32, String, String)) -> String {
    assert_eq!(code, 0, "{said}");
    out
}

fn refused((code, out, said): (i32, String, String)) -> String {
    assert_eq!((code, out.as_str()), (1, ""), "{said}");
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    said
}

/// Else its words would be there, and nobody could read them.
#[tokio::test]
async fn sealed_messages_are_imported_where_their_keys_are_and_nowhere_else() {
    embedded_only!("the keys of a cluster are everybody's");
    let dir = TempDir::new().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    let world = World::with_settings(&[("BARTERLINE_KEYS__SEAL_MESSAGES", "true")]);
    let (ana, _, chat) = world.chat().await;
    world.send(&ana, chat, &fresh_id().to_string(), &words("said under the seal")).expect(201);
    let archive = path("archive").display().to_string();
    done(beside(&world.data(), &["data", "export", &archive]));
    done(on_a_laptop(&path("nowhere"), &["data", "verify", &archive]));
    let is_refused = |to: &Path, archive: &str, why: &str| {
        let said = refused(on_a_laptop(to, &["data", "import", archive]));
        assert!(said.contains(why), "{said}");
    };
    let keys = |of: &Path, to: &Path| {
        fs::create_dir_all(to.join("keys")).expect("a directory");
        let file = "keys/data-keys.json";
        fs::copy(of.join(file), to.join(file)).expect("a copy");
    };
    let home = TempDir::new().expect("a directory");
    let to = home.path().join("data");
    fs::create_dir(&to).expect("a directory");
    is_refused(&to, &archive, "sealed by a key that is not in data-keys.json");
    keys(&World::new().data(), &to);
    is_refused(&to, &archive, "sealed by a key that is not in data-keys.json");
    keys(&world.data(), &to);
    done(on_a_laptop(&to, &["data", "import", &archive]));
    let there = World::on_a_laptop(home);
    let bob = there.log_in_with(&world.email("bob"), "correct horse");
    assert_eq!(events(&there, &bob, chat)["events"][0]["text"], "said under the seal");

    // Nor are others, whose addresses are kept by other keys.
    let plain = World::new();
    plain.person("ana");
    let archive = path("plain").display().to_string();
    done(beside(&plain.data(), &["data", "export", &archive]));
    let to = path("kept by others");
    keys(&world.data(), &to);
    is_refused(&to, &archive, "by other keys");
}

#[tokio::test]
async fn g1_a_store_moves_without_loss_while_people_talk() {
    let dir = TempDir::new().expect("a directory");
    let at = |name: &str| dir.path().join(name).display().to_string();
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let mut phone = world.device(&ana, Encoding::MsgPack).await;
    for text in ["one", "two", "three"] {
        phone.tells(chat, text).await;
    }
    let data = world.data();
    let out = done(beside(&data, &["data", "export", &at("full")]));
    assert!(out.starts_with("archive ") && out.contains(" chats with "), "{out}");

    // They talk on; then nobody does.
    phone.tells(chat, "four").await;
    done(beside(&data, &["read-only", "on"]));
    let late = world.send(&bob, chat, &fresh_id().to_string(), &words("late"));
    late.problem(503, "server.unavailable");
    world.register("zoe").problem(503, "server.unavailable");
    assert_eq!(events(&world, &bob, chat)["events"].as_array().map(Vec::len), Some(4));
    done(beside(&data, &["data", "export", &at("rest"), "--since", &at("full")]));
    let before = events(&world, &ana, chat);

    let home = TempDir::new().expect("a directory");
    let moved = home.path().join("data");
    let said = refused(on_a_laptop(&moved, &["data", "import", &at("rest")]));
    assert!(said.contains("import the full one that it names first"), "{said}");
    for archive in ["full", "rest"] {
        let out = done(on_a_laptop(&moved, &["data", "import", &at(archive)]));
        assert!(out.contains("was imported, read back and compared"), "{out}");
    }
    // The keys, so that nobody has to log in anew.
    fs::create_dir_all(moved.join("keys")).expect("a directory");
    for entry in fs::read_dir(data.join("keys")).expect("a directory") {
        let path = entry.expect("an entry").path();
        let to = moved.join("keys").join(path.file_name().expect("a name"));
        fs::copy(path, to).expect("a copy");
    }
    let there = World::on_a_laptop(home);
    assert_eq!(events(&there, &ana, chat), before);
    let call = Call::new("GET", "/v1/sessions").token(&bob.token);
    assert_ne!(there.call(call).status, 401, "the token is good there");
    let mut phone = there.device(&ana, Encoding::MsgPack).await;
    assert_eq!(phone.tells(chat, "five").await, 5);
    assert!(!there.log_in_with(&world.email("ana"), "correct horse").token.is_empty());

    // If they stay after all, they go on here.
    done(beside(&data, &["read-only", "off"]));
    world.send(&bob, chat, &fresh_id().to_string(), &words("here")).expect(201);
    let said = refused(on_a_laptop(&there.data(), &["data", "import", &at("full")]));
    assert!(said.contains("another server"), "{said}");
}

#[test]
fn what_cannot_be_moved_is_named() {
    let dir = TempDir::new().expect("a directory");
    let at = |name: &str| dir.path().join(name);
    let none = at("none").display().to_string();
    let archive = at("archive").display().to_string();
    let said = refused(on_a_laptop(&at("nowhere"), &["data", "export", &archive]));
    assert!(said.contains("there is no data directory"), "{said}");
    assert!(!at("nowhere").exists());
    fs::create_dir(at("empty")).expect("a directory");
    let said = refused(on_a_laptop(&at("empty"), &["data", "export", &archive]));
    assert!(said.contains("there is no store"), "{said}");
    for command in ["import", "verify"] {
        let said = refused(on_a_laptop(&at("empty"), &["data", command, &none]));
        assert!(said.contains("there is no archive"), "{said}");
    }
    let said = refused(on_a_laptop(&at("empty"), &["read-only", "on"]));
    assert!(said.contains("admin-address"), "{said}");
}
