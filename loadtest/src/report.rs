//! What a run found: a summary for people, JSON for scripts. The keys of the JSON are a promise.

mod resume;
mod strangers;

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
pub use resume::CatchUp;
use serde::{Deserialize, Serialize};
pub use strangers::{Asked, Strangers, Times};

use crate::checker::Violations;
use crate::fault::Kill;
use crate::latency::Percentiles;

/// The whole report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// `replay`, `run`, `idle`, `resume` or `strangers`.
    pub scenario: String,
    /// The server's address.
    pub target: String,
    /// Whose protocol was spoken.
    pub adapter: String,
    /// Connections that were live at the start of the run.
    pub connections: usize,
    /// Messages sent, retries not counted.
    pub sent: u64,
    /// Of these, acknowledged.
    pub acked: u64,
    /// Of these, delivered to the other side.
    pub delivered: u64,
    /// Of these, found when they were read back.
    pub stored: u64,
    /// Deliveries a second, within the measuring window.
    pub throughput_per_s: f64,
    /// Length of the measuring window in seconds.
    pub window_s: f64,
    /// Broken promises.
    pub violations: Violations,
    /// From due to acknowledged, and to delivered.
    pub latency_us: Latency,
    /// What the server used.
    pub server: ServerUse,
    /// What the harness used.
    pub loadgen: LoadgenUse,
    /// Kills that hit.
    pub kills: Vec<Kill>,
    /// Live connections that were lost.
    pub drops: u64,
    /// Connections that the devices ended themselves, as `--flap` asks for.
    #[serde(default)]
    pub disconnections: u64,
    /// Messages that were sent twice on purpose, as `--duplicate` asks for.
    #[serde(default)]
    pub repeats: u64,
    /// Marks sent, as `--marks` asks for.
    #[serde(default)]
    pub marks: u64,
    /// Ranges that were asked for, because of holes or of what was announced.
    pub pulls: u64,
    /// Messages that took a newer base, because the chat had gone too far on.
    #[serde(default)]
    pub rebased: u64,
    /// Times that a message was refused for now, and sent again.
    #[serde(default)]
    pub put_off: u64,
    /// From each writing of a message to the server's word on it, be it yes or not now; over the whole
    /// run. Without those whose connection was lost meanwhile.
    #[serde(default)]
    pub answer_us: Percentiles,
    /// Messages whose sender never learned what became of them.
    pub unanswered: u64,
    /// Only with `--stall`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stalled: Option<Stalled>,
    /// Only for `idle` with a baseline.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub idle: Option<Idle>,
    /// Only for `resume`: the returning device, then the new one.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub resume: Vec<CatchUp>,
    /// Only for `strangers`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub strangers: Option<Strangers>,
    /// Makes the run repeatable.
    pub seed: u64,
    /// The run did what it was asked to do, whether or not the server kept its promises.
    pub valid: bool,
    /// Why it is not valid, and what else is worth a word.
    pub notes: Vec<String>,
    /// The first broken promises in words.
    pub findings: Vec<String>,
}

/// Both waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Latency {
    /// To the acknowledgement.
    pub ack: Percentiles,
    /// To the delivery.
    pub deliver: Percentiles,
}

/// What the server used; absent without its process id.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct ServerUse {
    /// CPU time for each delivered message, within the window.
    pub cpu_us_per_message: Option<f64>,
    /// CPU time in percent of one core, within the window.
    pub cpu_percent: Option<f64>,
    /// Resident memory at the end of the run.
    pub rss_bytes: Option<u64>,
    /// Resident memory when everybody was live and nobody had spoken.
    #[serde(default)]
    pub rss_start_bytes: Option<u64>,
    /// The most in between.
    #[serde(default)]
    pub rss_max_bytes: Option<u64>,
}

/// What the harness used.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct LoadgenUse {
    /// In percent of one core, within the window.
    pub cpu_percent: f64,
    /// What anything else on the machine used, in percent of one core.
    pub other_cpu_percent: Option<f64>,
}

/// Devices that did not read while the others talked; `latency_us` is without them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stalled {
    /// How many.
    pub connections: usize,
    /// Deliveries that they lacked when they read again.
    pub lacked: u64,
    /// Until the last of them had everything. Their sockets are kept small, so this is more than a
    /// device with a usual one would need.
    pub catch_up_ms: u64,
}

