//! Laws of [`Identities`].

use barterline_domain::clock::Timestamp;
use barterline_domain::ids::UserId;

use crate::identities::{IDENTITIES_MAX, Identities, Identity, Linked};

/// An identity of person `n`; the same `n` gives the same.
pub fn identity(n: u8) -> Identity {
    Identity {
        user: UserId::from_bytes([n; 16]),
        key: [n; 32],
        issuer: "https://id.example.org/realm".to_owned(),
        provider: "example".to_owned(),
        linked_at: Timestamp::from_millis(1_000 + u64::from(n)),
    }
}

/// The same of person 1.
fn own(n: u8) -> Identity {
    Identity { user: UserId::from_bytes([1; 16]), ..identity(n) }
}

async fn insert(store: &dyn Identities, identity: Identity) -> Linked {
    store.insert(identity).await.expect("an insert")
}

async fn find(store: &dyn Identities, like: &Identity) -> Option<Identity> {
    store.find(like.key).await.expect("a read")
}

async fn list(store: &dyn Identities, n: u8) -> Vec<Identity> {
    store.list(UserId::from_bytes([n; 16])).await.expect("a list")
}

async fn remove(store: &dyn Identities, it: &Identity) -> bool {
    store.remove(it.user, it.key).await.expect("a removal")
}

/// An identity is found as it was linked, and listed among its owner's.
pub async fn an_identity_is_found_as_it_was_linked(store: &dyn Identities) {
    assert_eq!((find(store, &own(1)).await, list(store, 1).await), (None, Vec::new()));
    for identity in [own(5), own(2), identity(9), own(3)] {
        assert_eq!(insert(store, identity).await, Linked::Done);
    }
    for identity in [own(5), own(2), own(3), identity(9)] {
        assert_eq!(find(store, &identity).await, Some(identity));
    }
    assert_eq!(list(store, 1).await, [5, 2, 3].map(own));
    assert_eq!(list(store, 9).await, [identity(9)]);
}

/// An identity is one person's, by all of what it is found by.
pub async fn an_identity_is_linked_once(store: &dyn Identities) {
    assert_eq!(insert(store, identity(1)).await, Linked::Done);
    for user in [1, 2] {
        let again = Identity {
            user: UserId::from_bytes([user; 16]),
            provider: "another".to_owned(),
            ..identity(1)
        };
        assert_eq!(insert(store, again).await, Linked::Taken);
        assert_eq!(find(store, &identity(1)).await, Some(identity(1)));
    }
    assert_eq!((list(store, 1).await, list(store, 2).await), (vec![identity(1)], Vec::new()));
    // One that looks alike is somebody else.
    for at in [0, 31] {
        let mut other = Identity { user: UserId::from_bytes([2; 16]), ..identity(1) };
        other.key[at] ^= 1;
        assert_eq!(find(store, &other).await, None);
        assert_eq!(insert(store, other.clone()).await, Linked::Done);
        assert_eq!(find(store, &other).await, Some(other));
    }
    assert_eq!(find(store, &identity(1)).await, Some(identity(1)));
}

/// A person has so many identities and no more, until one is removed.
pub async fn identities_of_a_person_are_counted(store: &dyn Identities) {
    let most = IDENTITIES_MAX as u8;
    for n in 0..most {
        assert_eq!(insert(store, own(n)).await, Linked::Done);
    }
    assert_eq!(insert(store, own(most)).await, Linked::TooMany);
    assert_eq!(find(store, &own(most)).await, None);
    assert_eq!(list(store, 1).await.len(), IDENTITIES_MAX);
    // It stays anybody's.
    let others = Identity { user: UserId::from_bytes([2; 16]), ..own(most) };
    assert_eq!(insert(store, others).await, Linked::Done);
    assert!(remove(store, &own(3)).await);
    assert_eq!(insert(store, own(most + 1)).await, Linked::Done);
    assert_eq!(insert(store, own(most + 2)).await, Linked::TooMany);
}

/// An identity is removed by its owner alone, and can be linked by anybody then.
pub async fn an_identity_is_removed_by_its_owner(store: &dyn Identities) {
    for n in [1, 2] {
        assert_eq!(insert(store, own(n)).await, Linked::Done);
    }
    let others = Identity { user: UserId::from_bytes([2; 16]), ..own(1) };
    assert!(!remove(store, &others).await);
    assert!(!remove(store, &own(3)).await);
    assert_eq!(find(store, &own(1)).await, Some(own(1)));
    assert!(remove(store, &own(1)).await);
    assert_eq!((find(store, &own(1)).await, list(store, 1).await), (None, vec![own(2)]));
    assert!(!remove(store, &own(1)).await);
    assert_eq!(insert(store, others.clone()).await, Linked::Done);
    assert_eq!(find(store, &own(1)).await, Some(others.clone()));
    assert_eq!(list(store, 2).await, [others]);
}

/// All identities of a person are removed at once, and nobody else's.
pub async fn all_identities_of_a_person_are_removed(store: &dyn Identities) {
    for identity in [own(1), own(2), own(3), identity(9)] {
        assert_eq!(insert(store, identity).await, Linked::Done);
    }
    for _ in 0..2 {
        store.remove_all(own(1).user).await.expect("a removal");
        assert_eq!(list(store, 1).await, Vec::new());
        for n in 1..=3 {
            assert_eq!(find(store, &own(n)).await, None);
        }
        assert_eq!(find(store, &identity(9)).await, Some(identity(9)));
    }
    let others = Identity { user: UserId::from_bytes([2; 16]), ..own(2) };
    assert_eq!(insert(store, others).await, Linked::Done);
}

/// Of several who link one identity at once, one has it.
pub async fn one_of_several_at_once_links(store: &dyn Identities) {
    let of = |n: u8| Identity { user: UserId::from_bytes([n; 16]), ..identity(7) };
    let linked = tokio::join!(insert(store, of(1)), insert(store, of(2)), insert(store, of(3)));
    let linked = [linked.0, linked.1, linked.2];
    assert_eq!(linked.iter().filter(|linked| **linked == Linked::Done).count(), 1, "{linked:?}");
    let owner = find(store, &of(1)).await.expect("an owner").user;
    for n in 1..=3 {
        let theirs = list(store, n).await;
        assert_eq!(theirs.len(), usize::from(owner == of(n).user), "{n}");
        assert_eq!(linked[usize::from(n) - 1] == Linked::Done, owner == of(n).user, "{n}");
    }
}

/// Of several identities that a person links at once all are kept.
pub async fn identities_linked_at_once_are_all_kept(store: &dyn Identities) {
    let linked = tokio::join!(insert(store, own(1)), insert(store, own(2)), insert(store, own(3)));
    assert_eq!([linked.0, linked.1, linked.2], [Linked::Done; 3]);
    let mut kept = list(store, 1).await;
    kept.sort_by_key(|identity| identity.linked_at);
    assert_eq!(kept, [1, 2, 3].map(own));
}
