//! When to kill, and what each kill met.

use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::Server;
use crate::engine::{Aim, Engine, State, Target};
use crate::probe::ProcessCpu;

/// A kill that hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kill {
    /// Appends that were sent and not answered.
    pub in_flight: usize,
    /// Until the new process printed its first line, in milliseconds.
    pub restart_ms: u64,
}

/// Kills spread over a run.
#[derive(Debug, Clone, Copy)]
pub struct KillPlan {
    /// How many.
    pub count: usize,
    /// Each needs so many appends in flight.
    pub in_flight: usize,
}

/// How long a crowd may take to gather, or a server to come back.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often the progress is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(2);

impl KillPlan {
    /// Kills and restarts `server` as planned. `progress` goes from 0 to 1 over the run, and is
    /// `None` when that is over: kills that have not hit by then do not come any more. A server
    /// that was killed is always started again. CPU time that dies with a process is kept in `cpu`.
    pub async fn carry_out(
        &self,
        engine: &Engine,
        server: &mut Server,
        cpu: &ProcessCpu,
        kills: &std::cell::RefCell<Vec<Kill>>,
        progress: impl Fn() -> Option<f64>,
    ) -> anyhow::Result<()> {
        for nth in 0..self.count {
            let due = (nth + 1) as f64 / (self.count + 1) as f64;
            while progress().is_some_and(|share| share < due) {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            // A crowd needs people to be back from the last time.
            engine.crowd_live().await?;
            let pid = server.pid().context("the server ended by itself")?;
            let after_answers = self.after_answers(engine, nth);
            cpu.about_to_end();
            engine.with(|state| {
                state.take_aim(Aim::at(Target { pid, in_flight: self.in_flight, after_answers }));
            });
            let hit = |aim| match aim {
                Aim::Hit { in_flight } => Some(in_flight),
                _ => None,
            };
            engine
                .until(
                    "enough appends in flight for a kill",
                    PATIENCE,
                    |state| hit(state.aim()).is_some() || progress().is_none(),
                    State::acked,
                )
                .await?;
            let Some(in_flight) = engine.with(|state| hit(state.aim())) else {
                engine.with(|state| state.take_aim(Aim::Off));
                return Ok(());
            };
            let killed = std::time::Instant::now();
            server.restart().await.context("restarting the server")?;
            cpu.follow(server.pid());
            kills
                .borrow_mut()
                .push(Kill { in_flight, restart_ms: killed.elapsed().as_millis() as u64 });
            engine.with(|state| state.take_aim(Aim::Off));
        }
        Ok(())
    }

    /// Kills strike at different places of a group: right behind its first answers, somewhere in the
    /// middle, and before any answer.
    fn after_answers(&self, engine: &Engine, nth: usize) -> usize {
        match nth % 3 {
            0 => 1,
            1 => engine.with(|state| state.random(2..=self.in_flight.max(2))),
            _ => 0,
        }
    }
}
