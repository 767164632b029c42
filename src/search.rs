//! `barterline search`: the index of a running server.

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::admin::client;
use crate::admin::search::State;
use crate::config::Settings;

/// Between two looks at an index that is made anew.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A server that has not gone on for so long is asked no more.
const PATIENCE: Duration = Duration::from_mins(1);

/// Has the server make its index anew; gives what to print. Says how far it has come on standard error.
pub fn rebuild(settings: &Settings) -> anyhow::Result<String> {
    let answer = client::ask(&settings.storage.data, "POST", "/search/rebuild")?;
    let order = parse(&answer)?.ordered;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut said, mut moved) = (None, Instant::now());
    loop {
        let answer = client::ask(&settings.storage.data, "GET", "/search")?;
        let State { documents, bytes, rebuilding, ordered, done, rebuild_failure, .. } =
            parse(&answer)?;
        if ordered < order {
            bail!("the server was started anew: `barterline search status` has how it goes");
        }
        if done >= order {
            return Ok(format!("{documents} listings are found, {bytes} bytes"));
        }
        if rebuilding != said {
            (said, moved) = (rebuilding, Instant::now());
            // Nobody may be there to read it.
            let _ = writeln!(std::io::stderr(), "{} listings read", rebuilding.unwrap_or(0));
        } else if let Some(failure) = rebuild_failure {
            bail!("the server tries again by itself: {failure}");
        } else if moved.elapsed() > PATIENCE {
            bail!("the server has not gone on for a minute; see its log");
        }
        runtime.block_on(async { tokio::time::sleep(LOOK_EVERY).await });
    }
}

fn parse(answer: &str) -> anyhow::Result<State> {
    serde_json::from_str(answer).context("the server's answer")
}
