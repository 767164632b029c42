//! The harness against a server in the same process: what is sound is left alone, and each broken
//! promise is found.

mod fake;
mod real;

use barterline_loadtest::cli::Cli;
use barterline_loadtest::report::{Outcome, Report};
use barterline_loadtest::scenario::{Stop, play};
use clap::Parser as _;
use fake::Faults;
use tokio::task::LocalSet;

/// Plays a scenario against a server with these faults.
async fn played(faults: Faults, scenario: &str) -> Report {
    LocalSet::new()
        .run_until(async {
            let address = fake::start(faults).await;
            let target = format!("ws://{address}");
            let admin = format!("http://{address}");
            let words = ["barterline-loadtest"]
                .into_iter()
                .chain(scenario.split_whitespace())
                .chain(["--target", &target, "--admin", &admin, "--seed", "7"])
                .chain(["--patience", "500ms"]);
            let cli = Cli::try_parse_from(words).expect("arguments");
            let report = play(&cli.scenario, &Stop::default()).await;
            report.expect("a run").expect("a report")
        })
        .await
}

const CLOSED: &str = "run --rooms 10 --in-flight 4 --warmup 50ms --duration 300ms --body-bytes 80";

fn assert_kept(report: &Report) {
    assert_eq!(report.outcome(), Outcome::Kept, "{}", report.summary());
    assert!(report.sent > 0);
    assert_eq!(report.acked, report.sent, "{}", report.summary());
    assert_eq!(report.delivered, report.sent);
    assert_eq!(report.stored, report.sent);
}

#[tokio::test]
async fn a_sound_server_passes_a_closed_loop() {
    let report = played(Faults::default(), CLOSED).await;
    assert_kept(&report);
    assert_eq!(report.connections, 20);
    assert!(report.throughput_per_s > 0.0);
    assert!(report.latency_us.deliver.p50 <= report.latency_us.deliver.max);
    assert_eq!((report.drops, report.pulls), (0, 0));
}

#[tokio::test]
async fn a_sound_server_passes_an_open_loop() {
    let scenario = "run --rooms 10 --rate 1000 --warmup 0s --duration 300ms";
    let report = played(Faults::default(), scenario).await;
    assert_kept(&report);
    assert_eq!(report.sent, 300);
}

#[tokio::test]
async fn a_sound_server_passes_a_replay() {
    let scenario = "replay --negotiations 12 --speed 2000";
    let report = played(Faults::default(), scenario).await;
    assert_kept(&report);
    assert_eq!(report.connections, 24);
}

#[tokio::test]
async fn every_device_gets_everything() {
    for scenario in [CLOSED, "replay --negotiations 12 --speed 2000"] {
        let report = played(Faults::default(), &format!("{scenario} --devices 3")).await;
        assert_kept(&report);
        assert_eq!((report.drops, report.pulls), (0, 0));
    }
}

#[tokio::test]
async fn a_device_that_is_left_out_is_caught() {
    let faults = Faults { skip_one: Some(40), ..Faults::default() };
    let report = played(faults, &format!("{CLOSED} --devices 2")).await;
    assert_eq!(report.outcome(), Outcome::Broken);
    // A later event shows the hole; without one, the event never comes.
    assert!(report.violations.gap + report.violations.lost > 0, "{}", report.summary());
}

#[tokio::test]
async fn idle_connections_are_counted() {
    let report = played(Faults::default(), "idle --connections 7 --duration 1ms").await;
    assert_eq!(report.outcome(), Outcome::Kept, "{}", report.summary());
    assert_eq!(report.connections, 7);
}

#[tokio::test]
async fn lost_connections_are_taken_up_again() {
    let faults = Faults { drop_connection: Some(53), ..Faults::default() };
    let report = played(faults, CLOSED).await;
    assert_kept(&report);
    assert!(report.drops > 0);
}