/// What connections weigh.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Idle {
    /// Connections at the first reading.
    pub baseline_connections: usize,
    /// Resident memory then.
    pub baseline_rss_bytes: u64,
    /// Resident memory with all connections.
    pub rss_bytes: u64,
    /// The slope between both.
    pub kib_per_connection: f64,
}

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Every promise kept.
    Kept,
    /// A promise broken: exit code 1.
    Broken,
    /// The run says nothing: exit code 2.
    Invalid,
}

impl Report {
    /// A run in which nothing was seen yet.
    pub fn new(scenario: &str, target: String, adapter: &str, seed: u64) -> Self {
        Self {
            scenario: scenario.to_owned(),
            target,
            adapter: adapter.to_owned(),
            connections: 0,
            sent: 0,
            acked: 0,
            delivered: 0,
            stored: 0,
            throughput_per_s: 0.0,
            window_s: 0.0,
            violations: Violations::default(),
            latency_us: Latency::default(),
            server: ServerUse::default(),
            loadgen: LoadgenUse::default(),
            kills: Vec::new(),
            drops: 0,
            disconnections: 0,
            repeats: 0,
            marks: 0,
            pulls: 0,
            rebased: 0,
            put_off: 0,
            answer_us: Percentiles::default(),
            unanswered: 0,
            stalled: None,
            idle: None,
            resume: Vec::new(),
            strangers: None,
            seed,
            valid: true,
            notes: Vec::new(),
            findings: Vec::new(),
        }
    }

    /// A broken promise counts even in a run that is not valid otherwise.
    pub fn outcome(&self) -> Outcome {
        if !self.violations.none() {
            Outcome::Broken
        } else if self.valid {
            Outcome::Kept
        } else {
            Outcome::Invalid
        }
    }

    /// Declares the run invalid.
    pub fn invalidate(&mut self, why: impl Into<String>) {
        self.valid = false;
        self.notes.push(why.into());
    }

