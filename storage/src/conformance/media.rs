//! Laws of [`MediaStore`].

use std::time::Duration;

use barterline_domain::clock::Timestamp;
use barterline_domain::event::Seq;
use barterline_domain::ids::{ChatId, ClientId, ListingId, MediaId, UserId};
use barterline_domain::media::{
    Content, FileName, Holder, Media, ORPHAN_LIFETIME, Picture, Purpose, Refusal, Shown, Size,
    State,
};

use crate::media::{Look, MediaStore};

/// A file of `owner`, of which nothing was received; ids are ordered by `n`. The same numbers give the same.
pub fn file(n: u8, owner: u8) -> Media {
    Media {
        id: MediaId::from_bytes([n; 16]),
        owner: UserId::from_bytes([owner; 16]),
        purpose: Purpose::Chat(ChatId::from_bytes([n.wrapping_add(1); 16])),
        name: FileName::of(&format!("Größe {n}.jpg")),
        declared: u64::from(n) * 1_000,
        created: Timestamp::from_millis(1_000),
        version: 1,
        state: State::Waiting,
        shown: None,
    }
}

/// A picture as it is served, in two sizes.
pub fn picture() -> Content {
    let of = |size, side, bytes| Picture { size, width: side, height: side / 2, bytes };
    Content {
        media_type: "image/jpeg".to_owned(),
        bytes: 500_000,
        digest: std::array::from_fn(|at| at as u8),
        pictures: vec![of(Size::Full, 4_000, 500_000), of(Size::Thumb, 320, 9_000)],
    }
}

/// By which message a file is shown.
pub fn shown() -> Shown {
    let by = Holder::Message { id: ClientId::from_bytes([9; 16]), above: Seq(41) };
    Shown { by, at: Timestamp::from_millis(3_000) }
}

/// When a file is to be looked at that was inserted by [`put`].
const LOOK: Timestamp = Timestamp::from_millis(50_000);

/// So many milliseconds since 1970, at which file `n` is to be looked at.
pub fn look(n: u8, at: u64) -> Look {
    Look { at: Timestamp::from_millis(at), media: file(n, 0).id }
}

/// Inserts a file that is to be looked at at [`LOOK`].
async fn put(store: &dyn MediaStore, media: Media) {
    store.insert(media, LOOK).await.expect("an insert");
}

async fn find(store: &dyn MediaStore, n: u8) -> Option<Media> {
    store.find(file(n, 0).id).await.expect("a read")
}

async fn page(store: &dyn MediaStore, owner: u8, before: Option<u8>, limit: usize) -> Vec<Media> {
    let before = before.map(|n| file(n, 0).id);
    let page = store.list_by_owner(UserId::from_bytes([owner; 16]), before, limit).await;
    page.expect("a page")
}

async fn due(store: &dyn MediaStore, now: u64, limit: usize) -> Vec<Look> {
    store.due(Timestamp::from_millis(now), limit).await.expect("a list")
}

async fn look_again(store: &dyn MediaStore, look: Look) {
    store.look_again(look).await.expect("a look");
}

/// A file is found as it was inserted, and no other.
pub async fn a_file_is_found_as_it_was_inserted(store: &dyn MediaStore) {
    assert_eq!(find(store, 1).await, None);
    put(store, file(1, 50)).await;
    assert_eq!(find(store, 1).await, Some(file(1, 50)));
    assert_eq!(find(store, 2).await, None);
}

/// Every state with all that belongs to it, what a file is for, what shows it and the longest name are kept.
pub async fn every_field_of_a_file_is_kept(store: &dyn MediaStore) {
    use Refusal::{Damaged, Infected, TooLarge, TooManyPixels, Unsupported};
    let refused = [Unsupported, Damaged, TooLarge, TooManyPixels, Infected].map(State::Refused);
    let whole = Content { pictures: Vec::new(), bytes: u64::MAX >> 11, ..picture() };
    let others = [State::Received, State::Ready(picture()), State::Ready(whole), State::Ending];
    let purposes =
        [Purpose::Listing, Purpose::Avatar, Purpose::Chat(ChatId::from_bytes([200; 16]))];
    let holders = [Holder::Listing(ListingId::from_bytes([100; 16])), Holder::Profile, shown().by];
    let uses = purposes.into_iter().zip(holders).cycle();
    for ((n, state), (purpose, by)) in (1..).zip(refused.into_iter().chain(others)).zip(uses) {
        let kept = Media {
            purpose,
            name: FileName::of(&"ü".repeat(usize::from(n) * 100)),
            declared: u64::MAX >> n,
            version: u64::from(n) * 1_000_000,
            state,
            shown: Some(Shown { by, ..shown() }).filter(|_| n != 4),
            ..file(n, 50)
        };
        put(store, kept.clone()).await;
        assert_eq!(find(store, n).await, Some(kept));
    }
}