#[tokio::test]
async fn devices_may_come_and_go() {
    let report = played(Faults::default(), &format!("{CLOSED} --devices 2 --flap 50ms")).await;
    assert_kept(&report);
    assert!(report.disconnections > 0);
    assert_eq!(report.drops, 0, "{}", report.summary());
}

#[tokio::test]
async fn messages_sent_twice_appear_once() {
    for crowd in ["", "--devices 2", "--devices 2 --flap 50ms"] {
        let report = played(Faults::default(), &format!("{CLOSED} --duplicate 30 {crowd}")).await;
        assert_kept(&report);
        assert!(report.repeats > 0 && report.repeats < report.sent, "{}", report.summary());
    }
}

#[tokio::test]
async fn those_who_do_not_read_get_everything_in_the_end() {
    let crowd = "--devices 2 --stall 30 --flap 100ms --duplicate 10 --body-bytes 2000";
    let scenario = "run --rooms 10 --in-flight 4 --warmup 50ms --duration 300ms";
    let report = played(Faults::default(), &format!("{scenario} {crowd}")).await;
    assert_kept(&report);
    assert_eq!(report.connections, 70);
    let stalled = report.stalled.expect("somebody stalled");
    assert_eq!(stalled.connections, 30);
    // Each room has two of them at least.
    assert!(stalled.lacked > report.sent, "{}", report.summary());
}

#[tokio::test]
async fn devices_mark_what_they_got() {
    let crowd = "--devices 2 --marks --flap 200ms";
    let scenario = "run --rooms 10 --in-flight 4 --warmup 500ms --duration 500ms";
    let report = played(Faults::default(), &format!("{scenario} {crowd}")).await;
    assert_kept(&report);
    // 40 devices for a second and a little, each at most every 400 ms or after a disconnection.
    assert!((20..=600).contains(&report.marks), "{}", report.summary());
}

#[tokio::test]
async fn memory_is_read_at_the_start_at_the_end_and_between() {
    let own = std::process::id();
    let report = played(Faults::default(), &format!("{CLOSED} --server-pid {own}")).await;
    assert_kept(&report);
    let [start, end, max] =
        [report.server.rss_start_bytes, report.server.rss_bytes, report.server.rss_max_bytes]
            .map(|bytes| bytes.expect("a reading"));
    assert!(start > 0 && end > 0 && max >= start.max(end), "{}", report.summary());
}

#[tokio::test]
async fn refusals_of_messages_sent_twice_keep_the_order() {
    let faults = Faults { busy: Some(13), ..Faults::default() };
    let report = played(faults, &format!("{CLOSED} --duplicate 30 --devices 2")).await;
    assert_kept(&report);
}

#[tokio::test]
async fn a_duplicate_that_is_not_known_again_is_caught() {
    let faults = Faults { no_dedupe: true, ..Faults::default() };
    let report = played(faults, &format!("{CLOSED} --duplicate 5 --devices 2")).await;
    assert_eq!(report.outcome(), Outcome::Broken);
    assert!(report.violations.duplicated > 0, "{}", report.summary());
}

#[tokio::test]
async fn lost_connections_show_a_server_that_does_not_know_its_messages_again() {
    let faults = Faults { drop_connection: Some(53), no_dedupe: true, ..Faults::default() };
    let report = played(faults, CLOSED).await;
    assert_eq!(report.outcome(), Outcome::Broken);
    assert!(report.violations.duplicated > 0, "{}", report.summary());
}

#[tokio::test]
async fn refusals_are_tried_again_in_order() {
    let faults = Faults { busy: Some(31), ..Faults::default() };
    let report = played(faults, CLOSED).await;
    assert_kept(&report);
}

#[tokio::test]
async fn a_code_that_nobody_knows_is_waited_for() {
    let faults = Faults { limited: Some(31), ..Faults::default() };
    let report = played(faults, &format!("{CLOSED} --devices 2")).await;
    assert_kept(&report);
}

