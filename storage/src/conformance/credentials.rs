//! Laws of [`Credentials`].

use barterline_domain::account::Email;
use barterline_domain::ids::UserId;

use crate::credentials::{Credential, Credentials};

/// A credential; the same `n` gives the same.
pub fn credential(n: u8) -> Credential {
    Credential {
        user: UserId::from_bytes([n; 16]),
        email: Email::parse(&format!("ana{n}@example.org")).expect("an address"),
        password_hash: format!("$argon2id${n}"),
    }
}

/// A credential is found by its address, as it was inserted.
pub async fn a_credential_is_found_by_its_address(store: &dyn Credentials) {
    assert_eq!(store.find(&credential(1).email).await.expect("a read"), None);
    assert!(store.insert(credential(1)).await.expect("an insert"));
    assert_eq!(store.find(&credential(1).email).await.expect("a read"), Some(credential(1)));
    assert_eq!(store.find(&credential(2).email).await.expect("a read"), None);
}

/// An address is taken once; whoever comes later changes nothing.
pub async fn an_address_is_taken_once(store: &dyn Credentials) {
    let thief = Credential { email: credential(1).email, ..credential(2) };
    assert!(store.insert(credential(1)).await.expect("an insert"));
    assert!(!store.insert(thief).await.expect("an answer"));
    assert_eq!(store.find(&credential(1).email).await.expect("a read"), Some(credential(1)));
}

/// Of several at once for one address exactly one is inserted.
pub async fn one_of_several_at_once_takes_the_address(store: &dyn Credentials) {
    let insert = |n: u8| store.insert(Credential { email: credential(1).email, ..credential(n) });
    let (a, b, c) = tokio::join!(insert(1), insert(2), insert(3));
    let taken: Vec<bool> = [a, b, c].into_iter().map(|answer| answer.expect("one")).collect();
    assert_eq!(taken.iter().filter(|taken| **taken).count(), 1, "{taken:?}");
}
