//! Laws of [`Accounts`].

use barterline_domain::account::{AccountRole, DisplayName};
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::UserId;

use crate::accounts::{Account, Accounts};

/// An account; the same `n` gives the same.
pub fn account(n: u8) -> Account {
    Account {
        id: UserId::from_bytes([n; 16]),
        name: DisplayName::parse(&format!("Ana {n}")).expect("a name"),
        roles: vec![AccountRole::User, AccountRole::Moderator],
        created_at: Timestamp::from_millis(1_000 + u64::from(n)),
        suspended_at: None,
    }
}

/// An account is found as it was inserted, and only it.
pub async fn an_account_is_found_as_it_was_inserted(store: &dyn Accounts) {
    assert_eq!(store.find(account(1).id).await.expect("a read"), None);
    store.insert(vec![account(1), account(2)]).await.expect("an insert");
    assert_eq!(store.find(account(1).id).await.expect("a read"), Some(account(1)));
    assert_eq!(store.find(account(2).id).await.expect("a read"), Some(account(2)));
    assert_eq!(store.find(account(3).id).await.expect("a read"), None);
}

/// Of accounts with a taken id among them none is inserted.
pub async fn accounts_are_inserted_all_or_none(store: &dyn Accounts) {
    store.insert(vec![account(1)]).await.expect("an insert");
    let thief = Account { name: DisplayName::parse("Eve").expect("a name"), ..account(1) };
    store.insert(vec![account(2), thief]).await.expect_err("the id is taken");
    assert_eq!(store.find(account(1).id).await.expect("a read"), Some(account(1)));
    assert_eq!(store.find(account(2).id).await.expect("a read"), None);
    store.insert(Vec::new()).await.expect("none is no error");
}

/// A suspension stays from the first time on until it is taken back, and touches nothing else.
pub async fn an_account_is_suspended_until_that_is_taken_back(store: &dyn Accounts) {
    store.insert(vec![account(1), account(2)]).await.expect("an insert");
    let (first, later) = (Some(Timestamp::from_millis(5_000)), Some(Timestamp::from_millis(6_000)));
    let suspended = Account { suspended_at: first, ..account(1) };
    for at in [first, later] {
        let found = store.suspend(account(1).id, at).await.expect("a change");
        assert_eq!(found, Some(suspended.clone()));
        assert_eq!(store.find(account(1).id).await.expect("a read"), Some(suspended.clone()));
    }
    assert_eq!(store.find(account(2).id).await.expect("a read"), Some(account(2)));
    for _ in 0..2 {
        let found = store.suspend(account(1).id, None).await.expect("a change");
        assert_eq!(found, Some(account(1)));
    }
    assert_eq!(store.find(account(1).id).await.expect("a read"), Some(account(1)));
    assert_eq!(store.suspend(account(3).id, first).await.expect("a change"), None);
    assert_eq!(store.find(account(3).id).await.expect("a read"), None);
}
