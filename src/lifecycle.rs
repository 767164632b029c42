//! Start and end: in which order, and what a signal does.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rustix::process::Signal;
use rustls::ServerConfig;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{self, SignalKind, signal};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::field::display;

use crate::admin::{Admin, Token};
use crate::app::{self, App};
use crate::clock::SystemClock;
use crate::config::{Server, Settings};
use crate::data_dir::DataDir;
use crate::ids::SystemIds;
use crate::listener::certificate::{self, Renewal};
use crate::listener::client::{Proxies, ToldBy};
use crate::listener::{Doors, Limits, TlsDoor};
use crate::rest::layers::Transport;
use crate::rest::router;
use crate::telemetry::refusals::Refusals;
use crate::{demo, listener};

/// Files that are no connections: the store's, the log's, the listeners' and the runtime's.
const FILES_OF_OUR_OWN: usize = 256;
/// Connections of operators at a time.
const OPERATORS_MAX: usize = 64;

/// What `serve` was asked for beyond the settings.
#[derive(Debug, Clone, Copy)]
pub struct Mode {
    /// Seed accounts, listings and a chat.
    pub demo: bool,
    /// Offer the load-test routes.
    pub load_test: bool,
}

/// The first line on standard output: scripts read it.
#[derive(Serialize)]
struct Ready {
    /// Unless it is shut.
    #[serde(skip_serializing_if = "Option::is_none")]
    listening: Option<SocketAddr>,
    admin: SocketAddr,
    /// Only when it is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<SocketAddr>,
}

/// Runs a server until a signal ends it.
pub async fn serve(settings: Settings, mode: Mode) -> anyhow::Result<()> {
    let files_max = raise_file_limit();
    // Before the first write.
    let _size_limit = signal(SignalKind::from_raw(Signal::XFSZ.as_raw()))?;
    let mut signals = Signals::new()?;
    let certificate = certificate(&settings.server)?;
    let data = DataDir::take(&settings.storage.data)?;
    let public = settings.server.listen.map(|at| bind(at, "--listen")).transpose()?;
    let operators = bind(settings.server.admin_listen, "--admin-listen")?;
    let listening = public.as_ref().map(TcpListener::local_addr).transpose()?;
    let admin_listening = operators.local_addr()?;
    let secured = settings.server.tls_listen.map(|at| bind(at, "--tls-listen")).transpose()?;
    let tls_listening = secured.as_ref().map(TcpListener::local_addr).transpose()?;
    warn_if_plain(&settings.server, listening);

    // Operators look from before the store is open until the very end.
    let admin = Admin::new(Token::issue(&data, &SystemIds)?);
    data.write_admin_address(admin_listening)?;
    let (watched, watching) = (CancellationToken::new(), TaskTracker::new());
    let refusals = open_to_operators(&settings, &admin, operators, (&watched, &watching));

    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let app = App::build(
        &settings,
        &data,
        &admin,
        mode.load_test,
        refusals.clone(),
        stop.clone(),
        tasks.clone(),
    )
    .await?;
    let App { public: routes, gateway, rest, hub, outcomes, post, follower, cluster } = app;
    let mut delivery = tokio::spawn(hub.run_delivery(outcomes));
    tasks.spawn(gateway.clone().run_heartbeat());
    tasks.spawn(gateway.clone().run_revocations());
    // Until the last request is answered: it may end something.
    let answered = CancellationToken::new();
    let cluster = cluster.map(|cluster| tokio::spawn(cluster.run(answered.clone())));
    tokio::spawn(rest.accounts.clone().hear_others(stop.clone()));
    let workers = TaskTracker::new();
    if let Some(post) = post {
        workers.spawn(post.run(rest.accounts.clone(), stop.clone()));
    }
    if let Some(follower) = follower {
        workers.spawn(follower.run(stop.clone()));
    }
    workers.spawn(rest.chats.clone().run_news(stop.clone()));
    workers.spawn(rest.media.clone().run_sweeper(stop.clone()));
    workers.spawn(rest.views.clone().run(stop.clone()));
    if mode.demo {
        demo::seed(&rest, &settings.storage.data).await.context("cannot seed the demo")?;
    }
    let connections_max = connections_max(settings.server.connections_max, files_max);
    let mut limits = self::limits(&settings, connections_max, refusals);
    if mode.load_test {
        // One program plays everybody.
        limits.connections_of_one_max = connections_max;
    }
    let mut doors = Doors { plain: public, tls: None };
    if let (Some(listener), Some((config, renewal))) = (secured, certificate) {
        doors.tls = Some(TlsDoor { listener, config });
        let look = Duration::from_millis(settings.server.tls_look_ms);
        tokio::spawn(renewal.run(look));
    }
    tokio::spawn(listener::serve(doors, routes, limits, stop.clone(), tasks.clone()));
    admin.serve();

    announce(&Ready { listening, admin: admin_listening, tls: tls_listening })?;

    let asked = tokio::select! {
        asked = signals.wait() => asked,
        // Without it nobody hears of anything: better an end that a supervisor sees.
        ended = &mut delivery => anyhow::bail!("delivery has ended: {ended:?}"),
    };
    let notice = match asked {
        Asked::ByTerminal => Duration::ZERO,
        Asked::BySupervisor => Duration::from_millis(settings.server.drain_notice_ms),
    };
    tracing::info!("going away");
    admin.drain();
    tasks.close();
    let drain = async {
        tokio::time::sleep(notice).await;
        gateway.drain(Duration::from_millis(settings.server.drain_spread_ms)).await;
        tasks.wait().await;
    };
    let drain_timeout = Duration::from_millis(settings.server.drain_timeout_ms);
    tokio::select! {
        drained = tokio::time::timeout(drain_timeout, drain) => {
            if drained.is_err() {
                tracing::warn!("some connections did not end in time");
            }
        }
        _ = signals.wait() => tracing::warn!("a second signal: not waiting for connections"),
    }
    stop.cancel();
    // What was answered may still be to be mailed. Each ends by itself within seconds.
    workers.close();
    workers.wait().await;
    answered.cancel();
    if let Some(cluster) = cluster {
        let _ = cluster.await;
    }
    watched.cancel();
    // The log closes, with a checkpoint, when the last part that holds it is gone.
    delivery.abort();
    Ok(())
}

