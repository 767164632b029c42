//! A process that ends between two steps of a change of credentials: each is what stands there then.

use barterline_storage::conformance::credentials::{credential, email};
use barterline_storage::credentials::{Credential, Credentials as _, Replaced};
use barterline_storage::record::rows::Row as _;
use barterline_storage::scylla::credentials::ScyllaCredentials;

use crate::{Store, with_empty};

const TABLES: &[&str] = &["{credentials}.secrets", "{credentials}.addresses"];

async fn opened(store: &Store) -> ScyllaCredentials {
    ScyllaCredentials::open(&store.database).await.expect("a store")
}

/// Writes the secret of a user, and nothing else.
async fn put_secret(store: &Store, credential: &Credential) {
    let text = "INSERT INTO {credentials}.secrets (user_id, record, version) VALUES (?, ?, 1)";
    let text = store.database.keyspaces().fill(text);
    let user = uuid::Uuid::from_bytes(*credential.user.as_bytes());
    store.raw.query_unpaged(text, (user, credential.to_bytes())).await.expect("a secret");
}

/// Writes a claim of user `n` to an address of `of`, of now or of long ago, and nothing else.
async fn put_claim(store: &Store, of: u8, n: u8, claim: &str) {
    let text = format!(
        "INSERT INTO {{credentials}}.addresses (email, user_id, claim) VALUES (?, ?, {claim})"
    );
    let text = store.database.keyspaces().fill(&text);
    let user = uuid::Uuid::from_bytes(*credential(n).user.as_bytes());
    store.raw.query_unpaged(text, (email(of).key.0.as_slice(), user)).await.expect("a claim");
}

const NOW: &str = "now()";
const LONG_AGO: &str = "minTimeuuid('2020-01-01')";

async fn insert(opened: &ScyllaCredentials, of: u8, n: u8) -> bool {
    let wanted = Credential { email: email(of), ..credential(n) };
    opened.insert(wanted).await.expect("an answer")
}

async fn owner(opened: &ScyllaCredentials, of: u8) -> Option<Credential> {
    opened.find(email(of).key).await.expect("a read")
}

/// An insertion that ended between the secret and the claim.
#[test]
fn a_secret_without_a_claim_keeps_no_address() {
    with_empty(TABLES, async |store| {
        let opened = opened(store).await;
        put_secret(store, &credential(1)).await;
        assert_eq!(owner(&opened, 1).await, None);
        assert!(insert(&opened, 1, 2).await);
        assert_eq!(owner(&opened, 1).await.expect("the second").user, credential(2).user);
    });
}

/// A change of address that ended between the claim and the secret.
#[test]
fn a_claim_that_the_secret_does_not_bear_out_is_no_log_in_and_passes() {
    with_empty(TABLES, async |store| {
        let opened = opened(store).await;
        assert!(insert(&opened, 1, 1).await);
        put_claim(store, 9, 1, NOW).await;
        assert_eq!(owner(&opened, 9).await, None);
        assert_eq!(owner(&opened, 1).await, Some(credential(1)));
        assert!(!insert(&opened, 9, 2).await, "it may be under way");
        assert_eq!(opened.find_by_user(credential(2).user).await.expect("a read"), None);
        // Whose claim it is may go on.
        let moved = Credential { email: email(9), ..credential(1) };
        let done = opened.replace(&credential(1), moved.clone()).await.expect("an answer");
        assert_eq!(done, Replaced::Done);
        assert_eq!(owner(&opened, 9).await, Some(moved));

        put_claim(store, 8, 1, LONG_AGO).await;
        assert!(insert(&opened, 8, 2).await);
        let late = Credential { email: email(8), ..credential(1) };
        let stands = owner(&opened, 9).await.expect("a credential");
        assert_eq!(opened.replace(&stands, late).await.expect("an answer"), Replaced::Taken);
        assert_eq!(owner(&opened, 8).await.expect("the second").user, credential(2).user);
    });
}

/// A claim that is taken up again is a new one: nobody takes it over for being old.
#[test]
fn a_claim_of_long_ago_is_claimed_anew() {
    with_empty(TABLES, async |store| {
        let opened = opened(store).await;
        assert!(insert(&opened, 1, 1).await);
        put_claim(store, 9, 1, LONG_AGO).await;
        let moved = Credential { email: email(9), ..credential(1) };
        let done = opened.replace(&credential(1), moved.clone()).await.expect("an answer");
        assert_eq!(done, Replaced::Done);
        // As if the secret were not written yet.
        put_secret(store, &credential(1)).await;
        assert!(!insert(&opened, 9, 2).await, "it is under way");
    });
}

/// A change of address, or a removal, that ended between the secret and the old claim.
#[test]
fn an_address_that_was_left_and_not_released_is_taken_over() {
    with_empty(TABLES, async |store| {
        let opened = opened(store).await;
        for (n, claim, free) in [(1, NOW, false), (2, LONG_AGO, true)] {
            assert!(insert(&opened, n, n).await);
            let moved = Credential { email: email(n + 10), ..credential(n) };
            let done = opened.replace(&credential(n), moved.clone()).await.expect("an answer");
            assert_eq!(done, Replaced::Done);
            put_claim(store, n, n, claim).await;
            assert_eq!(owner(&opened, n).await, None);
            assert_eq!(insert(&opened, n, n + 20).await, free);
            assert_eq!(owner(&opened, n + 10).await, Some(moved));
        }
        for (n, claim, free) in [(3, NOW, false), (4, LONG_AGO, true)] {
            assert!(insert(&opened, n, n).await);
            assert!(opened.remove(credential(n).user).await.expect("a removal"));
            put_claim(store, n, n, claim).await;
            assert_eq!(owner(&opened, n).await, None);
            assert_eq!(insert(&opened, n, n + 20).await, free);
        }
    });
}