/// An id is taken once, and whoever comes too late changes nothing.
pub async fn the_id_of_a_file_is_new(store: &dyn MediaStore) {
    put(store, file(1, 50)).await;
    store.insert(file(1, 60), LOOK).await.expect_err("the id is taken");
    assert_eq!(find(store, 1).await, Some(file(1, 50)));
    assert_eq!(page(store, 50, None, 10).await, [file(1, 50)]);
    assert!(page(store, 60, None, 10).await.is_empty());
}

/// What is inserted is to be looked at again, then and not before.
pub async fn an_inserted_file_is_looked_at_again(store: &dyn MediaStore) {
    put(store, file(1, 50)).await;
    assert_eq!(due(store, LOOK.as_millis() - 1, 10).await, []);
    assert_eq!(due(store, LOOK.as_millis(), 10).await, [Look { at: LOOK, media: file(1, 0).id }]);
}

/// A replacement takes place on the version before it, and on no other.
pub async fn a_file_is_replaced_on_the_version_before(store: &dyn MediaStore) {
    let next = Media { shown: Some(shown()), ..file(1, 50).with(State::Ready(picture())) };
    assert!(!store.replace(next.clone()).await.expect("an answer"), "there is none");
    assert_eq!(find(store, 1).await, None);
    put(store, file(1, 50)).await;
    for version in [1, 3, u64::MAX] {
        let stale = Media { version, ..next.clone() };
        assert!(!store.replace(stale).await.expect("an answer"));
        assert_eq!(find(store, 1).await, Some(file(1, 50)));
    }
    assert!(store.replace(next.clone()).await.expect("an answer"));
    assert_eq!(find(store, 1).await, Some(next.clone()));
    assert_eq!(page(store, 50, None, 10).await, [next], "lists show it too, once");
}

/// Of several replacements at once of one version exactly one takes place.
pub async fn one_of_several_at_once_replaces_a_file(store: &dyn MediaStore) {
    put(store, file(1, 50)).await;
    let replace = |n| {
        let by = Holder::Message { id: ClientId::from_bytes([n; 16]), above: Seq(41) };
        let shown = Some(Shown { by, ..shown() });
        store.replace(Media { shown, version: 2, ..file(1, 50) })
    };
    let (a, b, c) = tokio::join!(replace(1), replace(2), replace(3));
    let answers = [a, b, c].map(|answer| answer.expect("an answer"));
    assert_eq!(answers.iter().filter(|yes| **yes).count(), 1, "{answers:?}");
}

/// A file is removed at its version and at no other; one that is not there is gone.
pub async fn a_file_is_removed_at_its_version(store: &dyn MediaStore) {
    let (id, other) = (file(1, 0).id, file(2, 0).id);
    for n in [1, 2] {
        put(store, file(n, 50)).await;
    }
    assert!(store.replace(file(1, 50).with(State::Ending)).await.expect("an answer"));
    for version in [0, 1, 3] {
        assert!(!store.remove(id, version).await.expect("an answer"));
        assert_eq!(find(store, 1).await, Some(file(1, 50).with(State::Ending)));
    }
    for _ in 0..2 {
        assert!(store.remove(id, 2).await.expect("an answer"), "once more is none, too");
        assert_eq!(find(store, 1).await, None);
    }
    assert!(!store.replace(file(1, 50).with(State::Received)).await.expect("an answer"));
    assert!(store.remove(file(3, 0).id, 1).await.expect("an answer"), "there never was one");
    assert_eq!(store.find(other).await.expect("a read"), Some(file(2, 50)));
}

/// A person's files come newest first, page by page, without those of others.
pub async fn a_persons_files_come_newest_first(store: &dyn MediaStore) {
    for n in [3, 1, 255, 5, 0] {
        put(store, file(n, 50)).await;
    }
    put(store, file(4, 49)).await;
    put(store, file(2, 51)).await;
    let numbers = async |before, limit| -> Vec<u8> {
        let page = page(store, 50, before, limit).await;
        page.iter().map(|media| media.id.as_bytes()[0]).collect()
    };
    assert_eq!(numbers(None, 10).await, [255, 5, 3, 1, 0]);
    assert_eq!(numbers(None, 2).await, [255, 5]);
    assert_eq!(numbers(Some(5), 2).await, [3, 1]);
    assert_eq!(numbers(Some(2), 2).await, [1, 0], "a place between two will do");
    assert_eq!(numbers(Some(0), 2).await, [0; 0]);
    assert!(page(store, 52, None, 10).await.is_empty());
}

