//! Counters: one for all servers.

use std::time::{Duration, Instant};

use barterline::cluster::{Guesses, Taken};
use rustix::process::Signal;

use super::{Redis, TIMEOUT};

/// In microseconds.
const HOUR: u64 = 3_600_000_000;
const GUESSES: Guesses = Guesses {
    free: 3,
    delay_max: Duration::from_mins(1),
    forget_after: Duration::from_mins(15),
    familiar_for: Duration::from_hours(24),
};

#[tokio::test]
async fn what_is_taken_at_one_server_is_gone_at_all() {
    let redis = Redis::start();
    redis.answers().await;
    let (one, two) = (redis.server(), redis.server());
    // Three at once, and then one in an hour.
    let mut early = Vec::new();
    for server in [&one, &two, &one] {
        let Taken { wait, early: ahead } = server.take("m", HOUR, 2 * HOUR).await.expect("Redis");
        assert_eq!(wait, Duration::ZERO);
        early.push(ahead);
    }
    let hours = |count: u32| Duration::from_hours(1) * count;
    for (ahead, taken) in early.iter().zip(1..) {
        assert!(*ahead <= hours(taken) && *ahead > hours(taken) - Duration::from_mins(1));
    }
    for server in [&one, &two] {
        let Taken { wait, .. } = server.take("m", HOUR, 2 * HOUR).await.expect("Redis");
        assert!(wait > Duration::from_mins(59) && wait <= hours(1), "{wait:?}");
        let other = server.take("another", HOUR, HOUR).await.expect("Redis");
        assert_eq!(other.wait, Duration::ZERO, "each name is a meter of its own");
    }
    let stranger = redis.server_of("elsewhere:1");
    let taken = stranger.take("m", HOUR, 0).await.expect("Redis");
    assert_eq!(taken.wait, Duration::ZERO, "and each store has its own");
}

#[tokio::test]
async fn guesses_at_all_servers_are_delayed_together() {
    let redis = Redis::start();
    redis.answers().await;
    let servers = [redis.server(), redis.server()];
    let mut turn = servers.iter().cycle();
    let mut guess = async |place| {
        let server = turn.next().expect("a server");
        server.guess("ana", place, GUESSES).await.expect("Redis")
    };
    for _ in 0..3 {
        assert_eq!(guess("theirs").await, Duration::ZERO);
    }
    for _ in 0..4 {
        let wait = guess("theirs").await;
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(1), "{wait:?}");
    }
    // What was no try gives the next one back.
    servers[0].give_guess_back("ana").await;
    assert_eq!(guess("theirs").await, Duration::ZERO);
    assert!(guess("theirs").await > Duration::ZERO);
    // The right password makes a place familiar at every server, and the count begins anew.
    servers[1].guessed("ana", "ours", GUESSES).await;
    for _ in 0..3 {
        assert_eq!(guess("theirs").await, Duration::ZERO);
    }
    assert!(guess("theirs").await > Duration::ZERO);
    for _ in 0..9 {
        assert_eq!(guess("ours").await, Duration::ZERO);
    }
    // With another password only the place where it was set is.
    servers[0].guessed_anew("ana", "new", GUESSES).await;
    for _ in 0..3 {
        assert_eq!(guess("ours").await, Duration::ZERO);
    }
    assert!(guess("ours").await > Duration::ZERO);
    assert_eq!(guess("new").await, Duration::ZERO);
}

#[tokio::test]
async fn g10_nobody_waits_long_for_a_redis_that_hangs_or_is_gone() {
    let mut redis = Redis::start();
    redis.answers().await;
    let server = redis.server();
    assert!(server.take("m", 1, HOUR).await.is_some());
    redis.signal(Signal::STOP);
    let asked = Instant::now();
    assert_eq!(server.take("m", 1, HOUR).await, None);
    assert!(asked.elapsed() >= TIMEOUT && asked.elapsed() < 10 * TIMEOUT, "it hangs");
    // From now on nobody waits at all, for a moment.
    let asked = Instant::now();
    for _ in 0..100 {
        assert_eq!(server.take("m", 1, HOUR).await, None);
        assert_eq!(server.kept(["x"]).await, [None]);
    }
    assert!(asked.elapsed() < TIMEOUT, "{:?}", asked.elapsed());
    redis.signal(Signal::CONT);
    super::until("it is asked again", async || server.take("m", 1, HOUR).await.is_some()).await;
    redis.kill();
    assert_eq!(server.take("m", 1, HOUR).await, None);
    redis.restart();
    super::until("it is back", async || server.take("m", 1, HOUR).await.is_some()).await;
}
