//! `strangers`: whether somebody who has no part in a chat can tell that it exists, by the answer or
//! by the time that takes (G6).
//!
//! Several chats of either kind are asked for in random order, each as often as any other, so that
//! what comes out belongs to their existence: not to one id, to a cache, or to a quiet moment.

mod stranger;
mod tell;

use std::collections::VecDeque;
use std::rc::Rc;

use anyhow::{Context as _, ensure};
use barterline_domain::ids::{ChatId, ListingId, UserId};
use rand::rngs::SmallRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{Rng as _, SeedableRng as _};

use self::stranger::{Question, Stranger};
use self::tell::{Answers, Target};
use super::ground::{Ground, Stop};
use super::speaker::{Speaker, Speech, speak};
use super::talk::loadgen_use;
use crate::cli::Strangers;
use crate::message::Texts;
use crate::probe::Reading;
use crate::report::{self, Asked, Report, ServerUse, Times};
use crate::wire::Adapter;

/// Chats of either kind.
const CHATS: usize = 16;
/// Messages in each chat that exists.
const MESSAGES: u32 = 200;
/// Length of a message.
const BODY_BYTES: usize = 120;
/// What every answer has to say.
const REFUSAL: &str = "chat.not_found";

/// Plays `strangers`.
pub async fn play(args: &Strangers, stop: &Stop) -> anyhow::Result<Report> {
    let adapter = args.common.adapter;
    ensure!(adapter == Adapter::Barterline, "only Barterline has chats to keep from strangers");
    ensure!(args.common.kills == 0, "nobody is killed while strangers ask");
    let mut ground = Ground::prepare(&args.common).await?;
    let mut rng = SmallRng::seed_from_u64(ground.seed);
    let existing = existing(args, &ground, &mut rng).await.context("setting the chats up")?;
    let absent = (0..CHATS).map(|_| absent(&mut rng)).collect();
    let account = ground.admin.accounts(1).await?.pop().context("the server made no account")?;
    let (server, patience) = (ground.address, args.common.patience);
    let stranger = Stranger::arrive(server, account.token, rng.random(), patience).await?;
    let mut asking = Asking {
        stranger,
        chats: [existing, absent],
        answers: Question::ALL.map(|_| Answers::default()),
        rng,
    };
    let start = Reading::take(&ground.cpu);
    asking.play(args.requests as usize, stop).await?;
    let used = Reading::take(&ground.cpu).since(&start);
    let seconds = used.elapsed.as_secs_f64();
    let said = CHATS as u64 * u64::from(MESSAGES);
    let mut report = Report {
        connections: 2,
        sent: said,
        acked: said,
        window_s: seconds,
        server: ServerUse {
            cpu_percent: used.server_ns.map(|ns| ns as f64 / 1e7 / seconds),
            rss_bytes: ground.cpu.rss_bytes(),
            ..ServerUse::default()
        },
        loadgen: loadgen_use(&used),
        ..ground.report("strangers", adapter)
    };
    if stop.is_raised() {
        report.invalidate("ended early by a signal");
    }
    let answers = Question::ALL.into_iter().zip(asking.answers);
    let kinds = answers.map(|(question, answers)| judge(&mut report, question, answers)).collect();
    report.strangers = Some(report::Strangers { chats: CHATS, kinds });
    if let Some(server) = ground.server.take() {
        server.stop().await;
    }
    Ok(report)
}

/// Chats of other people, who said something and left.
async fn existing(
    args: &Strangers,
    ground: &Ground,
    rng: &mut SmallRng,
) -> anyhow::Result<Vec<ChatId>> {
    let rooms = (0..).zip(ground.admin.rooms(CHATS).await?);
    let mut speakers: Vec<_> = rooms
        .map(|(index, room)| Speaker::new(index, room.buyer.token, rng.random(), Some(room.chat)))
        .collect();
    let speech = Rc::new(Speech {
        server: ground.address,
        nonce: rng.random(),
        texts: Texts::Sized(BODY_BYTES),
        patience: args.common.patience,
    });
    speak(&speech, &mut speakers, None, |_| MESSAGES).await?;
    Ok(speakers.iter().filter_map(|speaker| speaker.chat).collect())
}

/// The id of a chat that was never opened: made as those of all chats are.
fn absent(rng: &mut SmallRng) -> ChatId {
    ChatId::of(ListingId::from_bytes(rng.random()), UserId::from_bytes(rng.random()))
}

/// The questions and what came of them.
struct Asking {
    stranger: Stranger,
    /// Those that exist, and those that do not.
    chats: [Vec<ChatId>; 2],
    /// By question.
    answers: [Answers; Question::ALL.len()],
    rng: SmallRng,
}

impl Asking {
    /// Asks every question so many times, half of them about chats that exist.
    async fn play(&mut self, requests: usize, stop: &Stop) -> anyhow::Result<()> {
        let mut schedule: VecDeque<_> = (0..Question::ALL.len())
            .flat_map(|question| (0..requests).map(move |nth| (question, Target::BOTH[nth % 2])))
            .collect();
        schedule.make_contiguous().shuffle(&mut self.rng);
        for (index, target) in schedule {
            if stop.is_raised() {
                break;
            }
            let question = Question::ALL[index];
            let chat = self.chats[target as usize].choose(&mut self.rng).copied();
            let chat = chat.context("there is no chat to ask for")?;
            let answer = self.stranger.ask(question, chat, &mut self.rng).await;
            let answer = answer.with_context(|| format!("asking for {question:?}"))?;
            self.answers[index].note(target, answer.bytes, answer.nanos);
        }
        Ok(())
    }
}

/// Judges the answers to one question.
fn judge(report: &mut Report, question: Question, answers: Answers) -> Asked {
    let (door, request) = question.name();
    let difference =
        answers.difference().map(|both| both.map(|one| one.escape_ascii().to_string()));
    if let Some([one, other]) = &difference {
        report.violations.leaked += 1;
        report.findings.push(format!("leaked: {door} {request} answers {one} and {other}"));
    } else if !answers.all_have(REFUSAL.as_bytes()) {
        report.invalidate(format!("{door} {request} was not refused with {REFUSAL}"));
    }
    let [existing, absent] = answers.sorted();
    let auc = tell::area_under_curve(&existing, &absent);
    let auc_standard_error = tell::standard_error(existing.len(), absent.len());
    let told_by_time = tell::is_told(auc, auc_standard_error);
    if told_by_time {
        report.violations.leaked += 1;
        report.findings.push(format!("leaked: {door} {request} tells by its time: AUC {auc:.3}"));
    }
    let times = |sorted: &[u64]| Times {
        requests: sorted.len(),
        p50_us: tell::quantile(sorted, 0.5) as f64 / 1e3,
        p90_us: tell::quantile(sorted, 0.9) as f64 / 1e3,
    };
    let (existing, absent) = (times(&existing), times(&absent));
    Asked {
        door: door.to_owned(),
        request: request.to_owned(),
        same_answers: difference.is_none(),
        existing,
        absent,
        p50_ratio: existing.p50_us / absent.p50_us,
        p90_ratio: existing.p90_us / absent.p90_us,
        auc,
        auc_standard_error,
        told_by_time,
    }
}
