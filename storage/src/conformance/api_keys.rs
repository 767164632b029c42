//! Laws of [`ApiKeys`].

use barterline_domain::account::{ApiKeyName, Scope};
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{ApiKeyId, UserId};

use crate::api_keys::{API_KEYS_MAX, ApiKey, ApiKeys};

/// A key of person 1; the same `n` gives the same.
pub fn key(n: u8) -> ApiKey {
    ApiKey {
        // In another order than they are made.
        id: ApiKeyId::from_bytes([u8::MAX - n; 16]),
        user: UserId::from_bytes([1; 16]),
        name: ApiKeyName::parse(&format!("printer {n}")).expect("a name"),
        hash: [n; 32],
        scopes: vec![Scope::ReadChats, Scope::WriteListings],
        created_at: Timestamp::from_millis(1_000 + u64::from(n)),
        expires_at: n.is_multiple_of(2).then_some(Timestamp::from_millis(9_000)),
        revoked: false,
    }
}

fn other() -> UserId {
    UserId::from_bytes([2; 16])
}

async fn find(store: &dyn ApiKeys, n: u8) -> Option<ApiKey> {
    store.find(key(n).id).await.expect("a read")
}

async fn list(store: &dyn ApiKeys) -> Vec<ApiKey> {
    store.list(key(1).user).await.expect("a list")
}

async fn insert(store: &dyn ApiKeys, key: ApiKey) {
    assert!(store.insert(key).await.expect("an insert"));
}

/// A key is found as it was inserted, and listed among its owner's.
pub async fn a_key_is_found_as_it_was_inserted(store: &dyn ApiKeys) {
    assert_eq!((find(store, 1).await, list(store).await), (None, Vec::new()));
    let others = ApiKey { user: other(), ..key(9) };
    for key in [key(1), key(2), others.clone(), key(3)] {
        insert(store, key).await;
    }
    for n in 1..=3 {
        assert_eq!(find(store, n).await, Some(key(n)));
    }
    assert_eq!(find(store, 9).await, Some(others.clone()));
    assert_eq!(list(store).await, [1, 2, 3].map(key));
    assert_eq!(store.list(other()).await.expect("a list"), [others]);
}

/// A key whose id is taken is refused, and nothing changes.
pub async fn the_id_of_a_key_is_new(store: &dyn ApiKeys) {
    insert(store, key(1)).await;
    for user in [key(1).user, other()] {
        store.insert(ApiKey { user, hash: [99; 32], ..key(1) }).await.expect_err("it is taken");
        assert_eq!(find(store, 1).await, Some(key(1)));
    }
    assert_eq!(list(store).await, [key(1)]);
}

/// A person has so many keys and no more, until one is revoked.
pub async fn keys_of_a_person_are_counted(store: &dyn ApiKeys) {
    for n in 0..API_KEYS_MAX as u8 {
        insert(store, key(n)).await;
    }
    let more = API_KEYS_MAX as u8;
    assert!(!store.insert(key(more)).await.expect("an answer"));
    assert_eq!(find(store, more).await, None);
    assert_eq!(list(store).await.len(), API_KEYS_MAX);
    assert!(store.revoke(key(7).user, key(7).id).await.expect("an answer"));
    insert(store, key(more)).await;
    assert!(!store.insert(key(more + 1)).await.expect("an answer"));
}

/// A key is revoked by its owner alone, for good, and others are not.
pub async fn a_key_is_revoked_by_its_owner(store: &dyn ApiKeys) {
    insert(store, key(1)).await;
    insert(store, key(2)).await;
    assert!(!store.revoke(other(), key(1).id).await.expect("an answer"));
    assert!(!store.revoke(key(1).user, key(3).id).await.expect("an answer"));
    assert_eq!(find(store, 1).await, Some(key(1)));
    for _ in 0..2 {
        assert!(store.revoke(key(1).user, key(1).id).await.expect("an answer"));
        assert_eq!(find(store, 1).await, Some(ApiKey { revoked: true, ..key(1) }));
        assert_eq!(list(store).await, [key(2)]);
    }
}

/// Of several keys at once all are kept.
pub async fn keys_made_at_once_are_all_kept(store: &dyn ApiKeys) {
    let made = tokio::join!(store.insert(key(1)), store.insert(key(2)), store.insert(key(3)));
    for made in [made.0, made.1, made.2] {
        assert!(made.expect("an insert"));
    }
    let mut kept = list(store).await;
    kept.sort_by_key(|key| key.created_at);
    assert_eq!(kept, [1, 2, 3].map(key));
}
