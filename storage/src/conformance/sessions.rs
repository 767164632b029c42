//! Laws of [`Sessions`].

use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{SessionId, UserId};

use crate::sessions::{Rotation, Session, Sessions};

const NOW: Timestamp = Timestamp::from_millis(5_000);
const END: Timestamp = Timestamp::from_millis(9_000);
const LATER: Timestamp = Timestamp::from_millis(20_000);

/// A session that ends at 9 s with `[n; 32]` as the good hash; the same `n` gives the same.
pub fn session(n: u8) -> Session {
    Session {
        id: SessionId::from_bytes([n; 16]),
        user: UserId::from_bytes([n.wrapping_add(100); 16]),
        refresh_hash: [n; 32],
        created_at: Timestamp::from_millis(1_000),
        expires_at: END,
        revoked: false,
    }
}

async fn find(store: &dyn Sessions, n: u8) -> Option<Session> {
    store.find(session(n).id).await.expect("a read")
}

/// A session is found as it was inserted; of sessions with a taken id none is inserted.
pub async fn sessions_are_inserted_all_or_none(store: &dyn Sessions) {
    assert_eq!(find(store, 1).await, None);
    store.insert(vec![session(1), session(2)]).await.expect("an insert");
    assert_eq!(find(store, 1).await, Some(session(1)));
    assert_eq!(find(store, 2).await, Some(session(2)));
    let taken = Session { refresh_hash: [9; 32], ..session(1) };
    store.insert(vec![session(3), taken]).await.expect_err("the id is taken");
    assert_eq!(find(store, 1).await, Some(session(1)));
    assert_eq!(find(store, 3).await, None);
}

/// A rotation with the good hash puts the new one in its place and extends the session.
pub async fn the_good_hash_rotates(store: &dyn Sessions) {
    store.insert(vec![session(1)]).await.expect("an insert");
    let rotated = Session { refresh_hash: [7; 32], expires_at: LATER, ..session(1) };
    let rotation = store.rotate(session(1).id, [1; 32], [7; 32], NOW, LATER).await;
    assert_eq!(rotation.expect("an answer"), Rotation::Rotated(rotated.clone()));
    assert_eq!(find(store, 1).await, Some(rotated));
    // After its first end, before its new one.
    let again = store.rotate(session(1).id, [7; 32], [8; 32], END, LATER).await;
    assert!(matches!(again.expect("an answer"), Rotation::Rotated(_)));
}

/// Another hash revokes the session, for its rightful owner too.
pub async fn another_hash_revokes_the_session(store: &dyn Sessions) {
    store.insert(vec![session(1), session(2)]).await.expect("an insert");
    let rotate = |old| store.rotate(session(1).id, old, [8; 32], NOW, LATER);
    let first = rotate([1; 32]).await.expect("an answer");
    assert!(matches!(first, Rotation::Rotated(_)), "{first:?}");
    let reused = rotate([1; 32]).await.expect("an answer");
    assert!(matches!(reused, Rotation::Reused(ref session) if session.revoked), "{reused:?}");
    assert_eq!(rotate([8; 32]).await.expect("an answer"), Rotation::Gone);
    assert!(find(store, 1).await.expect("a session").revoked);
    assert_eq!(find(store, 2).await, Some(session(2)), "others go on");
}

/// Of several rotations at once with one hash exactly one rotates.
pub async fn one_of_several_at_once_rotates(store: &dyn Sessions) {
    store.insert(vec![session(1)]).await.expect("an insert");
    let rotate = |new| store.rotate(session(1).id, [1; 32], [new; 32], NOW, LATER);
    let (a, b, c) = tokio::join!(rotate(11), rotate(12), rotate(13));
    let rotations = [a, b, c].map(|rotation| rotation.expect("an answer"));
    let rotated = |rotation: &&Rotation| matches!(rotation, Rotation::Rotated(_));
    assert_eq!(rotations.iter().filter(rotated).count(), 1, "{rotations:?}");
    assert!(find(store, 1).await.expect("a session").revoked);
}

/// A session that is missing, over or revoked does not rotate, and stays as it is.
pub async fn what_is_over_does_not_rotate(store: &dyn Sessions) {
    let missing = store.rotate(session(1).id, [1; 32], [7; 32], NOW, LATER).await;
    assert_eq!(missing.expect("an answer"), Rotation::Gone);
    store.insert(vec![session(1), session(2)]).await.expect("an insert");
    let over = store.rotate(session(1).id, [1; 32], [7; 32], END, LATER).await;
    assert_eq!(over.expect("an answer"), Rotation::Gone);
    assert_eq!(find(store, 1).await, Some(session(1)));
    assert!(store.revoke(session(2).id).await.expect("an answer"));
    let revoked = store.rotate(session(2).id, [2; 32], [7; 32], NOW, LATER).await;
    assert_eq!(revoked.expect("an answer"), Rotation::Gone);
}

/// Revoking twice is revoking once; a missing session is said to be missing.
pub async fn revoking_twice_is_revoking_once(store: &dyn Sessions) {
    store.insert(vec![session(1)]).await.expect("an insert");
    for _ in 0..2 {
        assert!(store.revoke(session(1).id).await.expect("an answer"));
        assert_eq!(find(store, 1).await, Some(Session { revoked: true, ..session(1) }));
    }
    assert!(!store.revoke(session(2).id).await.expect("an answer"));
}
