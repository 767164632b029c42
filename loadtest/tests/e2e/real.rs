//! Scenarios against the server itself, as the same build made it.

use std::path::PathBuf;

use barterline_loadtest::cli::Cli;
use barterline_loadtest::report::{Outcome, Report};
use barterline_loadtest::scenario::{Stop, play};
use clap::Parser as _;
use tokio::task::LocalSet;

/// The server's program beside the harness's own. It is of another package, so this package's tests
/// do not build it: `make test` builds everything first.
fn server() -> PathBuf {
    let server =
        PathBuf::from(env!("CARGO_BIN_EXE_barterline-loadtest")).with_file_name("barterline");
    assert!(server.exists(), "{} is not there: build the workspace's programs", server.display());
    server
}

/// Plays a scenario against a server of its own.
async fn played(scenario: &str) -> Report {
    let data = tempfile::tempdir().expect("a directory");
    let spawn = format!(
        "'{}' serve --load-test --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --data '{}'",
        server().display(),
        data.path().display()
    );
    let words = ["barterline-loadtest"].into_iter().chain(scenario.split_whitespace());
    let words = words.chain(["--seed", "7", "--spawn", &spawn]);
    let cli = Cli::try_parse_from(words).expect("arguments");
    let report = LocalSet::new().run_until(play(&cli.scenario, &Stop::default())).await;
    report.expect("a run").expect("a report")
}

#[tokio::test]
async fn a_device_comes_back_to_the_server() {
    let scenario = "resume --chats 5 --messages 1500 --on-screen 2 --page 40";
    let report = played(scenario).await;
    assert_eq!(report.outcome(), Outcome::Kept, "{}", report.summary());
    assert_eq!((report.sent, report.acked, report.stored), (1_505, 1_505, 1_505));
    let [returning, new] = &report.resume[..] else { panic!("{}", report.summary()) };
    assert_eq!((&*returning.device, returning.chats, returning.messages), ("returning", 5, 1_500));
    assert_eq!((&*new.device, new.chats, new.messages), ("new", 5, 1_505));
    // 300 messages are more than the server pushes of one chat.
    assert_eq!((returning.behind, new.behind), (2, 0));
    for device in [returning, new] {
        assert!(device.live_ms > 0.0 && device.live_ms <= device.complete_ms);
        assert!(device.first_page_ms.is_some_and(|ms| ms <= device.complete_ms));
        assert!(device.bytes > 120 * device.messages && device.messages_per_s > 0.0);
        assert!(device.rss_start_bytes > Some(0) && device.rss_max_bytes >= device.rss_end_bytes);
    }
}

/// Times are for a quiet machine: a run of a few requests shows the answers.
#[tokio::test]
async fn strangers_get_one_answer_from_the_server() {
    let report = played("strangers --requests 40").await;
    assert!(report.valid, "{}", report.summary());
    let strangers = report.strangers.as_ref().expect("somebody asked");
    assert_eq!(strangers.kinds.len(), 9);
    for asked in &strangers.kinds {
        assert!(asked.same_answers, "{}", report.summary());
        assert_eq!((asked.existing.requests, asked.absent.requests), (20, 20));
        assert!(asked.existing.p50_us > 0.0 && asked.existing.p50_us <= asked.existing.p90_us);
        assert!((0.0..=1.0).contains(&asked.auc) && asked.auc_standard_error > 0.0);
    }
}
