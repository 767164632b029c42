//! Laws of [`Codes`].

use barterline_domain::clock::Timestamp;
use barterline_domain::ids::UserId;

use super::credentials::email;
use crate::codes::{Code, CodePurpose, Codes};

const NOW: Timestamp = Timestamp::from_millis(5_000);

/// A code that ends at 9 s; the same `n` gives the same.
pub fn code(n: u8) -> Code {
    let purpose = match n % 4 {
        0 => CodePurpose::VerifyEmail,
        1 => CodePurpose::ResetPassword,
        2 => CodePurpose::ChangeEmail,
        _ => CodePurpose::SignIn,
    };
    Code {
        hash: [n; 32],
        user: UserId::from_bytes([n; 16]),
        purpose,
        email: email(n),
        created_at: Timestamp::from_millis(1_000),
        expires_at: Timestamp::from_millis(9_000),
    }
}

async fn take(store: &dyn Codes, n: u8, now: Timestamp) -> Option<Code> {
    store.take(code(n).hash, code(n).purpose, now).await.expect("an answer")
}

/// A code is given once, as it was inserted.
pub async fn a_code_is_given_once(store: &dyn Codes) {
    assert_eq!(take(store, 1, NOW).await, None);
    for n in 0..5 {
        store.insert(code(n)).await.expect("an insert");
    }
    for n in 0..4 {
        assert_eq!(take(store, n, NOW).await, Some(code(n)));
        assert_eq!(take(store, n, NOW).await, None);
    }
    assert_eq!(take(store, 4, NOW).await, Some(code(4)), "others stay");
}

/// Of several at once exactly one is given a code.
pub async fn one_of_several_at_once_is_given_the_code(store: &dyn Codes) {
    store.insert(code(1)).await.expect("an insert");
    let answers = tokio::join!(take(store, 1, NOW), take(store, 1, NOW), take(store, 1, NOW));
    let given = [answers.0, answers.1, answers.2].into_iter().flatten();
    assert_eq!(given.collect::<Vec<_>>(), [code(1)]);
}

/// A code is worth nothing from its end on.
pub async fn a_code_ends(store: &dyn Codes) {
    store.insert(code(1)).await.expect("an insert");
    assert_eq!(take(store, 1, code(1).expires_at).await, None);
    let last = Timestamp::from_millis(code(1).expires_at.as_millis() - 1);
    assert_eq!(take(store, 1, last).await, Some(code(1)));
}

/// Whoever shows a code for something else is given nothing, and leaves it as it is.
pub async fn a_code_of_another_purpose_stays(store: &dyn Codes) {
    store.insert(code(1)).await.expect("an insert");
    let other = store.take(code(1).hash, CodePurpose::SignIn, NOW).await.expect("an answer");
    assert_eq!(other, None);
    assert_eq!(take(store, 1, NOW).await, Some(code(1)));
}

/// A hash that is taken is refused, and nothing changes.
pub async fn the_hash_of_a_code_is_new(store: &dyn Codes) {
    store.insert(code(1)).await.expect("an insert");
    let other = Code { user: code(2).user, ..code(1) };
    store.insert(other).await.expect_err("the hash is taken");
    assert_eq!(take(store, 1, NOW).await, Some(code(1)));
}
