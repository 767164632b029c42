//! Laws of [`Favourites`].

use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{ListingId, UserId};

use crate::favourites::{COUNTED_MAX, Favourite, Favourites};

/// Listing `n`, liked since `since` milliseconds.
pub const fn favourite(n: u8, since: u64) -> Favourite {
    let listing = ListingId::from_bytes([n; 16]);
    Favourite { listing, since: Timestamp::from_millis(since) }
}

const ANA: UserId = UserId::from_bytes([1; 16]);
const BOB: UserId = UserId::from_bytes([2; 16]);

/// What is added is there, for one person alone, and as it was when it is added again, until it is removed.
pub async fn a_favourite_stays_until_it_is_removed(store: &dyn Favourites) {
    let (first, again) = (favourite(7, 5), favourite(7, 9));
    let listing = first.listing;
    assert_eq!(store.find(ANA, listing).await.expect("a read"), None);
    assert!(store.add(ANA, first).await.expect("an answer"));
    assert!(!store.add(ANA, again).await.expect("an answer"));
    assert_eq!(store.find(ANA, listing).await.expect("a read"), Some(first));
    assert_eq!(store.find(BOB, listing).await.expect("a read"), None);
    assert!(!store.remove(BOB, listing).await.expect("an answer"));
    assert!(store.remove(ANA, listing).await.expect("an answer"));
    assert!(!store.remove(ANA, listing).await.expect("an answer"));
    assert_eq!(store.find(ANA, listing).await.expect("a read"), None);
    assert!(store.add(ANA, again).await.expect("an answer"));
    assert_eq!(store.find(ANA, listing).await.expect("a read"), Some(again));
}

/// All that somebody likes is listed, the last first, of one time by id, without what others like.
pub async fn favourites_are_listed_the_last_first(store: &dyn Favourites) {
    for (n, since) in [(3, 20), (9, 10), (4, 20), (0, 30), (255, 5), (6, 40)] {
        store.add(ANA, favourite(n, since)).await.expect("an answer");
    }
    store.add(BOB, favourite(8, 99)).await.expect("an answer");
    store.remove(ANA, favourite(6, 0).listing).await.expect("an answer");
    let listed = store.list(ANA).await.expect("a list");
    let expected = [(0, 30), (3, 20), (4, 20), (9, 10), (255, 5)];
    assert_eq!(listed, expected.map(|(n, since)| favourite(n, since)));
    assert_eq!(store.list(UserId::from_bytes([3; 16])).await.expect("a list"), []);
}

/// Who likes a listing is counted, as far as it is counted at all.
pub async fn who_likes_a_listing_is_counted(store: &dyn Favourites) {
    let count = async |n| store.count(favourite(n, 0).listing).await.expect("a count");
    assert_eq!(count(7).await, 0);
    for user in [ANA, BOB] {
        store.add(user, favourite(7, 1)).await.expect("an answer");
        store.add(user, favourite(7, 2)).await.expect("an answer");
    }
    store.add(ANA, favourite(8, 1)).await.expect("an answer");
    assert_eq!((count(7).await, count(8).await), (2, 1));
    store.remove(ANA, favourite(7, 0).listing).await.expect("an answer");
    assert_eq!((count(7).await, count(8).await), (1, 1));
    for n in 0..COUNTED_MAX {
        let mut user = [9; 16];
        user[..8].copy_from_slice(&n.to_be_bytes());
        store.add(UserId::from_bytes(user), favourite(9, 1)).await.expect("an answer");
    }
    store.add(ANA, favourite(9, 1)).await.expect("an answer");
    assert_eq!(count(9).await, COUNTED_MAX);
}
