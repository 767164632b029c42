//! Laws of [`Accounts`].

use barterline_domain::account::{AccountRole, Bio, DisplayName, Locale};
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{MediaId, UserId};

use crate::accounts::{Account, Accounts, ProfileChange};

/// An account; the same `n` gives the same.
pub fn account(n: u8) -> Account {
    Account {
        id: UserId::from_bytes([n; 16]),
        name: DisplayName::parse(&format!("Ana {n}")).expect("a name"),
        bio: Bio::parse("Bikes.\nAnd more.").expect("a text"),
        locale: Locale::parse("pt-BR").ok(),
        avatar: Some(MediaId::from_bytes([n; 16])),
        roles: vec![AccountRole::User, AccountRole::Moderator],
        created_at: Timestamp::from_millis(1_000 + u64::from(n)),
        suspended_at: None,
        erased_at: None,
    }
}

async fn find(store: &dyn Accounts, n: u8) -> Option<Account> {
    store.find(account(n).id).await.expect("a read")
}

/// An account is found as it was inserted, and only it.
pub async fn an_account_is_found_as_it_was_inserted(store: &dyn Accounts) {
    assert_eq!(store.find(account(1).id).await.expect("a read"), None);
    store.insert(vec![account(1), account(2)]).await.expect("an insert");
    assert_eq!(store.find(account(1).id).await.expect("a read"), Some(account(1)));
    assert_eq!(store.find(account(2).id).await.expect("a read"), Some(account(2)));
    assert_eq!(store.find(account(3).id).await.expect("a read"), None);
    let bare = Account::new(account(4).id, account(4).name, Timestamp::from_millis(7));
    store.insert(vec![bare.clone()]).await.expect("an insert");
    assert_eq!(store.find(bare.id).await.expect("a read"), Some(bare));
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

/// What is given of a profile changes, and nothing else does.
pub async fn a_profile_changes_as_far_as_it_is_given(store: &dyn Accounts) {
    store.insert(vec![account(1), account(2)]).await.expect("an insert");
    let none = ProfileChange::default();
    let name = DisplayName::parse("Bea").ok();
    let bio = Bio::parse("Boats.").ok();
    let avatar = Some(MediaId::from_bytes([99; 16]));
    let mut expected = account(1);
    for change in [
        none.clone(),
        ProfileChange { name, ..none.clone() },
        ProfileChange { bio, locale: Some(Locale::parse("de").ok()), ..none.clone() },
        ProfileChange { avatar: Some(avatar), locale: Some(None), ..none.clone() },
        ProfileChange { avatar: Some(None), ..none.clone() },
    ] {
        expected.name = change.name.clone().unwrap_or(expected.name);
        expected.bio = change.bio.clone().unwrap_or(expected.bio);
        expected.locale = change.locale.clone().unwrap_or(expected.locale);
        expected.avatar = change.avatar.unwrap_or(expected.avatar);
        let given = store.change(account(1).id, change).await.expect("a change");
        assert_eq!((given.as_ref(), find(store, 1).await), (Some(&expected), given.clone()));
    }
    let all = Account {
        name: DisplayName::parse("Bea").expect("a name"),
        bio: Bio::parse("Boats.").expect("a text"),
        locale: None,
        avatar: None,
        ..account(1)
    };
    assert_eq!(find(store, 1).await, Some(all));
    assert_eq!(find(store, 2).await, Some(account(2)));
    assert_eq!(store.change(account(3).id, none).await.expect("an answer"), None);
}

/// Roles are replaced, and nothing else changes.
pub async fn roles_are_replaced(store: &dyn Accounts) {
    store.insert(vec![account(1), account(2)]).await.expect("an insert");
    for roles in [vec![AccountRole::User, AccountRole::Admin], vec![AccountRole::Service], vec![]] {
        let after = Account { roles: roles.clone(), ..account(1) };
        let given = store.set_roles(account(1).id, roles).await.expect("a change");
        assert_eq!((given, find(store, 1).await), (Some(after.clone()), Some(after)));
    }
    assert_eq!(find(store, 2).await, Some(account(2)));
    assert_eq!(store.set_roles(account(3).id, Vec::new()).await.expect("an answer"), None);
}

/// Of an erased account nothing says who it was, for good.
pub async fn an_erased_account_stays_so(store: &dyn Accounts) {
    store.insert(vec![account(1), account(2)]).await.expect("an insert");
    let (first, later) = (Timestamp::from_millis(5_000), Timestamp::from_millis(6_000));
    let bare = Account::new(account(1).id, DisplayName::erased(), account(1).created_at);
    let erased = Account { roles: Vec::new(), erased_at: Some(first), ..bare };
    for at in [first, later] {
        let given = store.erase(account(1).id, at).await.expect("a change");
        assert_eq!((given, find(store, 1).await), (Some(erased.clone()), Some(erased.clone())));
    }
    let change = ProfileChange { name: Some(account(1).name), ..ProfileChange::default() };
    assert_eq!(store.change(account(1).id, change).await.expect("an answer"), None);
    assert_eq!(store.set_roles(account(1).id, vec![]).await.expect("an answer"), None);
    assert_eq!(find(store, 1).await, Some(erased));
    assert_eq!(find(store, 2).await, Some(account(2)));
    assert_eq!(store.erase(account(3).id, first).await.expect("an answer"), None);
}

/// Changes of several at once are all kept.
pub async fn changes_of_an_account_at_once_are_all_kept(store: &dyn Accounts) {
    store.insert(vec![account(1)]).await.expect("an insert");
    let (id, none) = (account(1).id, ProfileChange::default());
    let bio = ProfileChange { bio: Some(Bio::default()), ..none.clone() };
    let locale = ProfileChange { locale: Some(None), ..none };
    let roles = vec![AccountRole::Service];
    let (a, b, c) =
        tokio::join!(store.change(id, bio), store.change(id, locale), store.set_roles(id, roles));
    for given in [a, b, c] {
        assert!(given.expect("a change").is_some());
    }
    let roles = vec![AccountRole::Service];
    let all = Account { bio: Bio::default(), locale: None, roles, ..account(1) };
    assert_eq!(find(store, 1).await, Some(all));
}