    /// Writes the JSON file.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let mut json = serde_json::to_vec_pretty(self)?;
        json.push(b'\n');
        std::fs::write(path, json).with_context(|| format!("writing {}", path.display()))
    }

    /// The summary for people.
    pub fn summary(&self) -> String {
        let mut out = String::new();
        self.summarize(&mut out).expect("writing to a string");
        out
    }

    fn summarize(&self, out: &mut String) -> std::fmt::Result {
        writeln!(
            out,
            "{} against {} ({}), {} connections, seed {}",
            self.scenario, self.target, self.adapter, self.connections, self.seed
        )?;
        if let Some(idle) = &self.idle {
            writeln!(
                out,
                "  memory      {:.2} KiB a connection ({} KiB at {}, {} KiB at {})",
                idle.kib_per_connection,
                idle.baseline_rss_bytes / 1_024,
                idle.baseline_connections,
                idle.rss_bytes / 1_024,
                self.connections
            )?;
        } else if let Some(strangers) = &self.strangers {
            strangers.summarize(out)?;
        } else if self.scenario == "resume" {
            writeln!(out, "  messages    sent {}, acked {}", self.sent, self.acked)?;
            self.resume.iter().try_for_each(|device| device.summarize(out))?;
        } else {
            self.summarize_messages(out)?;
        }
        if let Some(cpu) = self.server.cpu_percent {
            let each = self.server.cpu_us_per_message;
            let each = each.map_or_else(String::new, |us| format!("{us:.1} µs a message, "));
            let rss = self.server.rss_bytes.unwrap_or(0) / 1_024;
            write!(out, "  server      {each}{cpu:.0} % of a core, {rss} KiB resident")?;
            if let Some((start, max)) = self.server.rss_start_bytes.zip(self.server.rss_max_bytes) {
                write!(out, " ({} at the start, {} at most)", start / 1_024, max / 1_024)?;
            }
            writeln!(out)?;
        }
        writeln!(
            out,
            "  harness     {:.0} % of a core; anything else {:.0} %",
            self.loadgen.cpu_percent,
            self.loadgen.other_cpu_percent.unwrap_or(0.0)
        )?;
        for kill in &self.kills {
            writeln!(
                out,
                "  kill        with {} appends in flight; back after {} ms",
                kill.in_flight, kill.restart_ms
            )?;
        }
        let v = &self.violations;
        writeln!(
            out,
            "  violations  lost {}, duplicated {}, reordered {}, phantom {}, gap {}, leaked {}",
            v.lost, v.duplicated, v.reordered, v.phantom, v.gap, v.leaked
        )?;
        for finding in &self.findings {
            writeln!(out, "    {finding}")?;
        }
        for note in &self.notes {
            writeln!(out, "  note        {note}")?;
        }
        let outcome = match self.outcome() {
            Outcome::Kept => "every promise kept",
            Outcome::Broken => "PROMISES BROKEN",
            Outcome::Invalid => "INVALID RUN",
        };
        writeln!(out, "  outcome     {outcome}")
    }

    fn summarize_messages(&self, out: &mut String) -> std::fmt::Result {
        writeln!(
            out,
            "  messages    sent {}, acked {}, delivered {}, stored {}; unanswered {}",
            self.sent, self.acked, self.delivered, self.stored, self.unanswered
        )?;
        writeln!(
            out,
            "  throughput  {:.0} messages/s over {:.1} s",
            self.throughput_per_s, self.window_s
        )?;
        for (name, wait) in [("ack", &self.latency_us.ack), ("deliver", &self.latency_us.deliver)] {
            writeln!(
                out,
                "  {name:<11} p50 {} µs, p90 {}, p99 {}, p99.9 {}, max {}",
                wait.p50, wait.p90, wait.p99, wait.p999, wait.max
            )?;
        }
        writeln!(
            out,
            "  answers     p50 {} µs, p99 {}, longest {}; {} times not now",
            self.answer_us.p50, self.answer_us.p99, self.answer_us.max, self.put_off
        )?;
        if let Some(stalled) = &self.stalled {
            writeln!(
                out,
                "  stalled     {} connections, which lacked {} deliveries and got them in {} ms",
                stalled.connections, stalled.lacked, stalled.catch_up_ms
            )?;
        }
        writeln!(
            out,
            "  streams     {} connections lost on the way, {} left; {} pulls, {} newer bases, \
             {} repeats, {} marks",
            self.drops, self.disconnections, self.pulls, self.rebased, self.repeats, self.marks
        )
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A sound run.
    pub(crate) fn report() -> Report {
        Report {
            connections: 4,
            sent: 10,
            acked: 10,
            delivered: 10,
            stored: 10,
            throughput_per_s: 5.0,
            window_s: 2.0,
            ..Report::new("run", "ws://127.0.0.1:8080".to_owned(), "barterline", 1)
        }
    }

    #[test]
    fn scripts_find_the_promised_keys() {
        let json = serde_json::to_value(report()).expect("JSON");
        for pointer in [
            "/scenario",
            "/target",
            "/connections",
            "/sent",
            "/acked",
            "/delivered",
            "/throughput_per_s",
            "/violations/lost",
            "/violations/duplicated",
            "/violations/reordered",
            "/violations/phantom",
            "/violations/gap",
            "/violations/leaked",
            "/latency_us/ack/p50",
            "/latency_us/ack/p90",
            "/latency_us/ack/p99",
            "/latency_us/ack/p999",
            "/latency_us/ack/max",
            "/latency_us/deliver/p50",
            "/latency_us/deliver/max",
            "/server/cpu_us_per_message",
            "/server/rss_bytes",
            "/loadgen/cpu_percent",
            "/valid",
        ] {
            assert!(json.pointer(pointer).is_some(), "{pointer}");
        }
    }

    #[test]
    fn a_broken_promise_weighs_more_than_an_invalid_run() {
        let mut report = report();
        assert_eq!(report.outcome(), Outcome::Kept);
        report.invalidate("a kill did not hit");
        assert_eq!(report.outcome(), Outcome::Invalid);
        report.violations.lost = 1;
        assert_eq!(report.outcome(), Outcome::Broken);
        assert!(report.summary().contains("PROMISES BROKEN"));
        assert!(report.summary().contains("a kill did not hit"));
    }
}
