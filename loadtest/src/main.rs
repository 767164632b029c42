//! Arguments, signals and the exit code.

use std::process::ExitCode;

use barterline_loadtest::cli::Cli;
use barterline_loadtest::report::{Outcome, Report};
use barterline_loadtest::scenario::{Stop, play};
use clap::Parser as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::LocalSet;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run(&cli) {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(report)) => {
            eprint!("{}", report.summary());
            match report.outcome() {
                Outcome::Kept => ExitCode::SUCCESS,
                Outcome::Broken => ExitCode::from(1),
                Outcome::Invalid => ExitCode::from(2),
            }
        }
        Err(error) => {
            eprintln!("barterline-loadtest: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<Option<Report>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let stop = Stop::default();
        let playing = play(&cli.scenario, &stop);
        tokio::pin!(playing);
        // The first signal ends the talk and still gives a report; the second ends everything. What
        // was started dies with the future that holds it.
        tokio::select! {
            outcome = &mut playing => return outcome,
            () = any(&mut terminate, &mut interrupt) => stop.raise(),
        }
        tokio::select! {
            outcome = &mut playing => outcome,
            () = any(&mut terminate, &mut interrupt) => anyhow::bail!("ended by a signal"),
        }
    })
}

async fn any(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
