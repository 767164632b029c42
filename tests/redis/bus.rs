//! News: told to all that hear, until Redis took them.

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
        server.hears().await;
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
    assert_eq!(heard(&mut at_three).await, news("back"));
    // What is told just before the end is told.
    for n in 0..20 {
        two.cluster.tell("test", n.to_string());
    }
    two.stop().await;
    for n in 0..20 {
        assert_eq!(heard(&mut at_three).await, news(&n.to_string()));
    }
}

#[tokio::test]
async fn g10_a_server_hears_again_of_a_redis_that_hung_or_was_gone() {
    let mut redis = Redis::start();
    let [one, two] = [0; 2].map(|_| Running::start(&redis));
    for server in [&one, &two] {
        server.hears().await;
    }
    let mut at_two = two.cluster.hear();
    // It hangs: whoever tells waits, and nobody else.
    redis.signal(Signal::STOP);
    one.cluster.tell("test", "told while it hangs".to_owned());
    // Asked behind it, and not answered in time: so it was said by now.
    assert_eq!(one.cluster.take("m", 1, 1).await, None);
    redis.signal(Signal::CONT);
    assert_eq!(heard(&mut at_two).await, news("told while it hangs"));
    redis.signal(Signal::STOP);
    one.hears_nothing().await;
    two.hears_nothing().await;
    redis.signal(Signal::CONT);
    one.hears().await;
    two.hears().await;
    one.cluster.tell("test", "told after".to_owned());
    while heard(&mut at_two).await != news("told after") {}
    // It is gone, and comes back empty.
    redis.kill();
    one.hears_nothing().await;
    two.hears_nothing().await;
    redis.restart();
    one.hears().await;
    two.hears().await;
    one.cluster.tell("test", "and back".to_owned());
    while heard(&mut at_two).await != news("and back") {}
}

#[tokio::test]
async fn more_than_can_wait_is_told_to_be_lost() {
    let redis = Redis::start();
    let [one, two] = [0; 2].map(|_| Running::start(&redis));
    two.hears().await;
    let mut at_two = two.cluster.hear();
    redis.signal(Signal::STOP);
    for _ in 0..10_000 {
        one.cluster.tell("test", "much".to_owned());
    }
    redis.signal(Signal::CONT);
    while heard(&mut at_two).await != Heard::Lost {}
}
