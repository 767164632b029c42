//! `replay`: negotiations between two people each, all at once, set up as the public would do it:
//! the seller lists, the buyer opens the chat, both talk.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::ground::{Ground, Stop};
use super::seats::{self, Room};
use super::talk::{Measuring, Talk};
use crate::admin::{Account, create_listing};
use crate::cli::Replay;
use crate::corpus::{self, Negotiation};
use crate::engine::{Engine, Pacer};
use crate::message::{Side, Texts};
use crate::probe::{ProcessCpu, Used};
use crate::report::Report;
use crate::wire::Adapter;

/// Negotiations that are made up when nobody says how many.
const MADE_UP: usize = 100;
/// Listings that are created at a time.
const LISTINGS_AT_A_TIME: usize = 16;

/// Plays `replay`.
pub async fn play(args: &Replay, stop: &Stop) -> anyhow::Result<Report> {
    let adapter = args.common.adapter;
    ensure!(adapter == Adapter::Barterline, "only Barterline has listings to replay");
    let ground = Ground::prepare(&args.common).await?;
    let negotiations = negotiations(args, ground.seed)?;
    let texts = Texts::Script(negotiations.iter().map(script).collect());
    let rooms = rooms(&negotiations, &ground).await?;
    let engine = seats::fill(&ground, adapter, &args.crowd, texts, rooms)
        .await
        .context("setting the chats up")?;
    let progress = Rc::new(Cell::new(0.0));
    let load = Load {
        turns: turns(&negotiations, args.speed),
        engine: engine.clone(),
        cpu: Rc::clone(&ground.cpu),
        progress: Rc::clone(&progress),
        stop,
    };
    let talk = Talk {
        scenario: "replay",
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

fn negotiations(args: &Replay, seed: u64) -> anyhow::Result<Vec<Negotiation>> {
    let Some(path) = &args.corpus else {
        return Ok(corpus::generate(args.negotiations.unwrap_or(MADE_UP), seed));
    };
    let mut all = corpus::read(path)?;
    all.truncate(args.negotiations.unwrap_or(usize::MAX));
    Ok(all)
}

/// What each side says, in order.
fn script(negotiation: &Negotiation) -> [Vec<String>; 2] {
    Side::BOTH.map(|side| {
        let lines = negotiation.lines.iter().filter(|line| line.side == side);
        lines.map(|line| line.text.clone()).collect()
    })
}

/// Who speaks when: nanoseconds from the start, and the seat.
fn turns(negotiations: &[Negotiation], speed: f64) -> Vec<(u64, usize)> {
    let mut turns: Vec<_> = negotiations
        .iter()
        .enumerate()
        .flat_map(|(room, negotiation)| {
            negotiation.lines.iter().map(move |line| {
                let due = (line.at_ms as f64 * 1e6 / speed) as u64;
                (due, room * 2 + line.side.index())
            })
        })
        .collect();
    // Stable: what one side says at one moment stays in order.
    turns.sort_by_key(|(due, _)| *due);
    turns
}

async fn rooms(negotiations: &[Negotiation], ground: &Ground) -> anyhow::Result<Vec<Room>> {
    let accounts = ground.admin.accounts(negotiations.len() * 2).await?;
    let (pairs, _) = accounts.as_chunks::<2>();
    let listings = list(negotiations, pairs, ground).await?;
    let rooms = pairs.iter().zip(listings);
    let filled = rooms.map(|([buyer, seller], listing)| Room {
        tokens: [buyer.token.clone(), seller.token.clone()],
        chat: None,
        opens: Some(listing),
    });
    Ok(filled.collect())
}

/// Lists everything, in the order of the negotiations.
async fn list(
    negotiations: &[Negotiation],
    pairs: &[[Account; 2]],
    ground: &Ground,
) -> anyhow::Result<Vec<barterline_domain::ids::ListingId>> {
    let permits = Arc::new(Semaphore::new(LISTINGS_AT_A_TIME));
    let mut created = JoinSet::new();
    for (index, (negotiation, [_, seller])) in negotiations.iter().zip(pairs).enumerate() {
        let permit = Arc::clone(&permits).acquire_owned().await?;
        let (server, seller, negotiation) = (ground.address, seller.clone(), negotiation.clone());
        created.spawn_local(async move {
            let Negotiation { title, description, price_cents, .. } = &negotiation;
            let id = create_listing(server, &seller, title, description, *price_cents).await;
            drop(permit);
            id.map(|id| (index, id))
        });
    }
    let mut listings = Vec::with_capacity(negotiations.len());
    while let Some(outcome) = created.join_next().await {
        listings.push(outcome??);
    }
    listings.sort_unstable_by_key(|(index, _)| *index);
    Ok(listings.into_iter().map(|(_, id)| id).collect())
}

/// Says everything when it is due.
struct Load<'a> {
    turns: Vec<(u64, usize)>,
    engine: Engine,
    cpu: Rc<ProcessCpu>,
    progress: Rc<Cell<f64>>,
    stop: &'a Stop,
}

impl Load<'_> {
    async fn play(self) -> anyhow::Result<Used> {
        let pacer = Pacer::new(self.engine.clock())?;
        let measuring = Measuring::start(&self.engine, &self.cpu);
        let start = self.engine.clock().now();
        for (said, (at, who)) in self.turns.iter().enumerate() {
            if self.stop.is_raised() {
                break;
            }
            let due = start + at;
            if said % 16 == 0 || self.engine.clock().now() < due {
                pacer.until(due).await?;
            }
            self.engine.with(|state| state.compose(*who, due));
            self.progress.set((said + 1) as f64 / self.turns.len() as f64);
        }
        Ok(measuring.stop())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_come_in_order_and_each_side_keeps_its_own() {
        let negotiations = corpus::generate(20, 5);
        let turns = turns(&negotiations, 100.0);
        assert!(turns.is_sorted_by_key(|(due, _)| *due));
        let lines: usize = negotiations.iter().map(|n| n.lines.len()).sum();
        assert_eq!(turns.len(), lines);
        let [buyer, seller] = script(&negotiations[3]);
        let of = |seat| turns.iter().filter(|(_, who)| *who == seat).count();
        assert_eq!((of(6), of(7)), (buyer.len(), seller.len()));
    }
}
