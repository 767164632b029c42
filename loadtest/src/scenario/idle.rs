//! `idle`: connections that have said hello and then only listen.

use std::time::Duration;

use anyhow::ensure;

use super::ground::{Ground, Stop};
use super::talk::loadgen_use;
use crate::cli::Idle;
use crate::engine::{Crowd, Engine, Seat};
use crate::message::{Side, Texts};
use crate::probe::{self, Reading, Used};
use crate::progress::Progress;
use crate::report::{self, Report, ServerUse};
use crate::wire::Adapter;

/// Before a memory reading: allocators give back late.
const SETTLE: Duration = Duration::from_secs(3);

/// Plays `idle`.
pub async fn play(args: &Idle, stop: &Stop) -> anyhow::Result<Report> {
    ensure!(args.baseline < args.connections, "--baseline must be below --connections");
    let mut ground = Ground::prepare(&args.common).await?;
    let adapter = args.common.adapter;
    let rooms = args.connections.div_ceil(2) as usize;
    let crowd = Crowd { rooms, devices: 1, ..Crowd::default() };
    let engine = Engine::new(adapter, ground.address, crowd, Texts::Sized(1), ground.seed);
    let shown = {
        let (engine, all) = (engine.clone(), f64::from(args.connections));
        Progress::follow(&engine.clone(), move || engine.with(|state| state.live()) as f64 / all)
    };
    join(args, &ground, &engine, 0..args.baseline).await?;
    let before = settled(&ground, stop).await;
    join(args, &ground, &engine, args.baseline..args.connections).await?;
    let after = settled(&ground, stop).await;
    let start = Reading::take(&ground.cpu);
    stop.pass(args.duration, |_| {}).await;
    let used = Reading::take(&ground.cpu).since(&start);
    drop(shown);
    let weight = before.zip(after).map(|(before, after)| report::Idle {
        baseline_connections: args.baseline as usize,
        baseline_rss_bytes: before,
        rss_bytes: after,
        kib_per_connection: (after as f64 - before as f64)
            / 1_024.0
            / f64::from(args.connections - args.baseline),
    });
    let mut report = report(args, &ground, &engine, &used, weight);
    if stop.is_raised() {
        report.invalidate("ended early by a signal");
    }
    engine.close().await;
    if let Some(server) = ground.server.take() {
        server.stop().await;
    }
    Ok(report)
}

async fn join(
    args: &Idle,
    ground: &Ground,
    engine: &Engine,
    seats: std::ops::Range<u32>,
) -> anyhow::Result<()> {
    let mut tokens = match args.common.adapter {
        Adapter::Barterline => ground.admin.accounts(seats.len()).await?,
        Adapter::RawAck => Vec::new(),
    };
    for index in seats {
        let token = tokens.pop().map(|account| account.token).unwrap_or_default();
        let side = Side::of_index(index as usize % 2);
        engine.join(&Seat::new(token, index / 2, side));
    }
    engine.all_live().await
}

async fn settled(ground: &Ground, stop: &Stop) -> Option<u64> {
    stop.pass(SETTLE, |_| {}).await;
    ground.cpu.rss_bytes()
}

fn report(
    args: &Idle,
    ground: &Ground,
    engine: &Engine,
    used: &Used,
    idle: Option<report::Idle>,
) -> Report {
    let seconds = used.elapsed.as_secs_f64();
    let (live, drops) = engine.with(|state| (state.live(), state.drops()));
    let mut report = Report {
        connections: live,
        window_s: seconds,
        server: ServerUse {
            cpu_percent: used.server_ns.map(|ns| ns as f64 / 1e7 / seconds),
            rss_bytes: ground.cpu.rss_bytes(),
            ..ServerUse::default()
        },
        loadgen: loadgen_use(used),
        drops,
        idle,
        ..ground.report("idle", args.common.adapter)
    };
    if live < args.connections as usize || drops > 0 {
        report.invalidate(format!("{drops} idle connections were lost, {live} are live"));
    }
    if let Some(own) = probe::rss_bytes(std::process::id()) {
        report.notes.push(format!("the harness itself: {} KiB", own / 1_024));
    }
    report
}
