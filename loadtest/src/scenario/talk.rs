//! The part that `run` and `replay` share: let people talk, measure, injure the server meanwhile,
//! wait for the last answer, read everything back, and write down what was found.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::time::Duration;

use super::ground::{Ground, Stop};
use crate::checker::Verdict;
use crate::engine::{Engine, State};
use crate::fault::Kill;
use crate::probe::{MemoryWatch, ProcessCpu, Reading, Used};
use crate::progress::Progress;
use crate::report::{Latency, LoadgenUse, Report, ServerUse, Stalled};
use crate::wire::Adapter;

/// How often memory is read: a peak that matters in a run of seconds lasts longer.
const MEMORY_EVERY: Duration = Duration::from_millis(100);

/// A talk about to begin.
pub struct Talk<'a> {
    /// `run` or `replay`.
    pub scenario: &'a str,
    /// Where.
    pub ground: Ground,
    /// The participants, all live.
    pub engine: Engine,
    /// Whose protocol.
    pub adapter: Adapter,
    /// Devices that do not read until the talk is over.
    pub stalled: usize,
    /// Longest wait for anything to move at the end.
    pub patience: Duration,
    /// Raised by a signal.
    pub stop: &'a Stop,
    /// From 0 to 1 over the talk.
    pub progress: std::rc::Rc<Cell<f64>>,
}

