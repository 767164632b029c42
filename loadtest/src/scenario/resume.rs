//! `resume`: somebody sells to many, goes away, and all of them write. What does it take until a
//! device that comes back with its cursor has everything, and a device that was never there?
//!
//! Neither marks anything as delivered: what is measured is reading.

mod device;
mod judge;

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use barterline_domain::ids::ListingId;
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};

use self::device::{Device, Manner, Visit};
use super::ground::{Ground, Stop};
use super::speaker::{Speaker, Speech, speak};
use super::talk::loadgen_use;
use crate::admin::create_listing;
use crate::checker::Verdict;
use crate::cli::Resume;
use crate::message::Texts;
use crate::report::{CatchUp, Report, ServerUse};
use crate::wire::Adapter;

/// Before the first memory reading: allocators give back late.
const SETTLE: Duration = Duration::from_secs(1);

/// Plays `resume`.
pub async fn play(args: &Resume, stop: &Stop) -> anyhow::Result<Report> {
    let adapter = args.common.adapter;
    ensure!(adapter == Adapter::Barterline, "only Barterline has anything to come back to");
    ensure!(args.common.kills == 0, "nobody is killed while a device catches up");
    let mut ground = Ground::prepare(&args.common).await?;
    let mut stage = Stage::set(args, &ground).await.context("setting the chats up")?;
    let token = stage.seller.clone();
    let mut returning = Device::new(stage.rng.random(), token.clone());
    let mut new = Device::new(stage.rng.random(), token);
    // What was said before, so that the returning device has something to go on from.
    stage.speak(|_| 1).await?;
    stage.visit(&ground, &mut returning).await.context("the stay before")?;
    let (each, more) = (args.messages / args.chats, args.messages % args.chats);
    stage.speak(|room| 1 + each + u32::from(room < more)).await?;
    let mut report = ground.report("resume", adapter);
    for (name, device) in [("returning", &mut returning), ("new", &mut new)] {
        stop.pass(SETTLE, |_| {}).await;
        if stop.is_raised() {
            report.invalidate("ended early by a signal");
            break;
        }
        let visit = stage.visit(&ground, device).await;
        let verdict = stage.judge(device, visit.is_ok());
        match visit {
            Ok(visit) => add(&mut report, name, device, &visit),
            Err(error) => report.invalidate(format!("the {name} device: {error:#}")),
        }
        blame(&mut report, name, verdict);
    }
    report.server.rss_bytes = ground.cpu.rss_bytes();
    if let Some(server) = ground.server.take() {
        server.stop().await;
    }
    Ok(report)
}

/// The seller and everybody who writes.
struct Stage<'a> {
    args: &'a Resume,
    rng: SmallRng,
    speech: Rc<Speech>,
    seller: String,
    listing: ListingId,
    speakers: Vec<Speaker>,
}

impl<'a> Stage<'a> {
    async fn set(args: &'a Resume, ground: &Ground) -> anyhow::Result<Self> {
        let mut rng = SmallRng::seed_from_u64(ground.seed);
        let mut accounts = ground.admin.accounts(args.chats as usize + 1).await?;
        let seller = accounts.pop().context("the server made no account")?;
        let (title, about) = ("A bicycle for many", "Everybody asks about it.");
        let listing = create_listing(ground.address, &seller, title, about, 12_300).await?;
        let speech = Rc::new(Speech {
            server: ground.address,
            nonce: rng.random(),
            texts: Texts::Sized(args.body_bytes as usize),
            patience: args.common.patience,
        });
        let speakers = (0..).zip(accounts);
        let speakers =
            speakers.map(|(room, buyer)| Speaker::new(room, buyer.token, rng.random(), None));
        let speakers = speakers.collect();
        Ok(Self { args, rng, speech, seller: seller.token, listing, speakers })
    }

    async fn speak(&mut self, until: impl Fn(u32) -> u32) -> anyhow::Result<()> {
        speak(&self.speech, &mut self.speakers, Some(self.listing), until).await
    }

    async fn visit(&self, ground: &Ground, device: &mut Device) -> anyhow::Result<Visit> {
        let manner = Manner {
            page: self.args.page,
            pulls: self.args.pulls as usize,
            patience: self.args.common.patience,
        };
        device.visit(ground.address, self.args.on_screen as usize, manner, &ground.cpu).await
    }

    fn judge(&self, device: &Device, complete: bool) -> Verdict {
        let heads: Vec<_> = device.heads().collect();
        let heads = complete.then_some(&heads[..]);
        judge::judge(&self.speech, &self.speakers, &device.heard, heads)
    }
}

/// Adds what a visit took.
fn add(report: &mut Report, name: &str, device: &Device, visit: &Visit) {
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let seconds = visit.complete.as_secs_f64();
    let cpu_us = visit.used.server_ns.map(|ns| ns as f64 / 1e3);
    let events = visit.events;
    report.resume.push(CatchUp {
        device: name.to_owned(),
        chats: device.heads().count(),
        messages: events,
        live_ms: ms(visit.live),
        first_page_ms: visit.first_page.map(ms),
        complete_ms: ms(visit.complete),
        messages_per_s: events as f64 / seconds,
        bytes: visit.bytes,
        pulls: visit.pulls,
        behind: visit.behind,
        cpu_us_per_message: cpu_us.map(|us| us / events.max(1) as f64),
        rss_start_bytes: visit.rss_start,
        rss_max_bytes: visit.rss_max,
        rss_end_bytes: visit.rss_end,
    });
    report.connections += 1;
    report.delivered += events;
    report.pulls += visit.pulls;
    // The figures that all scenarios have are those of the returning device.
    if report.resume.len() == 1 {
        report.throughput_per_s = events as f64 / seconds;
        report.window_s = seconds;
        report.loadgen = loadgen_use(&visit.used);
        report.server = ServerUse {
            cpu_us_per_message: cpu_us.map(|us| us / events.max(1) as f64),
            cpu_percent: cpu_us.map(|us| us / seconds / 1e4),
            rss_bytes: visit.rss_end,
            rss_start_bytes: visit.rss_start,
            rss_max_bytes: visit.rss_max,
        };
    }
}

/// Adds what is held against the server.
fn blame(report: &mut Report, name: &str, verdict: Verdict) {
    let tally = verdict.tally;
    report.sent = tally.sent;
    report.acked = tally.acked;
    report.stored = tally.stored;
    report.unanswered = tally.unanswered;
    report.violations.add(verdict.violations);
    let findings = verdict.findings.into_iter();
    report.findings.extend(findings.map(|finding| format!("{name} device: {finding}")));
}
