//! Where servers under test keep everything: in their data directories or, when the environment
//! names a database, all of them in the same keyspaces of it. What is there is no test's alone then.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

/// A day of microseconds: further than clocks may be apart.
const DAY: u64 = 86_400_000_000;

#[expect(clippy::disallowed_methods, reason = "a test is told its database by the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(format!("BARTERLINE_TEST_CQL{name}")).ok()
}

/// Whether servers keep everything in a cluster.
pub fn is_cluster() -> bool {
    variable("").is_some()
}

/// The settings by which a server uses the backend under test.
pub fn settings() -> Vec<(&'static str, String)> {
    let Some(server) = variable("") else { return Vec::new() };
    let told = |name, usual: &str| variable(name).unwrap_or_else(|| usual.to_owned());
    let prefix = variable("_PREFIX").expect("BARTERLINE_TEST_CQL_PREFIX=prefix of new keyspaces");
    let datacenter = told("_DATACENTER", "datacenter1");
    vec![
        ("BARTERLINE_STORAGE__BACKEND", "scylla".to_owned()),
        ("BARTERLINE_SCYLLA__CONTACT_POINTS", server),
        ("BARTERLINE_SCYLLA__USER", told("_USER", "cassandra")),
        ("BARTERLINE_SCYLLA__PASSWORD", told("_PASSWORD", "cassandra")),
        ("BARTERLINE_SCYLLA__REPLICATION", format!("{datacenter}:1")),
        ("BARTERLINE_SCYLLA__DATACENTER", datacenter),
        ("BARTERLINE_SCYLLA__KEYSPACE_PREFIX", prefix),
    ]
}

/// Gives a data directory the keys that every server of the database under test has to have.
pub fn share_keys(data: &Path) {
    // Drawn for these tests.
    const KEYS: &str =
        r#"[{"id":"dR1oB0x2vbM","secret":"ann6fMSXqBwY4YU9Awqpr9cNJaJK2elfEwmemjXv48Q"}]"#;
    let keys = data.join("keys");
    if is_cluster() && !keys.join("data-keys.json").exists() {
        let mut dirs = DirBuilder::new();
        // Where nothing can be made the server says so itself.
        let _ = dirs.recursive(true).mode(0o700).create(&keys);
        let mut options = OpenOptions::new();
        let file =
            options.write(true).create_new(true).mode(0o600).open(keys.join("data-keys.json"));
        let _ = file.and_then(|mut file| file.write_all(KEYS.as_bytes()));
    }
}

/// A position so far above `position` that no server can have given it out.
pub fn unknown_position(position: u64) -> u64 {
    position + if is_cluster() { DAY } else { 1_000 }
}

/// Ends a test on a cluster that is about the embedded store itself. By what it prints,
/// `cargo xtask backends` knows of the test, and lists it with the reason.
macro_rules! embedded_only {
    ($why:literal) => {
        if $crate::support::backend::is_cluster() {
            println!("embedded only: {}", $why);
            return;
        }
    };
}

pub(crate) use embedded_only;
