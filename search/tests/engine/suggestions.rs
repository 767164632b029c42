use barterline_domain::clock::Timestamp;
use barterline_domain::listing::ListingStatus;
use barterline_search::SearchEngine as _;

use crate::world::{NOW, Thing, World};

async fn suggested(world: &World, typed: &str) -> Vec<String> {
    world.engine.suggest(typed, 3, NOW).await.expect("suggestions")
}

#[tokio::test]
async fn what_titles_go_on_with_is_suggested() {
    let world = World::with([
        Thing::new(1, "Mountain bike"),
        Thing::new(2, "Mountain bike, red"),
        Thing::new(3, "Mountain boots"),
        Thing::new(4, "Café racer"),
    ])
    .await;
    assert_eq!(suggested(&world, "moun").await, ["mountain", "mountain bike", "mountain boots"]);
    assert_eq!(
        suggested(&world, "Mountain b").await,
        ["mountain bike", "mountain boots", "mountain bike red"]
    );
    assert_eq!(suggested(&world, "mountain ").await[0], "mountain bike");
    assert_eq!(suggested(&world, "CAFE").await, ["café racer"]);
    assert_eq!(suggested(&world, "old rac").await, ["old racer"], "the last words go on");
    for nothing in ["", "  ", "zebra", "\"*", "\0"] {
        assert_eq!(suggested(&world, nothing).await, Vec::<String>::new(), "{nothing}");
    }
}

#[tokio::test]
async fn only_what_is_for_sale_is_suggested() {
    let mut world = World::with([
        Thing::new(1, "Secret draft").stands(ListingStatus::Draft),
        Thing::new(2, "Secret sold").stands(ListingStatus::Sold),
        Thing::new(3, "Secret expired").until(NOW),
        Thing::new(4, "Secret today").until(NOW.plus(std::time::Duration::from_millis(1))),
        Thing::new(5, "Secret removed"),
    ])
    .await;
    world.remove([5]).await;
    assert_eq!(suggested(&world, "secret").await, ["secret today"]);
    let later = Timestamp::from_millis(NOW.as_millis() + 1);
    let later = world.engine.suggest("secret", 3, later).await.expect("suggestions");
    assert_eq!(later, Vec::<String>::new());
}
