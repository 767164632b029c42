//! The command line: what may be asked of the binary, and what its exit codes mean.
//!
//! 0: done. 1: it could not be done (the line on standard error says what to do). 2: the command
//! or a setting is wrong. Standard output carries the answer and nothing else.

use std::io::{BufRead as _, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use barterline_domain::account::AccountRole;
use barterline_domain::ids::{ReportId, UserId};
use clap::{Args, Parser, Subcommand};
use serde_json::json;

use crate::admin;
use crate::admin::client::Question;
use crate::app;
use crate::config::{Assignment, Mistakes, Server, Settings, Sources};
use crate::data;
use crate::keys;
use crate::lifecycle::{self, Mode};
use crate::listings;
use crate::schema;
use crate::search;
use crate::telemetry;

/// The command or a setting is wrong.
const WRONG_USAGE: u8 = 2;
/// For tasks to end once the server has said goodbye.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// Chat-first marketplace server.
#[derive(Debug, Parser)]
#[command(name = "barterline", version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the server.
    Serve(Serve),
    /// Print what the server of a data directory is doing, as JSON.
    Status(Flags),
    /// Print what people reported, newest first, as JSON; with ID one report and its messages.
    Reports(Reports),
    /// Keep an account out of a running server, or let it in again.
    Suspend(Suspend),
    /// Make accounts with roles on a running server, or give others roles.
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Print what staff did, oldest first, as JSON.
    Audit(Audit),
    /// Look at the tables of the cluster, or make them.
    #[command(subcommand)]
    Schema(Schema),
    /// Write everything into an archive, or fill a store from one.
    #[command(subcommand)]
    Data(Data),
    /// Change what signs tokens and seals values: servers use it from their next start on.
    #[command(subcommand)]
    Keys(Keys),
    /// Put things up for sale.
    #[command(subcommand)]
    Listings(Listings),
    /// Look after the search index of a running server.
    #[command(subcommand)]
    Search(Search),
    /// Have a running server take no writes, so that it can be moved, or take them again.
    ReadOnly(ReadOnly),
    /// Print the effective settings as TOML, without secrets.
    Config(Show),
    /// Print the document of the HTTP interface (OpenAPI 3.1).
    Openapi,
    /// Print the version.
    Version,
}

/// Settings that have a flag.
#[derive(Debug, Args)]
struct Flags {
    /// Address and port for clients; port 0 takes any free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// Address and port for the operator [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDR:PORT")]
    admin_listen: Option<String>,
    /// Address and port for clients under TLS, beside --listen
    #[arg(long, value_name = "ADDR:PORT")]
    tls_listen: Option<String>,
    /// Chain of certificates for --tls-listen (PEM)
    #[arg(long, value_name = "FILE")]
    tls_certificate: Option<String>,
    /// Private key for --tls-listen (PEM)
    #[arg(long, value_name = "FILE")]
    tls_key: Option<String>,
    /// Directory of everything that is kept [default: ./data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Settings file (TOML)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Serve {
    #[command(flatten)]
    flags: Flags,
    /// Seed two accounts, some listings and a chat
    #[arg(long)]
    demo: bool,
    /// Open routes on the admin port that make accounts in bulk; on loopback only
    #[arg(long)]
    load_test: bool,
}

#[derive(Debug, Args)]
struct Reports {
    #[command(flatten)]
    flags: Flags,
    /// The report to print whole
    id: Option<ReportId>,
    /// Those older than this report
    #[arg(long, value_name = "ID", conflicts_with = "id")]
    before: Option<ReportId>,
}

#[derive(Debug, Args)]
struct Suspend {
    #[command(flatten)]
    flags: Flags,
    /// The account
    user: UserId,
    /// Let it in again
    #[arg(long)]
    lift: bool,
}

#[derive(Debug, Subcommand)]
enum AdminCommand {
    /// Make an account that may do everything. Prints it, and a code to set a password by if none is given.
    Create {
        #[command(flatten)]
        flags: Flags,
        /// To log in by
        #[arg(long)]
        email: String,
        /// What others call them
        #[arg(long, default_value = "Admin")]
        name: String,
        /// Read the password from standard input, up to the end of its first line
        #[arg(long)]
        password_stdin: bool,
    },
    /// Print a code by which somebody sets a new password whom no mail reaches: good once, for ten minutes.
    PasswordCode {
        #[command(flatten)]
        flags: Flags,
        /// The address that they log in by
        #[arg(long)]
        email: String,
    },
    /// Let somebody log in by the password alone who lost what makes their codes.
    EndSecondFactor {
        #[command(flatten)]
        flags: Flags,
        /// The account
        user: UserId,
    },
    /// Say what an account may do from here on.
    Roles {
        #[command(flatten)]
        flags: Flags,
        /// The account
        user: UserId,
        /// All that it is to have: user, moderator, admin, service
        #[arg(required = true, value_parser = role)]
        roles: Vec<AccountRole>,
    },
}

