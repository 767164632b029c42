//! Where a scenario is played: the server, started or found, and its admin listener.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context as _;

use crate::admin::Admin;
use crate::cli::Common;
use crate::fault::{KillPlan, Server};
use crate::probe::{self, ProcessCpu};
use crate::report::Report;
use crate::wire::Adapter;

/// Raised by a signal: what is being said comes to its end, then the report is written.
#[derive(Debug, Clone, Default)]
pub struct Stop(Rc<Cell<bool>>);

impl Stop {
    /// Ends the run early.
    pub fn raise(&self) {
        self.0.set(true);
    }

    /// The run is to end.
    pub fn is_raised(&self) -> bool {
        self.0.get()
    }

    /// Lets so much time pass, or less when the run is to end. `meanwhile` is told how much has.
    pub async fn pass(&self, duration: Duration, meanwhile: impl Fn(Duration)) {
        let start = tokio::time::Instant::now();
        while start.elapsed() < duration && !self.is_raised() {
            meanwhile(start.elapsed());
            let step = Duration::from_millis(20).min(duration.saturating_sub(start.elapsed()));
            tokio::time::sleep(step).await;
        }
    }
}

/// The server under load.
#[derive(Debug)]
pub struct Ground {
    /// Started by us.
    pub server: Option<Server>,
    /// Where it takes connections.
    pub address: SocketAddr,
    /// Its admin listener.
    pub admin: Admin,
    /// What it uses.
    pub cpu: Rc<ProcessCpu>,
    /// When to kill it.
    pub kills: KillPlan,
    /// Of this run.
    pub seed: u64,
}

impl Ground {
    /// Starts or finds the server.
    pub async fn prepare(common: &Common) -> anyhow::Result<Self> {
        probe::raise_open_files();
        let token = match &common.admin_token_file {
            Some(path) => {
                let token = std::fs::read_to_string(path)
                    .with_context(|| format!("reading {}", path.display()))?;
                Some(token.trim().to_owned())
            }
            None => None,
        };
        let kills = KillPlan { count: common.kills, in_flight: common.kill_in_flight };
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place where a run's seed is drawn; the report prints it"
        )]
        let seed = common.seed.unwrap_or_else(rand::random);
        if let Some(command) = &common.spawn {
            let server = Server::start(command).await?;
            let address = server.listening();
            return Ok(Self {
                address,
                admin: Admin::new(server.admin().unwrap_or(address), token),
                cpu: Rc::new(ProcessCpu::of(server.pid())),
                server: Some(server),
                kills,
                seed,
            });
        }
        let address = resolve(&common.target, "ws://").await?;
        Ok(Self {
            server: None,
            address,
            admin: Admin::new(resolve(&common.admin, "http://").await?, token),
            cpu: Rc::new(ProcessCpu::of(common.server_pid)),
            kills,
            seed,
        })
    }

    /// The report of a run here, in which nothing was seen yet.
    pub fn report(&self, scenario: &str, adapter: Adapter) -> Report {
        Report::new(scenario, format!("ws://{}", self.address), adapter.name(), self.seed)
    }
}

/// The address in `ws://ADDR:PORT` or `http://ADDR:PORT`, whatever path follows.
async fn resolve(url: &str, scheme: &str) -> anyhow::Result<SocketAddr> {
    let host =
        url.strip_prefix(scheme).with_context(|| format!("{url} does not start with {scheme}"))?;
    let host = host.split('/').next().unwrap_or(host);
    tokio::net::lookup_host(host)
        .await
        .with_context(|| format!("looking up {host}"))?
        .next()
        .with_context(|| format!("{host} has no address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses_are_taken_out_of_urls() {
        let resolved = resolve("ws://127.0.0.1:8080/v1/socket", "ws://").await;
        assert_eq!(resolved.expect("an address").to_string(), "127.0.0.1:8080");
        assert!(resolve("127.0.0.1:8080", "ws://").await.is_err());
    }
}
