use std::time::Duration;

use barterline_search::embedded::{Settings, open};
use barterline_search::{SearchEngine as _, SearchError};

use crate::world::{NOW, everything, languages, words};

fn settings(dir: &tempfile::TempDir) -> Settings {
    Settings::new(dir.path().into(), languages(&["en"]))
}

#[tokio::test]
async fn who_comes_when_too_many_search_is_told_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let none = Settings { searches_max: 0, wait_max: Duration::ZERO, ..settings(&dir) };
    let engine = open(none).expect("open").engine;
    let refused = engine.search(everything()).await.expect_err("a refusal");
    assert!(matches!(refused, SearchError::Busy));
    let refused = engine.suggest("la", 5, NOW).await.expect_err("a refusal");
    assert!(matches!(refused, SearchError::Busy));
}

#[tokio::test]
async fn a_search_ends_when_its_time_is_over() {
    let dir = tempfile::tempdir().expect("a directory");
    let no_time = Settings { search_max: Duration::ZERO, ..settings(&dir) };
    let engine = open(no_time).expect("open").engine;
    let changes =
        vec![barterline_search::Change::Put(Box::new(crate::world::Thing::new(1, "lamp").0))];
    engine.apply(changes, barterline_search::Position(vec![1])).await.expect("applied");
    for query in [everything(), words("lamp")] {
        let refused = engine.search(query).await.expect_err("a refusal");
        assert!(matches!(refused, SearchError::TooSlow));
    }
}