fn role(name: &str) -> Result<AccountRole, String> {
    let known = || AccountRole::ALL.map(AccountRole::name).join(", ");
    AccountRole::named(name).ok_or_else(|| format!("roles are {}", known()))
}

#[derive(Debug, Args)]
struct Audit {
    #[command(flatten)]
    flags: Flags,
    /// Those behind the entry of this number
    #[arg(long, value_name = "NUMBER", conflicts_with = "verify")]
    after: Option<u64>,
    /// Read all of it, and fail if an entry is not as it was written
    #[arg(long)]
    verify: bool,
}

#[derive(Debug, Args)]
struct Show {
    #[command(flatten)]
    flags: Flags,
    /// Print every setting with its default and meaning instead
    #[arg(long)]
    reference: bool,
}

#[derive(Debug, Subcommand)]
enum Schema {
    /// Print what `apply` would say to the database.
    Plan(Flags),
    /// Make what is missing. May be run twice, and by several at once.
    Apply(Flags),
    /// Succeed if this program can work with the tables as they are.
    Check(Flags),
    /// Print what the roles of the settings have to be granted. Says nothing to the database.
    Grants(Flags),
}

#[derive(Debug, Subcommand)]
enum Data {
    /// Write everything into an archive, beside a running server or without one. Goes on with an
    /// archive that was begun.
    Export {
        #[command(flatten)]
        flags: Flags,
        /// A directory for the archive
        dir: PathBuf,
        /// A full archive of the same store: write only what changed since then
        #[arg(long, value_name = "DIR")]
        since: Option<PathBuf>,
    },
    /// Fill a store that no server has used yet, read everything back and compare. Goes on with an
    /// import that was begun.
    Import {
        #[command(flatten)]
        flags: Flags,
        /// The archive's directory
        dir: PathBuf,
    },
    /// Read an archive, and fail if any of it is not as it was written.
    Verify {
        #[command(flatten)]
        flags: Flags,
        /// The archive's directory
        dir: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
enum Listings {
    /// Have a running server put up for sale what a file has, a body of `POST /v1/listings` in each line. Said
    /// twice, all is there twice.
    Import {
        #[command(flatten)]
        flags: Flags,
        /// A file of lines of JSON
        file: PathBuf,
        /// The id of whose they are
        #[arg(long, value_name = "ID")]
        seller: UserId,
        /// The first line that is read
        #[arg(long, value_name = "NUMBER", default_value_t = 1)]
        from_line: usize,
    },
}

#[derive(Debug, Subcommand)]
enum Search {
    /// How the index of a running server is.
    Status(Flags),
    /// Have a running server make its index anew from the store, while the one that there is goes on. Waits
    /// until it is done.
    Rebuild(Flags),
}

#[derive(Debug, Subcommand)]
enum Keys {
    /// Put new keys behind the others, which no server uses yet: copy the files to all servers of a
    /// cluster and start these anew, one after the other, before you rotate.
    Prepare(Flags),
    /// Use the prepared keys, or new ones, for what is new. What earlier ones made stays good.
    Rotate(Flags),
    /// Have a running server seal anew what earlier keys sealed of people. May be said again.
    Reseal(Flags),
}

#[derive(Debug, Args)]
struct ReadOnly {
    #[command(flatten)]
    flags: Flags,
    /// Whether it is to be so
    #[arg(value_enum)]
    state: Switch,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Switch {
    /// Take no writes
    On,
    /// Take writes again
    Off,
}

/// Reads the command line and does what it says.
pub fn run() -> ExitCode {
    // Prints help and mistakes by itself, with the codes 0 and 2.
    match Cli::parse().command {
        Command::Serve(serve) => start(serve),
        Command::Config(show) if show.reference => print(&Settings::reference()),
        Command::Config(show) => match show.flags.load() {
            Ok(settings) => print(&settings.to_toml()),
            Err(mistakes) => wrong(&mistakes.to_string()),
        },
        Command::Status(flags) => ask(flags, "GET", "/status"),
        Command::Reports(Reports { flags, id: Some(id), .. }) => {
            ask(flags, "GET", &format!("/reports/{id}"))
        }
        Command::Reports(Reports { flags, before, .. }) => {
            let before = before.map(|id| format!("?before={id}")).unwrap_or_default();
            ask(flags, "GET", &format!("/reports{before}"))
        }
        Command::Suspend(Suspend { flags, user, lift }) => {
            let method = if lift { "DELETE" } else { "PUT" };
            ask(flags, method, &format!("/accounts/{user}/suspension"))
        }
        Command::Admin(AdminCommand::Create { flags, email, name, password_stdin }) => {
            create_admin(flags, &email, &name, password_stdin)
        }
        Command::Admin(AdminCommand::PasswordCode { flags, email }) => {
            let body = json!({ "email": email }).to_string();
            let question = Question { method: "POST", path: "/password-codes", body: Some(&body) };
            ask_within(admin::client::TIMEOUT, flags, &question)
        }
        Command::Admin(AdminCommand::Roles { flags, user, roles }) => {
            let path = format!("/accounts/{user}/roles");
            let body = json!({ "roles": roles }).to_string();
            let question = Question { method: "PUT", path: &path, body: Some(&body) };
            ask_within(admin::client::TIMEOUT, flags, &question)
        }
        Command::Admin(AdminCommand::EndSecondFactor { flags, user }) => {
            ask(flags, "DELETE", &format!("/accounts/{user}/second-factor"))
        }
        Command::Audit(Audit { flags, verify: true, .. }) => {
            let question = Question { method: "GET", path: "/audit/verification", body: None };
            ask_within(VERIFY_TIMEOUT, flags, &question)
        }
        Command::Audit(Audit { flags, after, .. }) => {
            let after = after.map(|number| format!("?after={number}")).unwrap_or_default();
            ask(flags, "GET", &format!("/audit{after}"))
        }
        Command::Schema(Schema::Plan(flags)) => tables(flags, schema::Task::Plan),
        Command::Schema(Schema::Apply(flags)) => tables(flags, schema::Task::Apply),
        Command::Schema(Schema::Check(flags)) => tables(flags, schema::Task::Check),
        Command::Schema(Schema::Grants(flags)) => with_settings(flags, schema::grants),
        Command::Data(Data::Export { flags, dir, since }) => {
            move_data(flags, data::Task::Export { dir, since })
        }
        Command::Data(Data::Import { flags, dir }) => move_data(flags, data::Task::Import { dir }),
        Command::Data(Data::Verify { flags, dir }) => move_data(flags, data::Task::Verify { dir }),
        Command::Listings(Listings::Import { flags, file, seller, from_line }) => {
            let seller = seller.to_string();
            with_settings(flags, |settings| listings::import(settings, &file, &seller, from_line))
        }
        Command::Search(Search::Status(flags)) => ask(flags, "GET", "/search"),
        Command::Search(Search::Rebuild(flags)) => with_settings(flags, search::rebuild),
        Command::Keys(Keys::Prepare(flags)) => change_keys(flags, keys::Task::Prepare),
        Command::Keys(Keys::Rotate(flags)) => change_keys(flags, keys::Task::Rotate),
        Command::Keys(Keys::Reseal(flags)) => {
            let question = Question { method: "POST", path: "/keys/reseal", body: None };
            ask_within(RESEAL_TIMEOUT, flags, &question)
        }
        Command::ReadOnly(ReadOnly { flags, state: Switch::On }) => hold(flags, "PUT"),
        Command::ReadOnly(ReadOnly { flags, state: Switch::Off }) => hold(flags, "DELETE"),
        Command::Openapi => print_bytes(app::document().text()),
        Command::Version => print(concat!("barterline ", env!("CARGO_PKG_VERSION"), "\n")),
    }
}

/// For what is under way to end before a server is read-only.
const HOLD_TIMEOUT: Duration = Duration::from_secs(30);

/// Has the running server take no writes, or take them again.
fn hold(flags: Flags, method: &str) -> ExitCode {
    ask_within(HOLD_TIMEOUT, flags, &Question { method, path: "/read-only", body: None })
}

/// For all accounts to be gone through. A server that is cut off is asked again.
const RESEAL_TIMEOUT: Duration = Duration::from_hours(1);
/// For all of the audit log to be read.
const VERIFY_TIMEOUT: Duration = Duration::from_mins(10);
/// Longest line that is read as a password, in bytes.
const LINE_BYTES_MAX: u64 = 4 << 10;

/// Has the running server make an account that may do everything.
fn create_admin(flags: Flags, email: &str, name: &str, password_stdin: bool) -> ExitCode {
    let roles = [AccountRole::User, AccountRole::Admin];
    let mut body = json!({ "email": email, "name": name, "roles": roles });
    if password_stdin {
        match read_line() {
            Ok(line) => body["password"] = json!(line),
            Err(error) => return wrong(&format!("cannot read the password: {error}")),
        }
    }
    let body = body.to_string();
    ask_within(
        HOLD_TIMEOUT,
        flags,
        &Question { method: "POST", path: "/accounts", body: Some(&body) },
    )
}

/// The first line of standard input, without its end.
fn read_line() -> std::io::Result<String> {
    let mut line = String::new();
    std::io::stdin().lock().take(LINE_BYTES_MAX).read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Has the running server answer.
fn ask(flags: Flags, method: &str, path: &str) -> ExitCode {
    ask_within(admin::client::TIMEOUT, flags, &Question { method, path, body: None })
}

fn ask_within(timeout: Duration, flags: Flags, question: &Question<'_>) -> ExitCode {
    let settings = match flags.load() {
        Ok(settings) => settings,
        Err(mistakes) => return wrong(&mistakes.to_string()),
    };
    match admin::client::ask_within(timeout, &settings.storage.data, question) {
        Ok(answer) if answer.is_empty() => ExitCode::SUCCESS,
        Ok(answer) => print(&format!("{answer}\n")),
        Err(error) => {
            say(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Moves what a store holds.
fn move_data(flags: Flags, task: data::Task) -> ExitCode {
    with_settings(flags, |settings| data::run(settings, task))
}

/// Changes the keys of a data directory.
fn change_keys(flags: Flags, task: keys::Task) -> ExitCode {
    with_settings(flags, |settings| keys::run(settings, task))
}

/// Does something about the tables of the cluster.
fn tables(flags: Flags, task: schema::Task) -> ExitCode {
    // No log: what the driver has to say about each node would hide the line that says what to do.
    with_settings(flags, |settings| schema::run(&settings.scylla, task))
}

/// Prints what comes of the settings.
fn with_settings(
    flags: Flags,
    answer: impl FnOnce(&Settings) -> anyhow::Result<String>,
) -> ExitCode {
    let settings = match flags.load() {
        Ok(settings) => settings,
        Err(mistakes) => return wrong(&mistakes.to_string()),
    };
    match answer(&settings) {
        Ok(answer) => print(&format!("{answer}\n")),
        Err(error) => {
            say(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn start(serve: Serve) -> ExitCode {
    let settings = match serve.flags.load() {
        Ok(settings) => settings,
        Err(mistakes) => return wrong(&mistakes.to_string()),
    };
    let Server { listen, admin_listen, tls_listen, .. } = settings.server;
    let loopback = |address: SocketAddr| address.ip().is_loopback();
    let on_loopback = [listen, Some(admin_listen), tls_listen].into_iter().flatten().all(loopback);
    if serve.load_test && !on_loopback {
        return wrong(
            "--load-test hands out accounts to anybody: it is allowed only with `server.listen`, \
             `server.admin_listen` and `server.tls_listen` on a loopback address",
        );
    }
    let mode = Mode { demo: serve.demo, load_test: serve.load_test };
    match run_server(settings, mode) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run_server(settings: Settings, mode: Mode) -> anyhow::Result<()> {
    telemetry::tracing::start(&settings.log.level, settings.log.json);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(lifecycle::serve(settings, mode));
    // Connections that did not end in time must not hold the process.
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    result
}

impl Flags {
    fn load(self) -> Result<Settings, Mistakes> {
        let flag = |flag, section, key, value: Option<String>| {
            value.map(|value| Assignment::flag(flag, section, key, &value))
        };
        let flags = [
            flag("--listen", "server", "listen", self.listen),
            flag("--admin-listen", "server", "admin_listen", self.admin_listen),
            flag("--tls-listen", "server", "tls_listen", self.tls_listen),
            flag("--tls-certificate", "server", "tls_certificate", self.tls_certificate),
            flag("--tls-key", "server", "tls_key", self.tls_key),
            flag("--data", "storage", "data", self.data),
        ];
        let flags = flags.into_iter().flatten().collect();
        Settings::load(&Sources::of_process(self.config, flags))
    }
}

fn print(text: &str) -> ExitCode {
    print_bytes(text.as_bytes())
}

fn print_bytes(bytes: &[u8]) -> ExitCode {
    match std::io::stdout().write_all(bytes) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader went away.
        Err(_) => ExitCode::FAILURE,
    }
}

fn wrong(mistake: &str) -> ExitCode {
    say(mistake);
    ExitCode::from(WRONG_USAGE)
}

fn say(text: &str) {
    // Where nobody listens there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "barterline: {text}");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
