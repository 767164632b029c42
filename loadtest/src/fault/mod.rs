//! Starts the server, kills it where it hurts, and starts it again.

mod plan;
mod server;

pub use plan::{Kill, KillPlan};
pub use server::Server;

use rustix::process::{Pid, Signal, kill_process};

/// Sends SIGKILL to a process that this harness started.
pub fn kill(pid: u32) {
    let target = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let outcome = target.map(|pid| kill_process(pid, Signal::KILL));
    if let Some(Err(error)) = outcome {
        tracing::warn!(pid, "killing: {error}");
    }
}