/// Says that it is ready, and where: on standard output for programs, in the log for people.
fn announce(ready: &Ready) -> anyhow::Result<()> {
    let line = serde_json::to_string(ready)?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{line}").and_then(|()| stdout.flush())?;
    let Ready { listening, admin, tls } = *ready;
    let (plain, tls) = (listening.map(display), tls.map(display));
    tracing::info!(listening = plain, tls, admin = %admin, "ready");
    Ok(())
}

/// Lets operators in. Gives where refusals are told, of all doors.
fn open_to_operators(
    settings: &Settings,
    admin: &Admin,
    operators: TcpListener,
    (watched, watching): (&CancellationToken, &TaskTracker),
) -> Refusals {
    let observer = app::observer(&settings.log, Arc::new(SystemClock), Arc::new(SystemIds));
    let refusals = observer.refusals.clone();
    admin.register(|registry| refusals.register(registry));
    let limits = Limits {
        connections_of_one_max: OPERATORS_MAX,
        proxies: Proxies::none(),
        ..limits(settings, OPERATORS_MAX, refusals.clone())
    };
    tokio::spawn(listener::serve(
        Doors { plain: Some(operators), tls: None },
        router::dress(admin.clone().routes(), observer, Transport::Host),
        limits,
        watched.clone(),
        watching.clone(),
    ));
    refusals
}

/// Tells the operator that clients can come without TLS from elsewhere than this machine, where no proxy is
/// named that ends it.
fn warn_if_plain(settings: &Server, listening: Option<SocketAddr>) {
    let elsewhere = |at: &SocketAddr| !at.ip().to_canonical().is_loopback();
    let Some(at) = listening.filter(elsewhere).filter(|_| settings.trusted_proxies.is_empty())
    else {
        return;
    };
    tracing::warn!(
        %at,
        "whoever connects here is heard without encryption, from anywhere: let clients connect at \
         server.tls_listen and shut this (server.listen = \"\"), or name the proxy that ends TLS \
         (server.trusted_proxies) and let nobody else reach the port"
    );
}

fn limits(settings: &Settings, connections_max: usize, refusals: Refusals) -> Limits {
    let header_timeout = Duration::from_millis(settings.server.header_timeout_ms);
    let write_timeout = Duration::from_millis(settings.server.write_timeout_ms);
    let Server { trusted_proxies, trusted_proxy_header, proxy_protocol, .. } = &settings.server;
    let told_by = match trusted_proxy_header.as_str() {
        "forwarded" => ToldBy::Forwarded,
        _ => ToldBy::XForwarded,
    };
    let proxies = Proxies::new(trusted_proxies, told_by, *proxy_protocol);
    let connections_of_one_max = settings.server.connections_per_address_max;
    Limits {
        connections_max,
        connections_of_one_max,
        header_timeout,
        write_timeout,
        proxies,
        refusals,
    }
}

/// Connections that are taken at a time, by the setting and the limit of open files.
fn connections_max(set: usize, files_max: usize) -> usize {
    let by_files = files_max.saturating_sub(FILES_OF_OUR_OWN).max(1);
    if set == 0 {
        return by_files;
    }
    if set > by_files {
        tracing::warn!(
            connections_max = set,
            files_max,
            "server.connections_max is more than the limit of open files allows (ulimit -Hn)"
        );
    }
    set
}

/// What clients under TLS are shown. Before anything starts, as every setting is checked.
fn certificate(settings: &Server) -> anyhow::Result<Option<(Arc<ServerConfig>, Renewal)>> {
    let (Some(certificate), Some(key)) = (&settings.tls_certificate, &settings.tls_key) else {
        return Ok(None);
    };
    let files = certificate::Files { certificate: certificate.clone(), key: key.clone() };
    Ok(Some(certificate::open(files)?))
}

fn bind(address: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    listener::bind(address).with_context(|| format!("cannot listen on {address} ({flag})"))
}

/// Every socket is a file: takes as many as the system allows, and says how many that is.
fn raise_file_limit() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let allowed = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "cannot raise the limit of open files");
            limit.current
        }
    };
    let allowed = allowed.and_then(|allowed| usize::try_from(allowed).ok());
    let allowed = allowed.unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS);
    tracing::info!(files_max = allowed, "the limit of open files");
    allowed
}

/// Who asked the server to stop.
enum Asked {
    /// SIGINT: somebody at a terminal, who waits.
    ByTerminal,
    /// SIGTERM: a supervisor, with balancers and other nodes around.
    BySupervisor,
}

struct Signals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate())? })
    }

    async fn wait(&mut self) -> Asked {
        tokio::select! {
            _ = self.interrupt.recv() => Asked::ByTerminal,
            _ = self.terminate.recv() => Asked::BySupervisor,
        }
    }
}
