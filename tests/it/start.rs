//! Starting and stopping: what scripts rely on, and what an operator reads when it goes wrong.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use rustix::process::{Resource, Rlimit, Signal, prlimit};
use serde_json::Value;

use crate::support::tls::{Certificate, Files};
use crate::support::world::{barterline, run, serve};
use crate::support::{Call, World, backend, embedded_only};

/// Runs a start that must fail with one line.
#[track_caller]
pub fn refused(command: std::process::Command, code: i32, says: &[&str]) {
    let (found, out, err) = run(command);
    assert_eq!(found, code, "{err}");
    assert_eq!(out, "", "nothing on standard output");
    let line = err.lines().find(|line| line.starts_with("barterline: ")).unwrap_or_default();
    for part in says {
        assert!(line.contains(part), "{part:?} in {err:?}");
    }
}

#[test]
fn it_stops_when_told_and_keeps_what_it_has() {
    let world = World::new();
    let ana = world.person("ana");
    let listing = world.listing(&ana);
    let world = world.restart();
    world.log_in("ana");
    world.get(&format!("/v1/listings/{listing}")).expect(200);
}

#[test]
fn keys_are_changed_and_what_earlier_ones_made_stays_good() {
    let world = World::new();
    let ana = world.person("ana");
    let keys = |data: &std::path::Path, what: &str| {
        let mut command = barterline();
        command.args(["keys", what, "--data"]).arg(data);
        run(command)
    };
    let names = |what: &str| -> [Vec<Value>; 2] {
        let (code, out, err) = keys(&world.data(), what);
        assert_eq!((code, err.as_str()), (0, ""));
        let changed: Value = serde_json::from_str(&out).expect("JSON");
        let names = |of: &str| changed[of].as_array().expect("names").clone();
        [names("access_tokens"), names("data_keys")]
    };
    for names in names("prepare") {
        assert_eq!(names.len(), 2);
    }
    let [tokens, values] = names("rotate");
    assert_eq!((tokens.len(), values.len()), (2, 2), "the prepared ones are used");
    let (code, _, err) = keys(&world.data().join("nowhere"), "rotate");
    assert_eq!(code, 1);
    assert!(err.contains("there is no directory") && err.contains("--data"), "{err}");
    let empty = world.data().join("empty");
    fs::create_dir_all(empty.join("keys")).expect("a directory");
    let (code, _, err) = keys(&empty, "rotate");
    assert_eq!(code, 1);
    assert!(err.contains("no keys"), "{err}");

    let world = world.restart();
    let me = |token: &str| world.call(Call::new("GET", "/v1/accounts/me").token(token));
    me(&ana.token).expect(200);
    let later = world.log_in("ana");
    me(&later.token).expect(200);
    let signed_by = |token: &str| token.rsplit('.').next().map(str::to_owned);
    assert_ne!(signed_by(&ana.token), signed_by(&later.token));
}

#[test]
fn scripts_read_the_addresses_from_the_first_line() {
    let mut world = World::new();
    let (listening, admin) = (world.listening, world.admin);
    let expected = format!("{{\"listening\":\"{listening}\",\"admin\":\"{admin}\"}}\n");
    assert_eq!(world.first_line, expected);
    assert!(world.stop().success());
    assert_eq!(world.more_output(), "", "nothing else on standard output");
}

#[test]
fn both_signals_end_it_well() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut world = World::new();
        world.signal(signal);
        assert!(world.ended().success(), "{signal:?}");
    }
}

#[test]
fn a_second_server_on_the_same_directory_is_told_who_has_it() {
    let world = World::new();
    let holder = format!("process {}", world.pid());
    refused(serve(&world.data()), 1, &["another server", &holder, "--data"]);
    world.get("/v1/accounts/me").problem(401, "token.invalid");
}

#[test]
fn an_address_in_use_is_named_with_its_flag() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let dir = tempfile::tempdir().expect("a directory");
    let files = Files::within(dir.path());
    files.hold(&Certificate::new());
    for flag in ["--listen", "--admin-listen", "--tls-listen"] {
        let mut command = barterline();
        command.arg("serve").args(files.flags()).arg("--data").arg(dir.path());
        for other in ["--listen", "--admin-listen", "--tls-listen"] {
            command.args([other, if other == flag { &address } else { "127.0.0.1:0" }]);
        }
        refused(command, 1, &[&address, flag, "in use"]);
    }
}

#[test]
fn a_data_directory_that_is_a_file_is_refused() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    refused(serve(file.path()), 1, &["is a file", "--data"]);
}

#[test]
fn a_data_directory_that_cannot_be_written_is_refused() {
    let root = tempfile::tempdir().expect("a directory");
    // Not even root makes directories there.
    refused(serve("/proc/barterline".as_ref()), 1, &["/proc/barterline", "cannot be written"]);
    let closed = root.path().join("closed");
    fs::create_dir(&closed).expect("a directory");
    fs::set_permissions(&closed, Permissions::from_mode(0o500)).expect("a mode");
    if fs::write(closed.join("probe"), "").is_err() {
        refused(serve(&closed), 1, &["closed", "cannot be written"]);
    }
}

