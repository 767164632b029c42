//! Laws of [`ListingViews`].

use barterline_domain::ids::ListingId;

use crate::listing_views::ListingViews;

/// Listing `n`.
const fn listing(n: u8) -> ListingId {
    ListingId::from_bytes([n; 16])
}

/// Adds to the counts of listings.
async fn add<const N: usize>(store: &dyn ListingViews, views: [(u8, u64); N]) {
    let views = views.map(|(n, more)| (listing(n), more));
    store.add(&views).await.expect("an answer");
}

/// How often listing `n` was looked at.
async fn count(store: &dyn ListingViews, n: u8) -> u64 {
    store.count(listing(n)).await.expect("a count")
}

/// What is added adds up, for each listing that is named, however much it is.
pub async fn views_add_up(store: &dyn ListingViews) {
    add(store, [(1, 2), (2, 1)]).await;
    assert_eq!((count(store, 1).await, count(store, 2).await), (2, 1));
    add(store, [(1, 3)]).await;
    add(store, []).await;
    assert_eq!((count(store, 1).await, count(store, 2).await), (5, 1));
    add(store, [(2, u64::from(u32::MAX)), (1, 1)]).await;
    assert_eq!((count(store, 1).await, count(store, 2).await), (6, 1 << 32));
    // More than a backend adds at once.
    let many: [(u8, u64); 100] = std::array::from_fn(|at| (at as u8 + 100, at as u64 + 1));
    add(store, many).await;
    for (n, views) in many {
        assert_eq!(count(store, n).await, views);
    }
}

/// Each listing is counted by itself, and what nobody looked at has no views.
pub async fn views_of_a_listing_are_its_own(store: &dyn ListingViews) {
    assert_eq!(count(store, 1).await, 0);
    add(store, [(1, 7)]).await;
    for (n, views) in [(1, 7), (0, 0), (2, 0), (255, 0)] {
        assert_eq!(count(store, n).await, views);
    }
}

/// Of several additions at once all are counted.
pub async fn views_added_at_once_are_all_counted(store: &dyn ListingViews) {
    add(store, [(1, 1)]).await;
    tokio::join!(
        add(store, [(1, 10), (2, 10)]),
        add(store, [(1, 100)]),
        add(store, [(2, 100), (1, 1_000)])
    );
    assert_eq!((count(store, 1).await, count(store, 2).await), (1_111, 110));
}
