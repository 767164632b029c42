//! Laws of [`SavedSearches`].

use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{SavedSearchId, UserId};

use crate::saved_searches::{SAVED_SEARCHES_MAX, SavedSearch, SavedSearches};

/// A search; ids are ordered by `n`. The same number gives the same.
pub fn search(n: u8) -> SavedSearch {
    SavedSearch {
        id: SavedSearchId::from_bytes([n; 16]),
        name: format!("Räder {n} 🚲"),
        query: format!("q=bicycle&price_max={n}00"),
        // Against the order of ids, by which they are listed.
        created: Timestamp::from_millis(10_000 - u64::from(n)),
    }
}

const ANA: UserId = UserId::from_bytes([1; 16]);
const BOB: UserId = UserId::from_bytes([2; 16]);

async fn put(store: &dyn SavedSearches, user: UserId, search: SavedSearch) {
    store.put(user, search).await.expect("an answer");
}

async fn find(store: &dyn SavedSearches, user: UserId, n: u8) -> Option<SavedSearch> {
    store.find(user, search(n).id).await.expect("a read")
}

async fn remove(store: &dyn SavedSearches, user: UserId, n: u8) -> bool {
    store.remove(user, search(n).id).await.expect("an answer")
}

async fn list(store: &dyn SavedSearches, user: UserId) -> Vec<SavedSearch> {
    store.list(user).await.expect("a list")
}

/// What is kept is there, for one person alone, until it is forgotten.
pub async fn a_search_stays_until_it_is_forgotten(store: &dyn SavedSearches) {
    assert_eq!(find(store, ANA, 7).await, None);
    assert!(!remove(store, ANA, 7).await);
    put(store, ANA, search(7)).await;
    put(store, ANA, search(8)).await;
    assert_eq!(find(store, ANA, 7).await, Some(search(7)));
    assert_eq!(find(store, BOB, 7).await, None);
    assert!(!remove(store, BOB, 7).await);
    assert_eq!(find(store, ANA, 7).await, Some(search(7)), "it is not theirs");
    assert!(remove(store, ANA, 7).await);
    assert!(!remove(store, ANA, 7).await);
    assert_eq!(find(store, ANA, 7).await, None);
    assert_eq!(find(store, ANA, 8).await, Some(search(8)));
    put(store, ANA, search(7)).await;
    assert_eq!(find(store, ANA, 7).await, Some(search(7)));
}

/// What is kept under an id that is there takes its place, for the same person alone.
pub async fn a_search_takes_the_place_of_one_of_the_same_id(store: &dyn SavedSearches) {
    let other = SavedSearch { id: search(7).id, ..search(9) };
    put(store, ANA, search(7)).await;
    put(store, BOB, search(7)).await;
    put(store, ANA, other.clone()).await;
    put(store, ANA, other.clone()).await;
    assert_eq!(find(store, ANA, 7).await, Some(other.clone()));
    assert_eq!(list(store, ANA).await, [other]);
    assert_eq!(find(store, BOB, 7).await, Some(search(7)));
}

/// The longest name and query there can be, an empty query, and when it was first kept.
pub async fn every_field_of_a_search_is_kept(store: &dyn SavedSearches) {
    let name = "ü🚲".repeat(60);
    let longest = SavedSearch { name, query: "q".repeat(2_048), ..search(1) };
    let shortest = SavedSearch {
        name: "-".to_owned(),
        query: String::new(),
        created: Timestamp::from_millis(1 << 48),
        ..search(2)
    };
    for (n, kept) in [(1, longest), (2, shortest)] {
        put(store, ANA, kept.clone()).await;
        assert_eq!(find(store, ANA, n).await, Some(kept));
    }
}

/// All of a person's are listed, the newest first, without those that were forgotten, and others'.
pub async fn searches_are_listed_the_newest_first(store: &dyn SavedSearches) {
    assert_eq!(list(store, ANA).await, []);
    for n in [3, 1, 255, 5, 0, 4] {
        put(store, ANA, search(n)).await;
    }
    put(store, BOB, search(9)).await;
    assert!(remove(store, ANA, 4).await);
    assert_eq!(list(store, ANA).await, [255, 5, 3, 1, 0].map(search));
    assert_eq!(list(store, BOB).await, [search(9)]);
    let most = SAVED_SEARCHES_MAX as u8;
    let cleo = UserId::from_bytes([3; 16]);
    for n in 0..most {
        put(store, cleo, search(n)).await;
    }
    let all: Vec<_> = (0..most).rev().map(search).collect();
    assert_eq!(list(store, cleo).await, all);
}
