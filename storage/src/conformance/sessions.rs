//! Laws of [`Sessions`].

use barterline_domain::account::{ClientName, SessionName};
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{SessionId, UserId};

use crate::sessions::{
    REPEATED_FOR, Rotation, SESSIONS_SHOWN_MAX, Session, Sessions, USED_HASHES_MAX,
};

const NOW: Timestamp = Timestamp::from_millis(5_000);
const END: Timestamp = Timestamp::from_millis(9_000);
const LATER: Timestamp = Timestamp::from_millis(20_000);

/// A session that ends at 9 s with `[n; 32]` as the good hash; the same `n` gives the same.
pub fn session(n: u8) -> Session {
    Session {
        id: SessionId::from_bytes([n; 16]),
        user: UserId::from_bytes([n.wrapping_add(100); 16]),
        refresh_hash: [n; 32],
        used_hashes: vec![[n.wrapping_add(200); 32]],
        name: SessionName::parse(&format!("phone {n}")).ok(),
        client: ClientName::parse("app/1.0 (phone)").ok(),
        created_at: Timestamp::from_millis(1_000),
        proven_at: Timestamp::from_millis(900),
        used_at: Timestamp::from_millis(2_000),
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
    let rotated = Session {
        refresh_hash: [7; 32],
        used_hashes: vec![[1; 32], session(1).used_hashes[0]],
        used_at: NOW,
        expires_at: LATER,
        ..session(1)
    };
    let rotation = store.rotate(session(1).id, [1; 32], [7; 32], NOW, LATER).await;
    assert_eq!(rotation.expect("an answer"), Rotation::Rotated(rotated.clone()));
    assert_eq!(find(store, 1).await, Some(rotated));
    // After its first end, before its new one.
    let again = store.rotate(session(1).id, [7; 32], [8; 32], END, LATER).await;
    assert!(matches!(again.expect("an answer"), Rotation::Rotated(_)));
}

/// A hash that was good before revokes the session, for its rightful owner too; one that never was
/// changes nothing.
pub async fn a_used_hash_revokes_the_session(store: &dyn Sessions) {
    store.insert(vec![session(1), session(2)]).await.expect("an insert");
    let rotate = |old| store.rotate(session(1).id, old, [9; 32], NOW, LATER);
    let first = store.rotate(session(1).id, [1; 32], [8; 32], NOW, LATER).await;
    let first = first.expect("an answer");
    assert!(matches!(first, Rotation::Rotated(_)), "{first:?}");
    let stands = find(store, 1).await;
    assert_eq!(rotate([66; 32]).await.expect("an answer"), Rotation::Wrong);
    assert_eq!(find(store, 1).await, stands, "whoever knows an id ends nobody's session");
    let reused = rotate([1; 32]).await.expect("an answer");
    assert!(matches!(reused, Rotation::Reused(ref session) if session.revoked), "{reused:?}");
    assert_eq!(rotate([8; 32]).await.expect("an answer"), Rotation::Gone);
    assert!(find(store, 1).await.expect("a session").revoked);
    assert_eq!(find(store, 2).await, Some(session(2)), "others go on");
}

/// The last rotation is repeated for a while, and changes nothing; it is reuse when that is over, or when the
/// hash that it gave was used.
pub async fn a_rotation_whose_answer_was_lost_is_repeated(store: &dyn Sessions) {
    const FAR: Timestamp = Timestamp::from_millis(1_000_000);
    store.insert(vec![session(1), session(2)]).await.expect("an insert");
    for n in [1, 2] {
        let rotate = |old, new, now| store.rotate(session(n).id, [old; 32], [new; 32], now, FAR);
        let first = rotate(n, 7, NOW).await.expect("an answer");
        assert!(matches!(first, Rotation::Rotated(_)), "{first:?}");
        let stands = find(store, n).await.expect("a session");
        let soon = Timestamp::from_millis(NOW.plus(REPEATED_FOR).as_millis() - 1);
        let again = rotate(n, 7, soon).await.expect("an answer");
        assert_eq!(again, Rotation::Repeated(stands.clone()));
        assert_eq!(find(store, n).await, Some(stands));
    }
    store.insert(vec![session(3)]).await.expect("an insert");
    let rotate = || store.rotate(session(3).id, [3; 32], [7; 32], NOW, FAR);
    let (a, b, c) = tokio::join!(rotate(), rotate(), rotate());
    let answers = [a, b, c].map(|answer| answer.expect("an answer"));
    let rotated = answers.iter().filter(|it| matches!(it, Rotation::Rotated(_))).count();
    let repeated = answers.iter().filter(|it| matches!(it, Rotation::Repeated(_))).count();
    assert_eq!(
        (rotated, repeated),
        (1, 2),
        "whoever asks twice at once is nobody else: {answers:?}"
    );
    let late = NOW.plus(REPEATED_FOR);
    let late = store.rotate(session(1).id, [1; 32], [7; 32], late, FAR).await;
    assert!(matches!(late, Ok(Rotation::Reused(_))), "{late:?}");
    let over = store.rotate(session(1).id, [1; 32], [7; 32], NOW, FAR).await;
    assert_eq!(over.expect("an answer"), Rotation::Gone, "what is over is not repeated");
    let used = store.rotate(session(2).id, [7; 32], [8; 32], NOW, FAR).await;
    assert!(matches!(used, Ok(Rotation::Rotated(_))), "{used:?}");
    let behind = store.rotate(session(2).id, [2; 32], [7; 32], NOW, FAR).await;
    assert!(matches!(behind, Ok(Rotation::Reused(_))), "{behind:?}");
}

/// Of the hashes that were good the last few are known.
pub async fn the_last_used_hashes_are_known(store: &dyn Sessions) {
    store.insert(vec![session(1)]).await.expect("an insert");
    for n in 1..=USED_HASHES_MAX as u8 + 1 {
        let rotation = store.rotate(session(1).id, [n; 32], [n + 1; 32], NOW, LATER).await;
        assert!(matches!(rotation, Ok(Rotation::Rotated(_))), "{rotation:?}");
    }
    let used = find(store, 1).await.expect("a session").used_hashes;
    assert_eq!(used, (2..=USED_HASHES_MAX as u8 + 1).rev().map(|n| [n; 32]).collect::<Vec<_>>());
    let forgotten = store.rotate(session(1).id, [1; 32], [99; 32], NOW, LATER).await;
    assert_eq!(forgotten.expect("an answer"), Rotation::Wrong);
    let oldest = store.rotate(session(1).id, [2; 32], [99; 32], NOW, LATER).await;
    assert!(matches!(oldest, Ok(Rotation::Reused(_))), "{oldest:?}");
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

/// A session is named and unnamed, and nothing else of it changes; a revoked one is not.
pub async fn a_session_is_named_until_it_is_revoked(store: &dyn Sessions) {
    store.insert(vec![session(1), session(2)]).await.expect("an insert");
    for name in [SessionName::parse("tablet").ok(), None] {
        assert!(store.rename(session(1).id, name.clone()).await.expect("an answer"));
        assert_eq!(find(store, 1).await, Some(Session { name, ..session(1) }));
    }
    assert_eq!(find(store, 2).await, Some(session(2)));
    store.revoke(session(2).id).await.expect("an answer");
    assert!(!store.rename(session(2).id, None).await.expect("an answer"));
    assert_eq!(find(store, 2).await, Some(Session { revoked: true, ..session(2) }));
    assert!(!store.rename(session(3).id, None).await.expect("an answer"));
}

/// Session `n` of one person, of whom the others are not; a higher one is newer.
fn theirs(n: u16) -> Session {
    let mut id = [50; 16];
    // In another order than their times.
    id[..2].copy_from_slice(&(u16::MAX - n).to_be_bytes());
    let created_at = Timestamp::from_millis(1_000 + u64::from(n) / 2);
    Session {
        id: SessionId::from_bytes(id),
        user: UserId::from_bytes([50; 16]),
        created_at,
        ..session(1)
    }
}

async fn listed(store: &dyn Sessions, now: Timestamp) -> Vec<Session> {
    store.list(theirs(0).user, now).await.expect("a list")
}

/// A person's sessions are listed, those that are good and the newest first.
pub async fn good_sessions_are_listed_newest_first(store: &dyn Sessions) {
    assert_eq!(listed(store, NOW).await, []);
    let over = Session { expires_at: NOW, ..theirs(6) };
    store.insert(vec![theirs(1), over, theirs(4), session(9)]).await.expect("an insert");
    store.insert(vec![theirs(2)]).await.expect("an insert");
    store.insert(vec![theirs(8)]).await.expect("an insert");
    store.revoke(theirs(2).id).await.expect("an answer");
    assert_eq!(listed(store, NOW).await, [theirs(8), theirs(4), theirs(1)]);
    assert_eq!(listed(store, END).await, []);
    // What is listed is what stands: a session that was extended is there after its first end.
    store.rotate(theirs(4).id, [1; 32], [7; 32], NOW, LATER).await.expect("a rotation");
    let ids: Vec<_> = listed(store, END).await.into_iter().map(|session| session.id).collect();
    assert_eq!(ids, [theirs(4).id]);
}

/// Of very many sessions the newest are listed.
pub async fn the_newest_of_many_sessions_are_listed(store: &dyn Sessions) {
    let many = SESSIONS_SHOWN_MAX as u16 + 9;
    let all: Vec<_> = (0..many).map(|n| theirs(2 * n)).collect();
    store.insert(all.clone()).await.expect("an insert");
    // Those that are over make no room for nothing.
    for ended in [many - 1, many - 3] {
        store.revoke(theirs(2 * ended).id).await.expect("an answer");
    }
    let mut good = all;
    good.retain(|it| it.id != theirs(2 * (many - 1)).id && it.id != theirs(2 * (many - 3)).id);
    good.reverse();
    assert_eq!(listed(store, NOW).await, good[..SESSIONS_SHOWN_MAX]);
}

/// All of a person's sessions are revoked but the one that is spared.
pub async fn all_sessions_are_revoked_but_one(store: &dyn Sessions) {
    let all = vec![theirs(1), theirs(3), theirs(5), theirs(7), session(9)];
    store.insert(all).await.expect("an insert");
    store.revoke(theirs(1).id).await.expect("an answer");
    let user = theirs(0).user;
    let spared = Some(theirs(3).id);
    let mut revoked = store.revoke_all(user, spared).await.expect("an answer");
    revoked.sort_unstable_by_key(|id| *id.as_bytes());
    assert_eq!(revoked, [theirs(7).id, theirs(5).id]);
    assert_eq!(listed(store, NOW).await, [theirs(3)]);
    assert_eq!(store.revoke_all(user, spared).await.expect("an answer"), []);
    assert_eq!(store.revoke_all(user, None).await.expect("an answer"), [theirs(3).id]);
    assert_eq!(listed(store, NOW).await, []);
    assert_eq!(find(store, 9).await, Some(session(9)), "others go on");
}
