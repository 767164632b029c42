//! Laws of [`Listings`].

use std::collections::BTreeSet;

use barterline_domain::catalogue::attribute::{AttributeKey, AttributeValue};
use barterline_domain::catalogue::category::CategoryId;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{ListingId, MediaId, UserId};
use barterline_domain::listing::details::{Condition, Details, Photo};
use barterline_domain::listing::external::{External, ExternalId, ExternalUrl, SourceName};
use barterline_domain::listing::{
    Change, EndReason, HISTORY_MAX, Listing, ListingStatus, ListingText,
};
use barterline_domain::money::{Currency, Money};
use barterline_domain::place::{Cell, Place, PlaceName};

use crate::listings::{FeedPlace, Listings, Replaced};

/// A listing of seller `seller`; ids are ordered by `n`. The same numbers give the same.
pub fn listing(n: u8, seller: u8) -> Listing {
    let text = ListingText::parse(&format!("bicycle {n}"), "Steel, 56 cm".to_owned());
    let (text, currency) = (text.expect("a text"), Currency::parse("EUR").expect("a currency"));
    let (id, seller) = (ListingId::from_bytes([n; 16]), UserId::from_bytes([seller; 16]));
    let (price, now) = (Money { minor: 12_300, currency }, Timestamp::from_millis(1_000));
    let changed_at = Timestamp::from_millis(2_000);
    Listing { details: details(), changed_at, ..Listing::offered(id, seller, text, price, now) }
}

/// One of each kind of attribute, a condition, a place, photos and where it is kept.
pub fn details() -> Details {
    let key = |text: &str| AttributeKey::try_from(text.to_owned()).expect("a key");
    let values = [
        ("brand", AttributeValue::Text("Größe & Söhne 🚲".to_owned())),
        ("frame", AttributeValue::Number(-565, 1)),
        ("electric", AttributeValue::Flag(false)),
        ("type", AttributeValue::One(key("city"))),
        ("extras", AttributeValue::Many(vec![key("basket"), key("lock")])),
    ];
    Details {
        category: CategoryId::try_from("vehicles/bicycles".to_owned()).ok(),
        attributes: values.into_iter().map(|(name, value)| (key(name), value)).collect(),
        condition: Some(Condition::LikeNew),
        place: Some(Place {
            cell: Cell::try_from("u33db".to_owned()).expect("a cell"),
            name: PlaceName::try_from("Berlin".to_owned()).ok(),
        }),
        photos: vec![photo(9, 4_096, 3_072), photo(3, 320, 480)],
        external: Some(External {
            source: SourceName::parse("shop").expect("a source"),
            id: ExternalId::parse("Fahrräder/17").expect("an id"),
            revision: 1 << 40,
            url: ExternalUrl::parse("https://shop.example/17").ok(),
        }),
    }
}

fn photo(n: u8, width: u32, height: u32) -> Photo {
    Photo { media: MediaId::from_bytes([n; 16]), width, height }
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

/// Every status and reason, the largest price, an empty description, a full history, and that nothing else
/// is said are kept.
pub async fn every_field_is_kept(store: &dyn Listings) {
    use EndReason::{Damaged, Elsewhere, Erased, Here, Kept, Mistake, Other};
    use ListingStatus::{Active, Draft, Expired, Reserved, Sold, Withdrawn};
    let reasons = [Here, Elsewhere, Kept, Damaged, Mistake, Other, Erased];
    let all = [Draft, Active, Reserved, Sold, Withdrawn, Expired, Sold];
    for (n, (status, reason)) in (1..).zip(all.into_iter().zip(reasons)) {
        let yen = Currency::parse("JPY").expect("a currency");
        let price = Money { minor: barterline_domain::money::MINOR_MAX, currency: yen };
        let at = Timestamp::from_millis(u64::from(n));
        let change = |version| Change { version, at, price, status };
        let stored = Listing {
            details: if n % 2 == 0 { Details::default() } else { details() },
            status,
            reason: Some(reason),
            expires_at: Some(at).filter(|_| n % 3 == 0),
            history: (1..=HISTORY_MAX as u64).filter(|_| n % 2 == 0).map(change).collect(),
            text: ListingText::parse("Ünïcode 🚲", String::new()).expect("a text"),
            price,
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

/// Which listings changed behind a place, by number, in pages of at most `limit`; and where that ends.
async fn told(store: &dyn Listings, after: &FeedPlace, limit: usize) -> (BTreeSet<u8>, FeedPlace) {
    let (mut numbers, mut place) = (BTreeSet::new(), after.clone());
    // A feed that never ends fails here.
    for _ in 0..100 {
        let page = store.changes(&place, limit).await.expect("a page").expect("a known place");
        assert!(page.listings.len() <= limit, "{page:?}");
        numbers.extend(page.listings.iter().map(|listing| listing.as_bytes()[0]));
        place = page.next;
        if !page.more {
            return (numbers, place);
        }
    }
    panic!("the feed does not end");
}

/// What is inserted and replaced behind a place is told behind it, to everybody who reads from there.
pub async fn changes_are_told_behind_a_place(store: &dyn Listings) {
    let begin = store.feed_end().await.expect("a place");
    store.insert(listing(1, 50)).await.expect("an insert");
    let middle = store.feed_end().await.expect("a place");
    store.insert(listing(2, 60)).await.expect("an insert");
    let (all, end) = told(store, &begin, 10).await;
    assert_eq!(all, BTreeSet::from([1, 2]));
    assert!(told(store, &middle, 10).await.0.contains(&2));
    let next = Listing { version: 2, ..listing(1, 50) };
    assert_eq!(store.replace(next).await.expect("an answer"), Replaced::Yes);
    for place in [&begin, &middle, &end] {
        assert!(told(store, place, 10).await.0.contains(&1), "{place:?}");
    }
    store.insert(listing(3, 50)).await.expect("an insert");
    assert!(told(store, &end, 10).await.0.is_superset(&BTreeSet::from([1, 3])));
}

/// A long feed comes page by page, and all of it.
pub async fn a_long_feed_comes_in_pages(store: &dyn Listings) {
    let begin = store.feed_end().await.expect("a place");
    for n in 1..=7 {
        store.insert(listing(n, 50)).await.expect("an insert");
    }
    for limit in [1, 3, 7, 8] {
        assert_eq!(told(store, &begin, limit).await.0, (1..=7).collect(), "{limit} at once");
    }
}

/// A place that is none, or of a feed that went further, is not read from.
pub async fn a_place_that_no_feed_has_is_none(store: &dyn Listings) {
    for place in [vec![], vec![7], vec![0xff; 7]] {
        let found = store.changes(&FeedPlace(place), 10).await.expect("an answer");
        assert_eq!(found, None);
    }
}