#[test]
fn what_is_kept_is_for_the_owner_alone() {
    let world = World::new();
    let mode = |path: &str| {
        let metadata = fs::metadata(world.data().join(path)).expect(path);
        metadata.permissions().mode() & 0o777
    };
    let (mut dirs, mut files) = (vec!["", "keys"], vec!["admin-token", "keys/access-tokens.json"]);
    if backend::is_cluster() {
        assert!(!world.data().join("messages").exists(), "everything else is in the cluster");
    } else {
        dirs.extend(["messages", "messages/log"]);
        files.extend(["credentials.redb", "main.redb", "messages/index.redb"]);
    }
    for dir in dirs {
        assert_eq!(mode(dir), 0o700, "{dir}");
    }
    for file in files {
        assert_eq!(mode(file), 0o600, "{file}");
    }
}

#[test]
fn keys_that_others_may_have_read_are_refused() {
    let mut world = World::new();
    assert!(world.stop().success());
    let keys = world.data().join("keys/access-tokens.json");
    fs::set_permissions(&keys, Permissions::from_mode(0o644)).expect("a mode");
    refused(serve(&world.data()), 1, &["keys/access-tokens.json", "chmod"]);
    fs::set_permissions(&keys, Permissions::from_mode(0o600)).expect("a mode");
    fs::write(&keys, "nonsense").expect("a file");
    refused(serve(&world.data()), 1, &["keys/access-tokens.json"]);
}

#[test]
fn a_full_disk_loses_nothing_and_is_told() {
    embedded_only!("fills the server's own disk");
    let world = World::new();
    let ana = world.person("ana");
    let listing = world.listing(&ana);
    // From here on no write reaches a file; without a handler the signal would kill the server.
    let full = Rlimit { current: Some(0), maximum: None };
    prlimit(Some(world.process()), Resource::Fsize, full).expect("a limit");
    let refusal = world.register("bob");
    assert!(refusal.headers.contains_key("retry-after"));
    refusal.problem(503, "server.unavailable");
    let ready = Call::new("GET", "/health/ready").send(world.admin).expect(503).json();
    assert_eq!(ready["status"], "unready");
    Call::new("GET", "/health/live").send(world.admin).expect(200);
    world.get(&format!("/v1/listings/{listing}")).expect(200);

    let world = world.restart();
    Call::new("GET", "/health/ready").send(world.admin).expect(200);
    world.log_in("ana");
    world.get(&format!("/v1/listings/{listing}")).expect(200);
    world.register("bob").expect(201);
}

#[test]
fn load_tests_stay_on_loopback() {
    let dir = tempfile::tempdir().expect("a directory");
    for variable in ["BARTERLINE_LISTEN", "BARTERLINE_ADMIN_LISTEN", "BARTERLINE_TLS_LISTEN"] {
        let mut command = barterline();
        command.args(["serve", "--load-test", "--data"]).arg(dir.path());
        command.args(["--tls-certificate", "chain.pem", "--tls-key", "key.pem"]);
        command.env("BARTERLINE_TLS_LISTEN", "127.0.0.1:0");
        command.env(variable, "0.0.0.0:0").env("BARTERLINE_TEST_ANYTHING", "is ignored");
        refused(command, 2, &["--load-test", "loopback"]);
    }
}

/// What Bea sees of the demo: her chats and what is said in the first, without what a start changes.
fn seen(world: &World, password: &str) -> (Vec<Value>, Vec<Value>) {
    let bea = world.log_in_with("bea@demo.example", password);
    let get = |path: &str| world.call(Call::new("GET", path).token(&bea.token)).expect(200).json();
    let rows = get("/v1/chats")["rows"].as_array().expect("rows").clone();
    let chat = rows[0]["chat"].as_str().expect("an id");
    let events = get(&format!("/v1/chats/{chat}/events"))["events"].clone();
    (rows, events.as_array().expect("events").clone())
}

/// One test, as the demo's people have the same addresses on every server of a cluster.
#[test]
fn the_demo_is_a_conversation_seeded_once_and_gone_on_with_when_cut_short() {
    let world = World::demo();
    let password = world.demo_password("bea@demo.example").expect("a password");
    let (rows, events) = seen(&world, &password);
    assert_eq!(rows.len(), 1);
    assert!(events.len() >= 4, "{events:?}");
    assert!(events.iter().any(|event| event["from"] == "seller"), "{events:?}");
    let seeded = (rows, events);
    let world = world.restart_demo();
    assert_eq!(world.demo_password("bea@demo.example"), None, "nothing was seeded");
    assert_eq!(seen(&world, &password), seeded);

    // The last thing that a seeding does did not happen.
    let done = world.data().join("demo-seeded");
    fs::remove_file(&done).expect("it was there");
    let world = world.restart_demo();
    assert_eq!(world.demo_password("bea@demo.example"), Some(password.clone()));
    assert_eq!(seen(&world, &password), seeded, "nothing stands there twice");
    let seller = seeded.0[0]["peer"].as_str().expect("an id");
    let listings = world.get(&format!("/v1/accounts/{seller}/listings")).expect(200).json();
    assert_eq!(listings["listings"].as_array().map(Vec::len), Some(3), "{listings}");
    assert!(done.exists());
}
