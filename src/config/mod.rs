//! Settings: defaults, then a TOML file, then the environment (`BARTERLINE_SECTION__KEY`), then
//! flags. Unknown keys are refused, and everything is checked before anything starts.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use serde::{Deserialize, Serialize};

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Addresses.
    pub server: Server,
    /// Files.
    pub storage: Storage,
    /// Sockets.
    pub socket: Socket,
    /// Accounts.
    pub accounts: Accounts,
    /// The server's own log.
    pub log: Log,
}

/// Addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Where clients connect, REST and sockets. Port 0: any free one.
    pub listen: SocketAddr,
    /// Where operators connect: health, metrics, commands. Keep it off the internet.
    pub admin_listen: SocketAddr,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            admin_listen: SocketAddr::from(([127, 0, 0, 1], 8081)),
        }
    }
}

/// Files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    /// Directory of the embedded store, created if it is missing.
    pub data: PathBuf,
    /// Bytes of a segment of the chat log: 1 MiB to 1 GiB, a multiple of 1 MiB. The same for the
    /// life of a data directory.
    pub segment_bytes: u64,
}

impl Default for Storage {
    fn default() -> Self {
        Self { data: PathBuf::from("data"), segment_bytes: 32 << 20 }
    }
}

/// Sockets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Socket {
    /// For `hello` to come, in milliseconds: 100 to 60,000.
    pub hello_timeout_ms: u64,
    /// Between signs of life, in milliseconds: 1,000 to 600,000. A client that misses three is
    /// gone.
    pub heartbeat_ms: u64,
}

impl Default for Socket {
    fn default() -> Self {
        Self { hello_timeout_ms: 10_000, heartbeat_ms: 30_000 }
    }
}

/// Accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Accounts {
    /// Passwords hashed at once: 1 to 256. Each takes 19 MiB and a core.
    pub hashes_at_once: usize,
    /// Password hashes that may wait for their turn: 0 to 10,000. Beyond, the answer is 503.
    pub hashes_waiting: usize,
}

impl Default for Accounts {
    fn default() -> Self {
        Self { hashes_at_once: 2, hashes_waiting: 64 }
    }
}

/// The server's own log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// What is written: `error`, `warn`, `info`, `debug`, `trace`, or directives such as
    /// `info,barterline::gateway=debug`.
    pub level: String,
    /// One JSON object a line instead of text for people.
    pub json: bool,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), json: false }
    }
}

/// What was given on the command line.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--listen`.
    pub listen: Option<SocketAddr>,
    /// `--admin-listen`.
    pub admin_listen: Option<SocketAddr>,
    /// `--data`.
    pub data: Option<PathBuf>,
}

/// Settings that cannot be used, each with its key and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Invalid(pub Vec<String>);

