//! Laws of [`Blocks`].

use barterline_domain::ids::UserId;

use crate::blocks::Blocks;

/// A block holds in one direction until it is taken back, and setting it twice is setting it once.
pub async fn a_block_holds_in_one_direction(store: &dyn Blocks) {
    let (ana, bob) = (UserId::from_bytes([1; 16]), UserId::from_bytes([2; 16]));
    assert!(!store.contains(ana, bob).await.expect("a read"));
    assert!(store.set(ana, bob, true).await.expect("a block"));
    assert!(!store.set(ana, bob, true).await.expect("a block"));
    assert!(store.contains(ana, bob).await.expect("a read"));
    assert!(!store.contains(bob, ana).await.expect("a read"));
    assert!(store.set(ana, bob, false).await.expect("no block"));
    assert!(!store.set(ana, bob, false).await.expect("no block"));
    assert!(!store.contains(ana, bob).await.expect("a read"));
}

/// Blocks are listed by blocker, in the order of the blocked, over pages, until they are taken back.
pub async fn blocks_are_listed_in_pages(store: &dyn Blocks) {
    let ana = UserId::from_bytes([1; 16]);
    let others: Vec<_> = (10..15).map(|n| UserId::from_bytes([n; 16])).collect();
    for other in others.iter().rev() {
        store.set(ana, *other, true).await.expect("a block");
        store.set(*other, ana, true).await.expect("a block");
    }
    for (other, on) in [(12, true), (20, true), (20, false)] {
        store.set(ana, UserId::from_bytes([other; 16]), on).await.expect("a change");
    }
    let mut listed = Vec::new();
    loop {
        let page = store.list(ana, listed.last().copied(), 2).await.expect("a page");
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 2);
        listed.extend(page);
        assert!(listed.len() <= others.len(), "{listed:?}");
    }
    assert_eq!(listed, others);
}
