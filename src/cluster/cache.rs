//! Answers of the store that are still warm: kept for so short a time that a wrong one does little.
//!
//! Whoever read something keeps it only where nothing is kept ([`Cluster::keep`]); whoever changed it puts a
//! mark in its place that says "ask the store" ([`Cluster::spoil`]) and outlives everybody who read before.
//! So what was read before a change is never kept behind it, but where the mark could not be set: then it
//! ends by itself after [`KEPT_FOR`].

use std::time::Duration;

use redis::{Cmd, pipe};

use super::Cluster;

/// How long an answer is kept: as long as a change may go unheard without Redis (G10).
pub const KEPT_FOR: Duration = Duration::from_secs(30);
/// How long a mark stands: longer than any request takes from its read to its end.
const SPOILT_FOR: Duration = Duration::from_mins(1);
/// The mark: no answer is empty.
const MARK: &str = "";

impl Cluster {
    /// What is kept under names. `None` in the place of one: ask the store. Names of one call share what
    /// stands between braces in them, so that one part of a divided Redis has them all.
    pub async fn kept<const N: usize>(&self, names: [&str; N]) -> [Option<String>; N] {
        let mut command = Cmd::new();
        command.arg("MGET");
        for name in names {
            command.arg(self.name(name));
        }
        let kept = self.0.link.ask::<Vec<Option<String>>>(&command).await;
        let kept = kept.and_then(|kept| <[_; N]>::try_from(kept).ok());
        kept.unwrap_or([const { None }; N]).map(|kept| kept.filter(|kept| kept != MARK))
    }

    /// Keeps answers by their names, each unless one or a mark is there.
    pub async fn keep(&self, answers: &[(String, String)]) {
        let mut commands = pipe();
        for (name, answer) in answers {
            let command = commands.cmd("SET").arg(self.name(name)).arg(answer);
            command.arg("NX").arg("EX").arg(KEPT_FOR.as_secs()).ignore();
        }
        let _: Option<()> = self.0.link.ask_all(&commands).await;
    }

    /// Marks answers as changed.
    pub async fn spoil(&self, names: &[String]) {
        let mut commands = pipe();
        for name in names {
            let command = commands.cmd("SET").arg(self.name(name)).arg(MARK);
            command.arg("EX").arg(SPOILT_FOR.as_secs()).ignore();
        }
        if !names.is_empty() {
            let _: Option<()> = self.0.link.ask_all(&commands).await;
        }
    }
}