/// A file that was removed is in no list, and takes no place in a page.
pub async fn removed_files_are_not_listed(store: &dyn MediaStore) {
    for n in 1..=5 {
        put(store, file(n, 50)).await;
    }
    for n in [5, 3] {
        assert!(store.remove(file(n, 0).id, 1).await.expect("an answer"));
    }
    assert_eq!(page(store, 50, None, 10).await, [4, 2, 1].map(|n| file(n, 50)));
    assert_eq!(page(store, 50, None, 2).await, [4, 2].map(|n| file(n, 50)));
    assert_eq!(page(store, 50, Some(4), 2).await, [2, 1].map(|n| file(n, 50)));
}

/// A minute, an hour and a day: whatever a backend divides time by.
const TIMES: [u64; 6] = [0, 1, 60_000, 3_600_000, 3_600_001, 86_400_000];

/// What is due comes the longest due first, at most as many as were asked for, and nothing that is not due.
pub async fn files_are_due_the_longest_first(store: &dyn MediaStore) {
    assert_eq!(due(store, 1_000, 10).await, []);
    let all: Vec<_> = (1..).zip(TIMES).map(|(n, at)| look(n, at)).collect();
    for look in all.iter().rev() {
        look_again(store, *look).await;
    }
    for (at, now) in TIMES.into_iter().enumerate() {
        assert_eq!(due(store, now, 10).await, all[..=at], "at {now}");
    }
    assert_eq!(due(store, 3_599_999, 10).await, all[..3]);
    for limit in 1..=all.len() {
        assert_eq!(due(store, 100_000_000, limit).await, all[..limit]);
    }
}

/// A file may be on the list at several times, and is there once at each.
pub async fn a_file_may_be_due_at_several_times(store: &dyn MediaStore) {
    put(store, file(1, 50)).await;
    for at in [90_000, 10_000, 10_000_000, 10_000] {
        look_again(store, look(1, at)).await;
    }
    let times = [10_000, LOOK.as_millis(), 90_000, 10_000_000].map(|at| look(1, at));
    assert_eq!(due(store, 20_000_000, 10).await, times);
}

/// A file need not exist to be looked at, nor still exist.
pub async fn a_file_that_is_gone_is_looked_at(store: &dyn MediaStore) {
    put(store, file(1, 50)).await;
    assert!(store.remove(file(1, 0).id, 1).await.expect("an answer"));
    for look in [look(1, 10_000), look(2, 20_000)] {
        look_again(store, look).await;
    }
    let all = [look(1, 10_000), look(2, 20_000), look(1, LOOK.as_millis())];
    assert_eq!(due(store, 1_000_000, 10).await, all);
}

/// What was looked at is off the list, at that time alone.
pub async fn what_was_looked_at_is_due_no_more(store: &dyn MediaStore) {
    let all = [look(1, 10_000), look(2, 10_000), look(1, 20_000)];
    for look in all {
        look_again(store, look).await;
    }
    store.looked(all[0]).await.expect("an answer");
    assert_eq!(due(store, 1_000_000, 10).await, all[1..]);
    look_again(store, all[0]).await;
    assert_eq!(due(store, 1_000_000, 10).await, all, "it may come back");
}

/// Taking away what is not on the list changes nothing.
pub async fn a_look_that_is_none_changes_nothing(store: &dyn MediaStore) {
    put(store, file(1, 50)).await;
    look_again(store, look(1, 10_000)).await;
    for none in [look(1, 10_001), look(1, 9_999), look(2, 10_000), look(3, 10_000_000)] {
        for _ in 0..2 {
            store.looked(none).await.expect("an answer");
        }
    }
    let all = [look(1, 10_000), look(1, LOOK.as_millis())];
    assert_eq!(due(store, 20_000_000, 10).await, all);
    assert_eq!(find(store, 1).await, Some(file(1, 50)));
}

/// What comes to the list for a time that everybody has looked at is due like everything else.
pub async fn a_late_look_is_due_all_the_same(store: &dyn MediaStore) {
    let day = u64::try_from(ORPHAN_LIFETIME.as_millis()).expect("a number");
    for at in [10_000, 20_000, day] {
        look_again(store, look(1, at)).await;
        store.looked(look(1, at)).await.expect("an answer");
    }
    for after in [Duration::ZERO, ORPHAN_LIFETIME] {
        let now = Timestamp::from_millis(day).plus(after).as_millis();
        assert_eq!(due(store, now, 10).await, []);
        look_again(store, look(2, 15_000)).await;
        assert_eq!(due(store, now, 10).await, [look(2, 15_000)]);
        store.looked(look(2, 15_000)).await.expect("an answer");
    }
}
