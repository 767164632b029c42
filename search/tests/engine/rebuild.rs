use std::fs;

use barterline_search::{Change, Position, SearchEngine as _, SearchError};

use crate::world::{Thing, World};

fn put(number: u64, title: &str) -> Change {
    Change::Put(Box::new(Thing::new(number, title).0))
}

fn indexes(world: &World) -> usize {
    let entries = fs::read_dir(world.dir()).expect("a directory");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    names.filter(|name| name.to_string_lossy().starts_with("index-")).count()
}

#[tokio::test]
async fn the_old_index_serves_until_the_new_one_takes_its_place() {
    let mut world = World::with([Thing::new(1, "old lamp")]).await;
    let mut rebuild = world.engine.rebuild().await.expect("a rebuild");
    rebuild.apply(vec![put(2, "new lamp")]).await.expect("applied");
    rebuild.apply(vec![put(3, "new lamp")]).await.expect("applied");
    assert_eq!(world.found_by("lamp").await, [1]);
    world.put([Thing::new(4, "lamp meanwhile")]).await;
    assert_eq!(world.found_by("lamp").await.len(), 2);
    rebuild.finish(Position(vec![7])).await.expect("finished");
    assert_eq!(world.found_by("lamp").await, [3, 2]);
    assert_eq!(world.engine.position(), Some(Position(vec![7])));
    world.put([Thing::new(5, "lamp")]).await;
    assert_eq!(world.found_by("lamp").await, [5, 3, 2]);
    assert_eq!(indexes(&world), 1);
    let (world, _) = world.reopen();
    assert_eq!(world.found_by("lamp").await, [5, 3, 2]);
}

#[tokio::test]
async fn what_is_not_finished_leaves_nothing_behind() {
    let world = World::with([Thing::new(1, "lamp")]).await;
    let mut rebuild = world.engine.rebuild().await.expect("a rebuild");
    rebuild.apply(vec![put(2, "lamp")]).await.expect("applied");
    let second = world.engine.rebuild().await.err().expect("one at a time");
    assert!(matches!(second, SearchError::Rebuilding));
    assert_eq!(indexes(&world), 2);
    drop(rebuild);
    assert_eq!(indexes(&world), 1);
    let again = world.engine.rebuild().await.expect("the next one");
    again.finish(Position(vec![1])).await.expect("of nothing");
    assert_eq!(world.found_by("lamp").await, [0; 0]);
}
