//! Laws of [`UserStates`].

use barterline_domain::clock::Timestamp;
use barterline_domain::ids::UserId;

use crate::user_state::{UserChange, UserState, UserStates};

/// Who chose nothing has the usual, and a choice is one person's.
pub async fn choices_are_kept_by_person(store: &dyn UserStates) {
    let (ana, bob) = (UserId::from_bytes([1; 16]), UserId::from_bytes([2; 16]));
    assert_eq!(store.find(ana).await.expect("a read"), UserState::default());
    let changes = vec![UserChange::ShowRead(false), UserChange::Seen(Timestamp::from_millis(9))];
    let changed = store.change(ana, changes).await.expect("a change");
    let expected = UserState {
        shows_read: false,
        last_seen: Some(Timestamp::from_millis(9)),
        ..UserState::default()
    };
    assert_eq!(changed, expected);
    let earlier = vec![UserChange::Seen(Timestamp::from_millis(3))];
    assert_eq!(store.change(ana, earlier).await.expect("a change"), expected, "it never goes back");
    let hidden = store.change(ana, vec![UserChange::ShowPresence(false)]).await.expect("a change");
    assert_eq!(hidden, UserState { shows_presence: false, ..expected });
    assert_eq!(store.find(ana).await.expect("a read"), hidden);
    assert_eq!(store.find(bob).await.expect("a read"), UserState::default());
}

/// What several devices choose at once is all kept.
pub async fn choices_made_at_once_are_all_kept(store: &dyn UserStates) {
    let ana = UserId::from_bytes([1; 16]);
    let at = Timestamp::from_millis(9);
    let change = |change| store.change(ana, vec![change]);
    let (a, b, c) = tokio::join!(
        change(UserChange::ShowRead(false)),
        change(UserChange::ShowPresence(false)),
        change(UserChange::Seen(at))
    );
    for changed in [a, b, c] {
        changed.expect("a change");
    }
    let all = UserState { shows_read: false, shows_presence: false, last_seen: Some(at) };
    assert_eq!(store.find(ana).await.expect("a read"), all);
    let again = store.change(ana, vec![UserChange::ShowRead(false)]).await;
    assert_eq!(again.expect("a change"), all, "twice is once");
}
