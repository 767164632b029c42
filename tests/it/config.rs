//! Settings, as an operator meets them.

use std::fs;

use crate::support::world::{barterline, run};

#[test]
fn the_effective_settings_are_printed() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("barterline.toml");
    fs::write(&file, "[socket]\nheartbeat_ms = 5000\n").expect("a file");
    let mut command = barterline();
    command.args(["config", "--listen", "127.0.0.1:99", "--config"]).arg(&file);
    command.env("BARTERLINE_SOCKET__HELLO_TIMEOUT_MS", "700");
    let (code, out, err) = run(command);
    assert_eq!((code, err.as_str()), (0, ""));
    for line in ["heartbeat_ms = 5000", "hello_timeout_ms = 700", "listen = \"127.0.0.1:99\""] {
        assert!(out.lines().any(|printed| printed == line), "{line} in:\n{out}");
    }
}

#[test]
fn every_mistake_is_told_before_anything_starts() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let mut command = barterline();
    command.args(["serve", "--listen", "nowhere", "--data"]).arg(&data);
    command.env("BARTERLINE_SOCKET__HEARTBEAT_MS", "1").env("BARTERLINE_SOKET__X", "1");
    let (code, out, err) = run(command);
    assert_eq!((code, out.as_str()), (2, ""));
    for part in [
        "--listen: `server.listen` cannot be \"nowhere\"; allowed: ADDRESS:PORT",
        "`socket.heartbeat_ms` cannot be \"1\"; allowed: 1000 to 600000",
        "there is no section `soket`",
    ] {
        assert!(err.contains(part), "{part:?} in {err:?}");
    }
    assert!(!data.exists(), "nothing was started");
}

#[test]
fn the_version_is_one_line() {
    let mut command = barterline();
    command.arg("version");
    let expected = format!("barterline {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(command), (0, expected, String::new()));
}

#[test]
fn an_unknown_flag_is_a_mistake() {
    let mut command = barterline();
    command.args(["serve", "--lisen", "127.0.0.1:0"]);
    let (code, out, err) = run(command);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("--lisen"), "{err}");
}
