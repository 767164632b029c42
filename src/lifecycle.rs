//! Start and end: in which order, and what a signal does.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::config::Settings;
use crate::data_dir::DataDir;
use crate::{demo, listener};

/// For connections and requests to end after a signal; the store closes behind them.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(8);
/// "File size limit exceeded" (signal 25 on Linux): without a handler it kills the process; with
/// one the write fails, and the store says so.
const SIGXFSZ: i32 = 25;

/// What `serve` was asked for beyond the settings.
#[derive(Debug, Clone, Copy)]
pub struct Mode {
    /// Seed accounts, listings and a chat.
    pub demo: bool,
    /// Offer the load-test routes.
    pub load_test: bool,
}

/// Runs a server until a signal ends it.
pub async fn serve(settings: Settings, mode: Mode) -> anyhow::Result<()> {
    let addresses = [settings.server.listen, settings.server.admin_listen];
    if mode.load_test && addresses.iter().any(|address| !address.ip().is_loopback()) {
        bail!(
            "--load-test hands out tokens: it needs loopback addresses for --listen and --admin-listen"
        );
    }
    raise_file_limit();
    // Before the first write.
    let _size_limit = signal(SignalKind::from_raw(SIGXFSZ))?;
    let mut signals = Signals::new()?;
    let data = DataDir::take(&settings.storage.data)?;
    let public = bind(settings.server.listen, "--listen")?;
    let operators = bind(settings.server.admin_listen, "--admin-listen")?;
    let listening = public.local_addr()?;
    let admin_listening = operators.local_addr()?;

    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let app = App::build(&settings, &data, mode.load_test, stop.clone(), tasks.clone())?;
    let App { gateway, admin, rest, hub, outcomes, .. } = app;
    let delivery = tokio::spawn(hub.run_delivery(outcomes));
    tasks.spawn(gateway.clone().run_heartbeat());
    tasks.spawn(gateway.clone().run_revocations());
    if mode.demo {
        demo::seed(&rest, &settings.storage.data).await.context("cannot seed the demo")?;
    }
    // Operators look until the very end.
    let watched = CancellationToken::new();
    let watching = TaskTracker::new();
    tokio::spawn(listener::serve(operators, app.operators, watched.clone(), watching.clone()));
    tokio::spawn(listener::serve(public, app.public, stop.clone(), tasks.clone()));

    let line = json!({ "listening": listening.to_string(), "admin": admin_listening.to_string() });
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{line}").and_then(|()| stdout.flush())?;
    tracing::info!(%listening, admin = %admin_listening, "ready");

    signals.wait().await;
    tracing::info!("going away");
    admin.drain();
    gateway.stop();
    tasks.close();
    if tokio::time::timeout(DRAIN_TIMEOUT, tasks.wait()).await.is_err() {
        tracing::warn!("some connections did not end in time");
    }
    watched.cancel();
    // The log closes, with a checkpoint, when the last part that holds it is gone.
    delivery.abort();
    Ok(())
}

fn bind(address: SocketAddr, flag: &str) -> anyhow::Result<tokio::net::TcpListener> {
    listener::bind(address).with_context(|| format!("cannot listen on {address} ({flag})"))
}

/// Every socket is a file: takes as many as the system allows.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate())? })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
