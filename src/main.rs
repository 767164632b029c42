//! Arguments and exit code.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use barterline::config::{Flags, Settings};
use barterline::lifecycle::{self, Mode};
use barterline::telemetry;
use clap::{Args, Parser, Subcommand};

/// Chat-first marketplace server.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the server.
    Serve {
        #[command(flatten)]
        common: Common,
        /// Seeds two accounts, some listings and a chat.
        #[arg(long)]
        demo: bool,
        /// Offers routes that make accounts with tokens; only on loopback addresses.
        #[arg(long)]
        load_test: bool,
    },
    /// Prints the settings in effect, without secrets.
    Config {
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Args)]
struct Common {
    /// TOML file with settings.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address for clients; port 0 takes any free one [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    /// Address for operators [default: 127.0.0.1:8081].
    #[arg(long, value_name = "ADDR:PORT")]
    admin_listen: Option<SocketAddr>,
    /// Directory of the embedded store [default: data].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Common {
    fn load(self) -> Result<Settings, String> {
        let Self { config, listen, admin_listen, data } = self;
        let flags = Flags { listen, admin_listen, data };
        Settings::load(config.as_deref(), &flags).map_err(|error| error.to_string())
    }
}

/// The settings or arguments cannot be used.
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve { common, demo, load_test } => match common.load() {
            Ok(settings) => serve(settings, Mode { demo, load_test }),
            Err(error) => fail(EXIT_USAGE, &error),
        },
        Command::Config { common } => match common.load() {
            Ok(settings) => {
                print!("{}", settings.to_toml());
                ExitCode::SUCCESS
            }
            Err(error) => fail(EXIT_USAGE, &error),
        },
    }
}

fn serve(settings: Settings, mode: Mode) -> ExitCode {
    telemetry::tracing::start(&settings.log.level, settings.log.json);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(1, &format!("cannot start: {error}")),
    };
    match runtime.block_on(lifecycle::serve(settings, mode)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &format!("{error:#}")),
    }
}

fn fail(code: u8, message: &str) -> ExitCode {
    eprintln!("barterline: {message}");
    ExitCode::from(code)
}