#[tokio::test]
async fn an_old_base_is_mended() {
    let faults = Faults { base_distance: Some(5), drop_connection: Some(101), ..Faults::default() };
    let report = played(faults, &format!("{CLOSED} --devices 2")).await;
    assert_kept(&report);
    assert!(report.rebased > 0, "{}", report.summary());
}

#[tokio::test]
async fn what_is_announced_is_paged() {
    let faults = Faults { push_at_most: Some(1), drop_connection: Some(101), ..Faults::default() };
    let report = played(faults, &format!("{CLOSED} --devices 2")).await;
    assert_kept(&report);
    assert!(report.pulls > 0, "{}", report.summary());
}

#[tokio::test]
async fn acknowledged_and_not_stored_is_caught() {
    let faults = Faults { forget: Some(40), ..Faults::default() };
    let report = played(faults, CLOSED).await;
    assert_eq!(report.outcome(), Outcome::Broken);
    assert!(report.violations.lost > 0, "{}", report.summary());
    assert!(report.violations.gap > 0, "{}", report.summary());
}

#[tokio::test]
async fn delivered_twice_is_caught() {
    let faults = Faults { double: Some(40), ..Faults::default() };
    let report = played(faults, CLOSED).await;
    assert!(report.violations.duplicated > 0, "{}", report.summary());
}

#[tokio::test]
async fn stored_twice_is_caught() {
    let faults = Faults { store_twice: Some(40), ..Faults::default() };
    let report = played(faults, CLOSED).await;
    assert!(report.violations.duplicated > 0, "{}", report.summary());
}

#[tokio::test]
async fn what_is_not_pushed_is_caught_even_though_a_pull_brings_it() {
    let faults = Faults { swallow: Some(40), ..Faults::default() };
    let scenario = "run --rooms 4 --rate 2000 --warmup 0s --duration 300ms";
    let report = played(faults, scenario).await;
    assert!(report.violations.gap > 0, "{}", report.summary());
    assert!(report.pulls > 0);
}

#[tokio::test]
async fn another_text_is_caught() {
    let faults = Faults { garble: Some(40), ..Faults::default() };
    let scenario = "run --rooms 10 --rate 1000 --warmup 0s --duration 200ms";
    let report = played(faults, scenario).await;
    assert!(report.violations.phantom > 0, "{}", report.summary());
}

const RESUME: &str = "resume --chats 6 --messages 300 --page 7 --pulls 2 --on-screen 2";

#[tokio::test]
async fn a_device_that_comes_back_gets_what_it_lacks() {
    let report = played(Faults::default(), RESUME).await;
    assert_eq!(report.outcome(), Outcome::Kept, "{}", report.summary());
    let [returning, new] = &report.resume[..] else { panic!("{}", report.summary()) };
    assert_eq!((returning.messages, new.messages), (300, 306));
    // Two chats are on screen; of each of the others, 50 messages come in pages of seven.
    assert_eq!((returning.pulls, new.pulls), (4 * 8, 6 * 8));
}

#[tokio::test]
async fn a_device_that_is_behind_pages() {
    let faults = Faults { push_at_most: Some(5), ..Faults::default() };
    let report = played(faults, RESUME).await;
    assert_eq!(report.outcome(), Outcome::Kept, "{}", report.summary());
    assert_eq!((report.resume[0].behind, report.resume[1].behind), (2, 0));
}

#[tokio::test]
async fn what_a_returning_device_never_gets_is_caught() {
    for nth in [40, 305] {
        let faults = Faults { forget: Some(nth), ..Faults::default() };
        let report = played(faults, RESUME).await;
        assert_eq!(report.outcome(), Outcome::Broken, "{}", report.summary());
        assert!(report.violations.gap > 0, "{}", report.summary());
    }
}

#[tokio::test]
async fn what_a_returning_device_gets_twice_is_caught() {
    let faults = Faults { store_twice: Some(40), ..Faults::default() };
    let report = played(faults, RESUME).await;
    assert_eq!(report.outcome(), Outcome::Broken, "{}", report.summary());
    assert!(report.violations.duplicated > 0, "{}", report.summary());
}
