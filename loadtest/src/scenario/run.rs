//! `run`: rooms of two, in which both sides talk at a rate or as fast as answers come.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};

use super::ground::{Ground, Stop};
use super::seats::{self, Room};
use super::talk::{Measuring, Talk};
use crate::cli::Run;
use crate::engine::{Engine, Pacer};
use crate::message::Texts;
use crate::probe::{ProcessCpu, Used};
use crate::report::Report;
use crate::wire::Adapter;

/// Plays `run`.
pub async fn play(args: &Run, stop: &Stop) -> anyhow::Result<Report> {
    let ground = Ground::prepare(&args.common).await?;
    let adapter = args.common.adapter;
    let texts = Texts::Sized(args.body_bytes as usize);
    let rooms = rooms(args, &ground).await?;
    let engine = seats::fill(&ground, adapter, &args.crowd, texts, rooms).await?;
    let progress = Rc::new(Cell::new(0.0));
    let load = Load {
        args,
        engine: engine.clone(),
        cpu: Rc::clone(&ground.cpu),
        seed: ground.seed,
        progress: Rc::clone(&progress),
        stop,
    };
    let talk = Talk {
        scenario: "run",
        ground,
        engine,
        adapter,
        stalled: args.crowd.stall as usize,
        patience: args.common.patience,
        stop,
        progress,
    };
    talk.play(load.play()).await
}

async fn rooms(args: &Run, ground: &Ground) -> anyhow::Result<Vec<Room>> {
    let count = args.rooms as usize;
    if args.common.adapter == Adapter::RawAck {
        return Ok(std::iter::repeat_with(Room::default).take(count).collect());
    }
    let rooms = ground.admin.rooms(count).await?.into_iter();
    let filled = rooms.map(|room| Room {
        tokens: [room.buyer.token, room.seller.token],
        chat: Some(room.chat),
        opens: None,
    });
    Ok(filled.collect())
}

/// Speaks, warms up, measures.
struct Load<'a> {
    args: &'a Run,
    engine: Engine,
    cpu: Rc<ProcessCpu>,
    seed: u64,
    progress: Rc<Cell<f64>>,
    stop: &'a Stop,
}

impl Load<'_> {
    async fn play(self) -> anyhow::Result<Used> {
        let Some(rate) = self.args.rate else {
            self.fill_closed_loop();
            let used = self.measure().await;
            self.engine.with(|state| state.close_loop(false));
            return Ok(used);
        };
        let (used, paced) = tokio::join!(self.measure(), self.pace(rate));
        paced?;
        Ok(used)
    }

    /// Puts every slot of every room to use; each is used again as soon as it is free.
    fn fill_closed_loop(&self) {
        let people = self.args.rooms as usize * 2;
        let now = self.engine.clock().now();
        self.engine.with(|state| {
            state.close_loop(true);
            for slot in 0..self.args.in_flight as usize {
                // Half from each side; of an odd number, the buyer has one more.
                for room in 0..people / 2 {
                    state.compose(room * 2 + slot % 2, now);
                }
            }
        });
    }

    async fn measure(&self) -> Used {
        let (warmup, duration) = (self.args.warmup, self.args.duration);
        let all = (warmup + duration).as_secs_f64();
        let shown = |passed: Duration| self.progress.set(passed.as_secs_f64() / all);
        self.stop.pass(warmup, shown).await;
        let measuring = Measuring::start(&self.engine, &self.cpu);
        self.stop.pass(duration, |passed| shown(warmup + passed)).await;
        measuring.stop()
    }

    /// Somebody speaks at every tick, whatever became of what was said before.
    async fn pace(&self, rate: f64) -> anyhow::Result<()> {
        let mut rng = SmallRng::seed_from_u64(self.seed ^ 2);
        let pacer = Pacer::new(self.engine.clock())?;
        let people = self.args.rooms as usize * 2;
        let start = self.engine.clock().now();
        let end = start + (self.args.warmup + self.args.duration).as_nanos() as u64;
        for tick in 0_u64.. {
            let due = start + (tick as f64 * 1e9 / rate) as u64;
            if due >= end || self.stop.is_raised() {
                break;
            }
            // Behind by many ticks: a batch of them between two looks at the sockets.
            if tick % 16 == 0 || self.engine.clock().now() < due {
                pacer.until(due).await?;
            }
            let who = rng.random_range(0..people);
            self.engine.with(|state| state.compose(who, due));
        }
        Ok(())
    }
}
