//! What is kept of the store's answers.

use super::Redis;

#[tokio::test]
async fn what_was_read_before_a_change_is_never_kept_behind_it() {
    let redis = Redis::start();
    redis.answers().await;
    let (one, two) = (redis.server(), redis.server());
    let answer = |name: &str, text: &str| vec![(name.to_owned(), text.to_owned())];
    assert_eq!(one.kept(["{a}:x", "{a}:y"]).await, [None, None]);
    one.keep(&answer("{a}:x", "first")).await;
    let first = || Some("first".to_owned());
    assert_eq!(two.kept(["{a}:x", "{a}:y"]).await, [first(), None], "for every server");
    two.keep(&answer("{a}:x", "second")).await;
    assert_eq!(one.kept(["{a}:x"]).await, [first()], "whoever came first has kept it");
    two.spoil(&["{a}:x".to_owned(), "{a}:y".to_owned()]).await;
    // Read before the change, and slow to keep it.
    one.keep(&answer("{a}:x", "first")).await;
    one.keep(&answer("{a}:y", "first")).await;
    assert_eq!(one.kept(["{a}:x", "{a}:y"]).await, [None, None]);
}
