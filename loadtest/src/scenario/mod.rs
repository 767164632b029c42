//! What is played, and how a run becomes a report.

mod ground;
mod idle;
mod replay;
mod resume;
mod run;
mod seats;
mod speaker;
mod strangers;
mod talk;

pub use ground::Stop;

use crate::cli::Scenario;
use crate::report::Report;

/// Plays a scenario to its end, or until `stop` is raised. `None` for `summary`, which prints by
/// itself. Must run within a `LocalSet`.
pub async fn play(scenario: &Scenario, stop: &Stop) -> anyhow::Result<Option<Report>> {
    let (report, common) = match scenario {
        Scenario::Replay(args) => (replay::play(args, stop).await?, &args.common),
        Scenario::Run(args) => (run::play(args, stop).await?, &args.common),
        Scenario::Idle(args) => (idle::play(args, stop).await?, &args.common),
        Scenario::Resume(args) => (resume::play(args, stop).await?, &args.common),
        Scenario::Strangers(args) => (strangers::play(args, stop).await?, &args.common),
        Scenario::Summary { directory } => {
            crate::summary::print(directory)?;
            return Ok(None);
        }
    };
    if let Some(path) = &common.json {
        report.write(path)?;
    }
    Ok(Some(report))
}
