//! What a server has to be permitted: what docs/redis.md says, and nothing more.

use std::time::Duration;

use barterline::cluster::Guesses;

use super::{Redis, Running};

const GUIDE: &str = include_str!("../../docs/redis.md");

#[tokio::test]
async fn the_permissions_that_the_guide_gives_are_enough_and_are_for_one_prefix() {
    let mut redis = Redis::start();
    redis.answers().await;
    let line = GUIDE.lines().find(|line| line.starts_with("ACL SETUSER ")).expect("a line");
    redis.say(&line.split(' ').collect::<Vec<_>>());
    // Nobody else gets in.
    redis.say(&["ACL", "SETUSER", "default", "off"]);
    let server = Running::run(redis.server_as("barterline", "PASSWORD", "barterline:1"));
    server.hears().await;
    let cluster = &server.cluster;
    assert!(cluster.take("m", 1, 1).await.is_some());
    let kept = vec![("{a}:x".to_owned(), "kept".to_owned())];
    cluster.keep(&kept).await;
    assert_eq!(cluster.kept(["{a}:x"]).await, [Some("kept".to_owned())]);
    cluster.spoil(&["{a}:x".to_owned()]).await;
    assert_eq!(cluster.kept(["{a}:x"]).await, [None]);
    let minute = Duration::from_mins(1);
    let rules = Guesses { free: 1, delay_max: minute, forget_after: minute, familiar_for: minute };
    assert_eq!(cluster.guess("ana", "here", rules).await, Some(Duration::ZERO));
    assert!(cluster.guess("ana", "here", rules).await > Some(Duration::ZERO));
    cluster.give_guess_back("ana").await;
    assert_eq!(cluster.guess("ana", "here", rules).await, Some(Duration::ZERO));
    cluster.guessed_anew("ana", "here", rules).await;
    assert_eq!(cluster.guess("ana", "here", rules).await, Some(Duration::ZERO));
    // A log-in that was refused is tried again: permissions are gone when Redis starts anew.
    redis.kill();
    redis.restart();
    server.hears_nothing().await;
    assert!(cluster.take("m", 1, 1).await.is_none());
    redis.answers().await;
    redis.say(&line.split(' ').collect::<Vec<_>>());
    redis.say(&["ACL", "SETUSER", "default", "off"]);
    server.hears().await;
    super::until("it is asked again", async || cluster.take("m", 1, 1).await.is_some()).await;
    for (user, password, prefix) in [
        ("barterline", "PASSWORD", "another:1"),
        ("barterline", "wrong", "barterline:1"),
        ("", "", "barterline:1"),
    ] {
        let stranger = redis.server_as(user, password, prefix);
        assert_eq!(stranger.take("m", 1, 1).await, None, "{user} {prefix}");
    }
}
