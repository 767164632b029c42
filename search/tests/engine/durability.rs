use std::fs;
use std::path::{Path, PathBuf};

use barterline_search::embedded::Found;
use barterline_search::{Change, Position, SearchEngine as _, SearchError};

use crate::world::{Thing, World, everything, open_in};

fn index_dir(home: &Path) -> PathBuf {
    let entries = fs::read_dir(home).expect("a directory");
    let mut paths = entries.map(|entry| entry.expect("an entry").path());
    let is_index = |path: &PathBuf| path.to_string_lossy().contains("index-");
    paths.find(is_index).expect("an index")
}

#[tokio::test]
async fn what_was_applied_is_there_again_with_its_position() {
    let mut world = World::new();
    assert_eq!(world.engine.position(), None);
    world.put([Thing::new(1, "lamp"), Thing::new(2, "chair")]).await;
    world.put([Thing::new(1, "table")]).await;
    let position = world.engine.position();
    assert_eq!(position, Some(Position(2_u64.to_be_bytes().to_vec())));
    let (world, found) = world.reopen();
    assert_eq!(found, Found::Kept);
    assert_eq!(world.engine.position(), position);
    assert_eq!(world.found(everything()).await, [2, 1]);
    assert_eq!(world.found_by("lamp").await, [0; 0], "put replaces");
    assert_eq!(world.found_by("table").await, [1]);
    let stats = world.engine.stats();
    assert_eq!(stats.documents, 2);
    assert!(stats.bytes > 0 && stats.segments > 0, "{stats:?}");
}

#[tokio::test]
async fn the_last_of_several_changes_counts_and_they_may_come_twice() {
    let mut world = World::new();
    let put = |number, title| Change::Put(Box::new(Thing::new(number, title).0));
    let changes = || {
        let gone = Change::Remove(crate::world::id(2));
        vec![put(1, "lamp"), put(2, "lamp"), put(1, "red lamp"), gone, put(3, "lamp")]
    };
    for _ in 0..2 {
        world.apply(changes()).await.expect("applied");
        assert_eq!(world.found(everything()).await, [3, 1]);
        assert_eq!(world.found_by("red").await, [1]);
    }
}

#[tokio::test]
async fn a_position_may_come_without_changes() {
    let mut world = World::new();
    world.apply(Vec::new()).await.expect("applied");
    let position = world.engine.position();
    assert!(position.is_some());
    let (world, found) = world.reopen();
    assert_eq!((found, world.engine.position()), (Found::Kept, position));
}

#[tokio::test]
async fn one_process_at_a_time() {
    let world = World::new();
    let second = open_in(world.dir(), &["en", "de"]).err().expect("a refusal");
    assert!(matches!(second, SearchError::Locked(_)));
    assert!(second.to_string().contains(&*world.dir().to_string_lossy()));
}

#[tokio::test]
async fn an_index_of_other_languages_is_made_anew() {
    let world = World::with([Thing::new(1, "lamp")]).await;
    let kept = tempfile::tempdir().expect("a directory");
    copy(&world.dir(), kept.path());
    let (engine, found) = open_in(kept.path().into(), &["en", "fr"]).expect("an engine");
    assert_eq!(found, Found::Outdated);
    assert_eq!((engine.position(), engine.stats().documents), (None, 0));
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a directory") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            fs::create_dir(&target).expect("a directory");
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a copy");
        }
    }
}

/// Whatever file is cut or bent, the engine opens: with all that was there, or empty.
#[tokio::test]
async fn a_damaged_index_is_set_aside() {
    let mut world = World::with((1..50).map(|number| Thing::new(number, "lamp"))).await;
    world.remove([1, 2]).await;
    let sound = tempfile::tempdir().expect("a directory");
    copy(&world.dir(), sound.path());
    let names = fs::read_dir(index_dir(sound.path())).expect("a directory");
    let mut files: Vec<_> = names
        .map(|name| Path::new("index-1").join(name.expect("an entry").file_name()))
        .filter(|name| !name.to_string_lossy().ends_with(".lock"))
        .collect();
    files.push("current.json".into());
    let mut damages = 0;
    for file in files {
        for harm in [cut, bend, remove] {
            let home = tempfile::tempdir().expect("a directory");
            copy(sound.path(), home.path());
            harm(&home.path().join(&file));
            let (engine, found) = open_in(home.path().into(), &["en", "de"]).expect("an engine");
            let documents = engine.stats().documents;
            match found {
                Found::Kept => assert_eq!(documents, 47, "{}", file.display()),
                Found::Damaged | Found::Nothing | Found::Outdated => {
                    assert_eq!((documents, engine.position()), (0, None), "{}", file.display());
                    damages += 1;
                }
            }
            let put = Change::Put(Box::new(Thing::new(100, "lamp").0));
            engine.apply(vec![put], Position(vec![1])).await.expect("applied");
        }
    }
    assert!(damages > 12, "{damages}");
}

fn cut(file: &Path) {
    let bytes = fs::read(file).expect("a file");
    fs::write(file, &bytes[..bytes.len() / 2]).expect("written");
}

fn bend(file: &Path) {
    let mut bytes = fs::read(file).expect("a file");
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 0x10;
    }
    fs::write(file, &bytes).expect("written");
}

fn remove(file: &Path) {
    fs::remove_file(file).expect("removed");
}

/// A disk that refuses: the directory is not where it was.
#[tokio::test]
async fn after_an_error_nothing_has_changed_and_the_next_attempt_works() {
    let mut world = World::with([Thing::new(1, "lamp")]).await;
    let position = world.engine.position();
    let index = index_dir(&world.dir());
    let away = world.dir().join("away");
    fs::rename(&index, &away).expect("moved");
    let put = || vec![Change::Put(Box::new(Thing::new(2, "lamp").0))];
    let refused = world.apply(put()).await.expect_err("an error");
    assert!(matches!(refused, SearchError::Failed { .. }), "{refused:?}");
    assert_eq!(world.engine.position(), position);
    assert_eq!(world.found_by("lamp").await, [1], "what was there is found");
    let _ = fs::remove_dir_all(&index);
    fs::rename(&away, &index).expect("moved back");
    world.apply(put()).await.expect("applied");
    assert_eq!(world.found_by("lamp").await, [2, 1]);
    let (world, found) = world.reopen();
    assert_eq!(found, Found::Kept);
    assert_eq!(world.found_by("lamp").await, [2, 1]);
}