impl Settings {
    /// Gathers the settings from everywhere and checks them.
    pub fn load(file: Option<&Path>, flags: &Flags) -> Result<Self, Invalid> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        if let Some(file) = file {
            if !file.is_file() {
                return Err(Invalid(vec![format!("--config {}: no such file", file.display())]));
            }
            figment = figment.merge(Toml::file_exact(file));
        }
        // What the tests are told is not for the server.
        let environment = Env::prefixed("BARTERLINE_")
            .filter(|key| !key.as_str().to_ascii_uppercase().starts_with("TEST_"))
            .split("__");
        figment = figment.merge(environment);
        let flag = |figment: Figment, key: &str, value: Option<String>| match value {
            Some(value) => figment.merge(Serialized::default(key, value)),
            None => figment,
        };
        figment = flag(figment, "server.listen", flags.listen.map(|at| at.to_string()));
        figment = flag(figment, "server.admin_listen", flags.admin_listen.map(|at| at.to_string()));
        let data = flags.data.as_ref().map(|data| data.display().to_string());
        figment = flag(figment, "storage.data", data);
        let settings: Self = figment.extract().map_err(|errors| {
            Invalid(errors.into_iter().map(|error| error.to_string()).collect())
        })?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), Invalid> {
        let mut wrong = Vec::new();
        let mut within = |key: &str, value: u64, least: u64, most: u64| {
            if !(least..=most).contains(&value) {
                wrong.push(format!("{key} is {value}: allowed are {least} to {most}"));
            }
        };
        within("storage.segment_bytes", self.storage.segment_bytes, 1 << 20, 1 << 30);
        within("socket.hello_timeout_ms", self.socket.hello_timeout_ms, 100, 60_000);
        within("socket.heartbeat_ms", self.socket.heartbeat_ms, 1_000, 600_000);
        within("accounts.hashes_at_once", self.accounts.hashes_at_once as u64, 1, 256);
        within("accounts.hashes_waiting", self.accounts.hashes_waiting as u64, 0, 10_000);
        if !self.storage.segment_bytes.is_multiple_of(1 << 20) {
            wrong.push("storage.segment_bytes must be a multiple of 1048576".to_owned());
        }
        if let Err(error) = self.log.level.parse::<tracing_subscriber::EnvFilter>() {
            wrong.push(format!("log.level is {:?}: {error}", self.log.level));
        }
        let (listen, admin) = (self.server.listen, self.server.admin_listen);
        if listen == admin && listen.port() != 0 {
            wrong.push("server.listen and server.admin_listen are the same address".to_owned());
        }
        if wrong.is_empty() { Ok(()) } else { Err(Invalid(wrong)) }
    }

    /// The settings as TOML, without secrets (there are none among them yet).
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).unwrap_or_default()
    }
}

#[cfg(test)]
#[expect(clippy::result_large_err, reason = "the signature that figment's jail asks for")]
mod tests {
    use figment::Jail;

    use super::*;

    fn load(file: Option<&str>, flags: &Flags) -> Result<Settings, Invalid> {
        Settings::load(file.map(Path::new), flags)
    }

    #[test]
    fn later_sources_win() {
        Jail::expect_with(|jail| {
            jail.create_file("a.toml", "[socket]\nheartbeat_ms = 5000\nhello_timeout_ms = 500\n")?;
            jail.set_env("BARTERLINE_SOCKET__HEARTBEAT_MS", "7000");
            jail.set_env("BARTERLINE_TEST_CQL", "ignored");
            let flags = Flags { data: Some("elsewhere".into()), ..Flags::default() };
            let settings = load(Some("a.toml"), &flags).expect("sound settings");
            assert_eq!(settings.socket, Socket { hello_timeout_ms: 500, heartbeat_ms: 7_000 });
            assert_eq!(settings.storage.data, PathBuf::from("elsewhere"));
            assert_eq!(settings.server, Server::default());
            Ok(())
        });
    }

    #[test]
    fn mistakes_are_named() {
        Jail::expect_with(|jail| {
            let check = |text: &str, named: &[&str]| {
                jail.create_file("a.toml", text).expect("a file");
                let error = load(Some("a.toml"), &Flags::default()).expect_err(text).to_string();
                assert!(named.iter().all(|name| error.contains(name)), "{text}: {error}");
            };
            check("[socket]\nheart = 1", &["heart"]);
            check("sockets = 1", &["sockets"]);
            check("[server]\nlisten = \"nowhere\"", &["listen"]);
            check("[log]\nlevel = \"a=b=c\"", &["log.level"]);
            check(
                "[socket]\nheartbeat_ms = 1\n[accounts]\nhashes_at_once = 0",
                &[
                    "socket.heartbeat_ms is 1: allowed are 1000 to 600000",
                    "accounts.hashes_at_once",
                ],
            );
            assert!(load(Some("missing.toml"), &Flags::default()).is_err());
            Ok(())
        });
    }

    #[test]
    fn what_is_printed_can_be_read() {
        let settings = Settings::default();
        assert_eq!(toml::from_str::<Settings>(&settings.to_toml()), Ok(settings));
    }
}