impl Talk<'_> {
    /// Plays `load`, which speaks and gives what was used within the measuring window, and gives the
    /// report.
    pub async fn play(
        mut self,
        load: impl Future<Output = anyhow::Result<Used>>,
    ) -> anyhow::Result<Report> {
        let connections = self.engine.with(|state| state.live());
        let shown = {
            let progress = self.progress.clone();
            Progress::follow(&self.engine, move || progress.get())
        };
        let memory = MemoryWatch::start(&self.ground.cpu, MEMORY_EVERY);
        self.engine.stay(false);
        let kills = RefCell::new(Vec::new());
        let over = Cell::new(false);
        let (used, injured) = {
            let Ground { server, cpu, kills: plan, .. } = &mut self.ground;
            let progress = &self.progress;
            let engine = &self.engine;
            let injure = async {
                match server {
                    Some(server) if plan.count > 0 => {
                        let progress = || (!over.get()).then(|| progress.get());
                        plan.carry_out(engine, server, cpu, &kills, progress).await
                    }
                    _ => Ok(()),
                }
            };
            let load = async {
                let used = load.await;
                over.set(true);
                used
            };
            tokio::join!(load, injure)
        };
        let used = used?;
        let mut trouble = Vec::new();
        trouble.extend(injured.err().map(|error| format!("killing: {error:#}")));
        self.engine.stay(true);
        let talked_out = self.engine.talked_out(self.patience).await;
        trouble.extend(talked_out.err().map(|error| format!("{error:#}")));
        let (stalled, caught_up) = self.catch_up().await;
        trouble.extend(caught_up.err().map(|error| format!("{error:#}")));
        let hushed = self.engine.hushed(self.patience).await;
        trouble.extend(hushed.err().map(|error| format!("{error:#}")));
        drop(shown);
        if self.adapter.numbers() {
            let read = self.engine.read_back().await;
            trouble.extend(read.err().map(|error| format!("{error:#}")));
        }
        let end = self.ground.cpu.rss_bytes();
        let memory = Memory { start: memory.start_bytes(), max: memory.max_bytes().max(end), end };
        self.engine.close().await;
        let verdict = self.engine.with(State::take_checker).finish();
        let mut report = self.report(connections, &used, memory, verdict, kills.into_inner());
        report.stalled = stalled;
        for why in trouble {
            report.invalidate(why);
        }
        if self.stop.is_raised() {
            report.invalidate("ended early by a signal");
        }
        if let Some(server) = self.ground.server.take() {
            server.stop().await;
        }
        Ok(report)
    }

    /// Lets those that stalled read again, and waits until everybody has everything.
    async fn catch_up(&self) -> (Option<Stalled>, anyhow::Result<()>) {
        let before = self.engine.with(|state| state.deliveries());
        let start = std::time::Instant::now();
        self.engine.read_again();
        let outcome = self.engine.drained(self.patience).await;
        let stalled = (self.stalled > 0).then(|| Stalled {
            connections: self.stalled,
            lacked: self.engine.with(|state| state.deliveries()) - before,
            catch_up_ms: start.elapsed().as_millis() as u64,
        });
        (stalled, outcome)
    }

    fn report(
        &self,
        connections: usize,
        used: &Used,
        memory: Memory,
        verdict: Verdict,
        kills: Vec<Kill>,
    ) -> Report {
        let ground = &self.ground;
        let seconds = used.elapsed.as_secs_f64();
        let mut report = self.engine.with(|state| {
            let window = state.window();
            let delivered = window.delivered;
            let cpu_us = used.server_ns.map(|ns| ns as f64 / 1_000.0);
            Report {
                connections,
                sent: verdict.tally.sent,
                acked: state.acked(),
                delivered: state.delivered(),
                stored: verdict.tally.stored,
                throughput_per_s: delivered as f64 / seconds,
                window_s: seconds,
                violations: verdict.violations,
                latency_us: Latency {
                    ack: window.ack.percentiles(),
                    deliver: window.deliver.percentiles(),
                },
                server: ServerUse {
                    cpu_us_per_message: cpu_us.map(|us| us / delivered.max(1) as f64),
                    cpu_percent: cpu_us.map(|us| us / seconds / 10_000.0),
                    rss_bytes: memory.end,
                    rss_start_bytes: memory.start,
                    rss_max_bytes: memory.max,
                },
                loadgen: loadgen_use(used),
                kills,
                drops: state.drops(),
                disconnections: state.disconnections(),
                repeats: state.repeats(),
                marks: state.marks(),
                pulls: state.pulls(),
                rebased: state.rebased(),
                put_off: state.put_off(),
                answer_us: state.answers().percentiles(),
                unanswered: verdict.tally.unanswered,
                findings: verdict.findings,
                ..ground.report(self.scenario, self.adapter)
            }
        });
        let planned = ground.kills.count;
        if report.kills.len() < planned {
            report.invalidate(format!("{} of {planned} kills hit", report.kills.len()));
        }
        if verdict.tally.unanswered > 0 {
            report.invalidate(format!("{} messages unanswered", verdict.tally.unanswered));
        }
        if verdict.tally.not_read_back > 0 {
            report.invalidate(format!("{} chats not read back", verdict.tally.not_read_back));
        }
        let refused = self.engine.with(|state| state.refused());
        if refused > 0 {
            report.invalidate(format!("{refused} messages refused"));
        }
        report
    }
}

/// Resident memory of the server.
#[derive(Clone, Copy)]
struct Memory {
    start: Option<u64>,
    max: Option<u64>,
    end: Option<u64>,
}

/// What the harness used.
pub fn loadgen_use(used: &Used) -> LoadgenUse {
    LoadgenUse {
        cpu_percent: used.own_ns as f64 / used.elapsed.as_nanos().max(1) as f64 * 100.0,
        other_cpu_percent: used.other_cores.map(|cores| cores * 100.0),
    }
}

/// Measures one window.
pub struct Measuring<'a> {
    engine: &'a Engine,
    cpu: &'a ProcessCpu,
    start: Reading,
}

impl<'a> Measuring<'a> {
    /// Opens the window.
    pub fn start(engine: &'a Engine, cpu: &'a ProcessCpu) -> Self {
        engine.with(State::start_measuring);
        Self { engine, cpu, start: Reading::take(cpu) }
    }

    /// Closes it, and gives what was used meanwhile.
    pub fn stop(self) -> Used {
        let used = Reading::take(self.cpu).since(&self.start);
        self.engine.with(State::stop_measuring);
        used
    }
}
