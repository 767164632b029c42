//! `barterline search`: the index of a running server.

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::admin::client;
use crate::admin::search::State;
use crate::config::Settings;

/// Between two looks at an index that is made anew.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Has the server make its index anew; gives what to print. Says how far it has come on standard error.
pub fn rebuild(settings: &Settings) -> anyhow::Result<String> {
    let before = state(settings)?.rebuilt;
    client::ask(&settings.storage.data, "POST", "/search/rebuild")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut said = None;
    loop {
        runtime.block_on(async { tokio::time::sleep(LOOK_EVERY).await });
        let state = state(settings)?;
        if let Some(failure) = state.failure {
            bail!("the server tries again by itself: {failure}");
        }
        match state.rebuilding {
            Some(read) if said != Some(read) => {
                said = Some(read);
                // Nobody may be there to read it.
                let _ = writeln!(std::io::stderr(), "{read} listings read");
            }
            Some(_) => {}
            None if state.rebuilt > before => {
                return Ok(format!(
                    "{} listings are found, {} bytes",
                    state.documents, state.bytes
                ));
            }
            None => {
                bail!("the server was started anew: `barterline search status` has how it goes")
            }
        }
    }
}

fn state(settings: &Settings) -> anyhow::Result<State> {
    let answer = client::ask(&settings.storage.data, "GET", "/search")?;
    serde_json::from_str(&answer).context("the server's answer")
}
