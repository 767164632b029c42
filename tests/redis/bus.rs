//! News: told to all, and nobody misses any without knowing.

use barterline::cluster::{Heard, News};
use rustix::process::Signal;
use tokio::sync::broadcast::Receiver;
use tokio::time::timeout;

use super::{PATIENCE, Redis, Running};

async fn heard(receiver: &mut Receiver<Heard>) -> Heard {
    let heard = timeout(PATIENCE, receiver.recv()).await.expect("in time");
    heard.expect("somebody speaks")
}

fn news(body: &str) -> Heard {
    Heard::News(News { topic: "test".to_owned(), body: body.to_owned() })
}

#[tokio::test]
async fn what_a_server_tells_all_others_hear_in_its_order() {
    let redis = Redis::start();
    let [one, two, three] = [0; 3].map(|_| Running::start(&redis));
    for server in [&one, &two, &three] {
        server.hears_all().await;
    }
    let (mut at_two, mut at_three) = (two.cluster.hear(), three.cluster.hear());
    let mut at_one = one.cluster.hear();
    for n in 0..100 {
        one.cluster.tell("test", n.to_string());
    }
    for n in 0..100 {
        assert_eq!(heard(&mut at_two).await, news(&n.to_string()));
        assert_eq!(heard(&mut at_three).await, news(&n.to_string()));
    }
    // Who told it knows it, and hears of others.
    two.cluster.tell("test", "back".to_owned());
    assert_eq!(heard(&mut at_one).await, news("back"));
    // What is told just before the end is told.
    two.cluster.tell("test", "last".to_owned());
    two.stop().await;
    assert_eq!(heard(&mut at_three).await, news("back"));
    assert_eq!(heard(&mut at_three).await, news("last"));
}

#[tokio::test]
async fn g10_a_server_knows_when_it_may_have_missed_something_and_tells_later() {
    let mut redis = Redis::start();
    let [one, two] = [0; 2].map(|_| Running::start(&redis));
    for server in [&one, &two] {
        server.hears_all().await;
    }
    // It hangs.
    redis.signal(Signal::STOP);
    one.misses_something().await;
    two.misses_something().await;
    let mut at_two = two.cluster.hear();
    one.cluster.tell("test", "told while it hangs".to_owned());
    redis.signal(Signal::CONT);
    one.hears_all().await;
    two.hears_all().await;
    // Told until it is heard of Redis; what Redis took before two listened again is lost, and two
    // knows that it missed something.
    one.cluster.tell("test", "told after".to_owned());
    loop {
        if heard(&mut at_two).await == news("told after") {
            break;
        }
    }
    // It is gone.
    redis.kill();
    one.misses_something().await;
    one.cluster.tell("test", "told while it is gone".to_owned());
    redis.restart();
    one.hears_all().await;
    two.hears_all().await;
    two.cluster.tell("test", "and back".to_owned());
    let mut at_one = one.cluster.hear();
    two.cluster.tell("test", "and back".to_owned());
    assert_eq!(heard(&mut at_one).await, news("and back"));
}

#[tokio::test]
async fn a_server_that_falls_silent_is_missed_and_one_that_says_goodbye_is_not() {
    let redis = Redis::start();
    let [one, polite, fallen] = [0; 3].map(|_| Running::start(&redis));
    for server in [&one, &polite, &fallen] {
        server.hears_all().await;
    }
    polite.stop().await;
    fallen.task.abort();
    one.misses_something().await;
    // The same without the one that fell.
    let redis = Redis::start();
    let [one, polite] = [0; 2].map(|_| Running::start(&redis));
    one.hears_all().await;
    polite.hears_all().await;
    let before = one.cluster.hears_all_for().expect("all are heard");
    polite.stop().await;
    super::until("longer than anybody is waited for", async || {
        let heard_for = one.cluster.hears_all_for().expect("nobody is missed");
        heard_for > before + std::time::Duration::from_secs(7)
    })
    .await;
}
