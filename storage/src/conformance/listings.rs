//! Laws of [`Listings`].

use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{ListingId, UserId};
use barterline_domain::listing::{Listing, ListingStatus, ListingText};
use barterline_domain::money::{Currency, Money};

use crate::listings::{Listings, Replaced};

/// A listing of seller `seller`; ids are ordered by `n`. The same numbers give the same.
pub fn listing(n: u8, seller: u8) -> Listing {
    let text = ListingText::parse(&format!("bicycle {n}"), "Steel, 56 cm".to_owned());
    Listing {
        id: ListingId::from_bytes([n; 16]),
        seller: UserId::from_bytes([seller; 16]),
        text: text.expect("a text"),
        price: Money { minor: 12_300, currency: Currency::parse("EUR").expect("a currency") },
        status: ListingStatus::Active,
        version: 1,
        created_at: Timestamp::from_millis(1_000),
        changed_at: Timestamp::from_millis(2_000),
    }
}

async fn find(store: &dyn Listings, n: u8) -> Option<Listing> {
    store.find(listing(n, 0).id).await.expect("a read")
}

async fn page(store: &dyn Listings, seller: u8, before: Option<u8>, limit: usize) -> Vec<Listing> {
    let before = before.map(|n| listing(n, 0).id);
    let page = store.list_by_seller(UserId::from_bytes([seller; 16]), before, limit).await;
    page.expect("a page")
}

/// A listing is found as it was inserted; an id is taken once.
pub async fn a_listing_is_found_as_it_was_inserted(store: &dyn Listings) {
    assert_eq!(find(store, 1).await, None);
    store.insert(listing(1, 50)).await.expect("an insert");
    assert_eq!(find(store, 1).await, Some(listing(1, 50)));
    store.insert(listing(1, 60)).await.expect_err("the id is taken");
    assert_eq!(find(store, 1).await, Some(listing(1, 50)));
    assert!(page(store, 60, None, 10).await.is_empty());
}

/// Every status, the largest price and an empty description are kept.
pub async fn every_field_is_kept(store: &dyn Listings) {
    use ListingStatus::{Active, Reserved, Sold, Withdrawn};
    for (n, status) in (1..).zip([Active, Reserved, Sold, Withdrawn]) {
        let yen = Currency::parse("JPY").expect("a currency");
        let stored = Listing {
            status,
            text: ListingText::parse("Ünïcode 🚲", String::new()).expect("a text"),
            price: Money { minor: barterline_domain::money::MINOR_MAX, currency: yen },
            version: u64::from(n) * 1_000_000,
            ..listing(n, 50)
        };
        store.insert(stored.clone()).await.expect("an insert");
        assert_eq!(find(store, n).await, Some(stored));
    }
}

/// A replacement takes place on the version before it, and on no other.
pub async fn a_replacement_follows_the_stored_version(store: &dyn Listings) {
    let next = Listing { version: 2, status: ListingStatus::Sold, ..listing(1, 50) };
    assert_eq!(store.replace(next.clone()).await.expect("an answer"), Replaced::Missing);
    store.insert(listing(1, 50)).await.expect("an insert");
    for version in [1, 3, u64::MAX] {
        let stale = Listing { version, ..next.clone() };
        assert_eq!(store.replace(stale).await.expect("an answer"), Replaced::VersionChanged);
        assert_eq!(find(store, 1).await, Some(listing(1, 50)));
    }
    assert_eq!(store.replace(next.clone()).await.expect("an answer"), Replaced::Yes);
    assert_eq!(find(store, 1).await, Some(next.clone()));
    assert_eq!(page(store, 50, None, 10).await, [next], "lists show it too, once");
}

/// Of several replacements at once of one version exactly one takes place.
pub async fn one_of_several_at_once_replaces(store: &dyn Listings) {
    store.insert(listing(1, 50)).await.expect("an insert");
    let replace = |minor| {
        let price = Money { minor, ..listing(1, 50).price };
        store.replace(Listing { version: 2, price, ..listing(1, 50) })
    };
    let (a, b, c) = tokio::join!(replace(1), replace(2), replace(3));
    let answers = [a, b, c].map(|answer| answer.expect("an answer"));
    let yes = |answer: &&Replaced| **answer == Replaced::Yes;
    assert_eq!(answers.iter().filter(yes).count(), 1, "{answers:?}");
}

/// A seller's listings come newest first, page by page, without those of others.
pub async fn a_sellers_listings_come_newest_first(store: &dyn Listings) {
    for n in [3, 1, 255, 5, 0] {
        store.insert(listing(n, 50)).await.expect("an insert");
    }
    store.insert(listing(4, 49)).await.expect("an insert");
    store.insert(listing(2, 51)).await.expect("an insert");
    let numbers = async |before, limit| -> Vec<u8> {
        let page = page(store, 50, before, limit).await;
        page.iter().map(|listing| listing.id.as_bytes()[0]).collect()
    };
    assert_eq!(numbers(None, 10).await, [255, 5, 3, 1, 0]);
    assert_eq!(numbers(None, 2).await, [255, 5]);
    assert_eq!(numbers(Some(5), 2).await, [3, 1]);
    assert_eq!(numbers(Some(2), 2).await, [1, 0], "a place between two will do");
    assert_eq!(numbers(Some(0), 2).await, [0; 0]);
    assert!(page(store, 52, None, 10).await.is_empty());
}
