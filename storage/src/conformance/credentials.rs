//! Laws of [`Credentials`].

use barterline_domain::clock::Timestamp;
use barterline_domain::ids::UserId;

use crate::credentials::{Credential, Credentials, EmailKey, KeptEmail, Replaced, SecondFactor};

/// A credential with everything; the same `n` gives the same.
pub fn credential(n: u8) -> Credential {
    Credential {
        user: UserId::from_bytes([n; 16]),
        email: email(n),
        email_verified_at: Some(Timestamp::from_millis(n.into())),
        password_hash: Some(format!("$argon2id${n}")),
        password_changed_at: Timestamp::from_millis(1_000),
        second_factor: Some(SecondFactor {
            secret: vec![n; 40],
            confirmed_at: Some(Timestamp::from_millis(2_000)),
            last_step: 58_800_000,
            recovery: vec![[n; 32], [n.wrapping_add(1); 32]],
        }),
    }
}

/// The address of a credential.
pub fn email(n: u8) -> KeptEmail {
    KeptEmail { key: EmailKey([n; 32]), sealed: vec![n; 60] }
}

/// The credential with nothing that can be missing.
fn bare(n: u8) -> Credential {
    Credential {
        email_verified_at: None,
        password_hash: None,
        second_factor: None,
        ..credential(n)
    }
}

async fn find(store: &dyn Credentials, n: u8) -> Option<Credential> {
    store.find(email(n).key).await.expect("a read")
}

async fn of_user(store: &dyn Credentials, n: u8) -> Option<Credential> {
    store.find_by_user(credential(n).user).await.expect("a read")
}

async fn insert(store: &dyn Credentials, credential: Credential) {
    assert!(store.insert(credential).await.expect("an insert"));
}

/// A credential is found by its address and by its user, as it was inserted.
pub async fn a_credential_is_found_by_address_and_user(store: &dyn Credentials) {
    assert_eq!((find(store, 1).await, of_user(store, 1).await), (None, None));
    insert(store, credential(1)).await;
    insert(store, bare(2)).await;
    for (n, inserted) in [(1, credential(1)), (2, bare(2))] {
        assert_eq!(find(store, n).await, Some(inserted.clone()));
        assert_eq!(of_user(store, n).await, Some(inserted));
    }
    assert_eq!((find(store, 3).await, of_user(store, 3).await), (None, None));
}

/// An address is taken once, and a user has one credential; whoever comes later changes nothing.
pub async fn an_address_is_taken_once(store: &dyn Credentials) {
    insert(store, credential(1)).await;
    let thief = Credential { email: email(1), ..credential(2) };
    assert!(!store.insert(thief).await.expect("an answer"));
    assert_eq!(find(store, 1).await, Some(credential(1)));
    assert_eq!(of_user(store, 2).await, None);
    let second = Credential { email: email(3), ..credential(1) };
    assert!(!store.insert(second).await.expect("an answer"));
    assert_eq!(of_user(store, 1).await, Some(credential(1)));
    assert_eq!(find(store, 3).await, None);
    insert(store, Credential { email: email(3), ..credential(2) }).await;
}

/// Of several at once for one address exactly one is inserted.
pub async fn one_of_several_at_once_takes_the_address(store: &dyn Credentials) {
    let insert = |n: u8| store.insert(Credential { email: email(1), ..credential(n) });
    let (a, b, c) = tokio::join!(insert(1), insert(2), insert(3));
    let taken: Vec<bool> = [a, b, c].into_iter().map(|answer| answer.expect("one")).collect();
    assert_eq!(taken.iter().filter(|taken| **taken).count(), 1, "{taken:?}");
}

/// A credential is replaced where it is as it is expected to be, in everything.
pub async fn a_credential_is_replaced_where_it_is_as_expected(store: &dyn Credentials) {
    insert(store, credential(1)).await;
    insert(store, credential(2)).await;
    let replace = |old, new| async move { store.replace(&old, new).await.expect("an answer") };
    assert_eq!(replace(credential(1), bare(1)).await, Replaced::Done);
    assert_eq!(find(store, 1).await, Some(bare(1)));
    assert_eq!(of_user(store, 1).await, Some(bare(1)));
    // As it was, and as it never was in one thing.
    let never = Credential { password_changed_at: Timestamp::from_millis(7), ..bare(1) };
    for old in [credential(1), never] {
        assert_eq!(replace(old, credential(1)).await, Replaced::Changed);
        assert_eq!(find(store, 1).await, Some(bare(1)));
    }
    assert_eq!(replace(bare(1), credential(1)).await, Replaced::Done);
    assert_eq!(of_user(store, 1).await, Some(credential(1)));
    assert_eq!(of_user(store, 2).await, Some(credential(2)));
    assert_eq!(replace(credential(3), bare(3)).await, Replaced::Changed);
    assert_eq!(of_user(store, 3).await, None);
}

/// With a new address the old one is free again; one that is another's cannot be had.
pub async fn an_address_is_left_for_another(store: &dyn Credentials) {
    insert(store, credential(1)).await;
    insert(store, credential(2)).await;
    let taken = Credential { email: email(2), ..credential(1) };
    let refused = store.replace(&credential(1), taken).await.expect("an answer");
    assert_eq!(refused, Replaced::Taken);
    assert_eq!(find(store, 1).await, Some(credential(1)));
    assert_eq!(find(store, 2).await, Some(credential(2)));

    let moved = Credential { email: email(3), ..credential(1) };
    let done = store.replace(&credential(1), moved.clone()).await.expect("an answer");
    assert_eq!(done, Replaced::Done);
    assert_eq!(find(store, 3).await, Some(moved.clone()));
    assert_eq!(of_user(store, 1).await, Some(moved.clone()));
    assert_eq!(find(store, 1).await, None);
    insert(store, Credential { email: email(1), ..credential(4) }).await;
    // And not back, as it is another's now.
    let back = store.replace(&moved, credential(1)).await.expect("an answer");
    assert_eq!(back, Replaced::Taken);
    assert_eq!(find(store, 1).await.expect("a credential").user, credential(4).user);
}

/// Of several changes at once exactly one is made.
pub async fn one_change_of_several_at_once_is_made(store: &dyn Credentials) {
    insert(store, credential(1)).await;
    let old = credential(1);
    let change = |n: u8| store.replace(&old, Credential { email: email(n), ..credential(1) });
    let (a, b, c) = tokio::join!(change(11), change(12), change(13));
    let answers = [a, b, c].map(|answer| answer.expect("an answer"));
    let done = answers.iter().filter(|answer| **answer == Replaced::Done).count();
    assert_eq!(done, 1, "{answers:?}");
}

/// A removed credential is found no more, and its address is free.
pub async fn a_removed_credential_leaves_its_address(store: &dyn Credentials) {
    assert!(!store.remove(credential(1).user).await.expect("an answer"));
    insert(store, credential(1)).await;
    insert(store, credential(2)).await;
    assert!(store.remove(credential(1).user).await.expect("an answer"));
    assert_eq!((find(store, 1).await, of_user(store, 1).await), (None, None));
    assert!(!store.remove(credential(1).user).await.expect("an answer"));
    assert_eq!(find(store, 2).await, Some(credential(2)));
    insert(store, Credential { email: email(1), ..credential(3) }).await;
    insert(store, Credential { email: email(4), ..credential(1) }).await;
}
