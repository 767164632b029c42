//! Each planted fault is found under its name, and nothing else is.

use super::verdict::Tally;
use super::*;
use crate::message::hash_text;

const BUYER: Side = Side::Buyer;
const SELLER: Side = Side::Seller;

fn on(side: Side, device: u8) -> Place {
    Place { room: 0, side, device }
}

fn name(side: Side, counter: u32) -> Name {
    on(side, 0).message(counter)
}

fn hash(name: Name) -> u64 {
    hash_text(format!("{name:?}").as_bytes())
}

fn shows(seq: u64, name: Name) -> Sighting {
    let (from, hash) = (Some(name.side), hash(name));
    Sighting { seq, name: Some(name), from, hash, is_note: false }
}

/// For one room with so many devices on each side.
fn checker(numbered: bool, devices: u8) -> Checker {
    let mut checker = Checker::new(numbered, 1, usize::from(devices));
    for side in Side::BOTH {
        (0..devices).for_each(|device| checker.join(on(side, device)));
    }
    checker
}

/// A room in which the buyer said 1 to `n`, all acknowledged under the same numbers.
fn talked(n: u32) -> Checker {
    let mut checker = checker(true, 1);
    for counter in 1..=n {
        checker.sent(name(BUYER, counter), hash(name(BUYER, counter)));
        checker.acked(on(BUYER, 0), Some(name(BUYER, counter)), u64::from(counter));
    }
    checker
}

fn deliver(checker: &mut Checker, counters: &[u32]) {
    for counter in counters {
        checker.event(on(SELLER, 0), &shows(u64::from(*counter), name(BUYER, *counter)));
    }
}

fn store(checker: &mut Checker, counters: &[u32], head: u64) {
    for counter in counters {
        checker.stored(0, &shows(u64::from(*counter), name(BUYER, *counter)));
    }
    checker.stored_up_to(0, head);
}

fn found(checker: Checker) -> Violations {
    let verdict = checker.finish();
    let count = verdict.violations.lost
        + verdict.violations.duplicated
        + verdict.violations.reordered
        + verdict.violations.phantom
        + verdict.violations.gap;
    assert_eq!(verdict.findings.len() as u64, count, "{:?}", verdict.findings);
    verdict.violations
}

const fn none() -> Violations {
    Violations { lost: 0, duplicated: 0, reordered: 0, phantom: 0, gap: 0, leaked: 0 }
}

#[test]
fn a_sound_talk_is_left_alone() {
    let mut checker = talked(3);
    checker.sent(name(SELLER, 1), hash(name(SELLER, 1)));
    deliver(&mut checker, &[1, 2, 3]);
    checker.acked(on(SELLER, 0), Some(name(SELLER, 1)), 4);
    let heard = checker.event(on(BUYER, 0), &shows(4, name(SELLER, 1)));
    assert_eq!(heard.first, Some(name(SELLER, 1)));
    store(&mut checker, &[1, 2, 3], 3);
    checker.stored(0, &shows(4, name(SELLER, 1)));
    let verdict = checker.finish();
    assert_eq!(verdict.violations, none(), "{:?}", verdict.findings);
    let tally = Tally { sent: 4, acked: 4, delivered: 4, stored: 4, ..Tally::default() };
    assert_eq!(verdict.tally, tally);
}

#[test]
fn acknowledged_and_not_stored_is_lost() {
    let mut checker = talked(2);
    deliver(&mut checker, &[1]);
    store(&mut checker, &[1], 1);
    assert_eq!(found(checker), Violations { lost: 1, ..none() });
}

#[test]
fn stored_and_never_delivered_is_lost() {
    let mut checker = talked(2);
    deliver(&mut checker, &[1]);
    store(&mut checker, &[1, 2], 2);
    assert_eq!(found(checker), Violations { lost: 1, ..none() });
}

#[test]
fn twice_on_one_connection_is_duplicated_and_on_the_next_one_only_below_have() {
    let mut checker = talked(2);
    deliver(&mut checker, &[1, 2, 2]);
    checker.connected(on(SELLER, 0));
    deliver(&mut checker, &[2]);
    store(&mut checker, &[1, 2], 2);
    assert_eq!(found(checker), Violations { duplicated: 2, ..none() });
}

/// What the buyer said on device 0 is pushed to a device.
fn push(checker: &mut Checker, place: Place, counters: &[u32]) {
    for counter in counters {
        checker.event(place, &shows(u64::from(*counter), name(BUYER, *counter)));
    }
}

/// Two devices each; all but `place` get all three messages in order, `place` gets `counters`.
fn heard_by_one_device(place: Place, counters: &[u32]) -> Violations {
    let mut checker = checker(true, 2);
    for counter in 1..=3 {
        checker.sent(name(BUYER, counter), hash(name(BUYER, counter)));
        checker.acked(on(BUYER, 0), Some(name(BUYER, counter)), u64::from(counter));
    }
    for other in [on(BUYER, 1), on(SELLER, 0), on(SELLER, 1)] {
        push(&mut checker, other, if other == place { counters } else { &[1, 2, 3] });
    }
    assert_eq!(checker.is_complete(), [1, 2, 3].iter().all(|n| counters.contains(n)));
    store(&mut checker, &[1, 2, 3], 3);
    found(checker)
}

#[test]
fn each_device_is_followed_by_itself() {
    for place in [on(BUYER, 1), on(SELLER, 0), on(SELLER, 1)] {
        assert_eq!(heard_by_one_device(place, &[1, 2, 3]), none());
        let missed = heard_by_one_device(place, &[1, 2]);
        assert_eq!(missed, Violations { lost: 1, ..none() }, "{place} misses the last");
        let jumped = heard_by_one_device(place, &[1, 3]);
        assert_eq!(jumped, Violations { lost: 1, ..none() }, "{place} misses one between");
        let twice = heard_by_one_device(place, &[1, 2, 2, 3]);
        assert_eq!(twice, Violations { duplicated: 1, ..none() }, "{place} hears twice");
        let wrong = heard_by_one_device(place, &[1, 3, 2]);
        assert_eq!(wrong, Violations { reordered: 1, ..none() }, "{place} in wrong order");
    }
}

#[test]
fn a_hole_of_one_device_is_a_gap_though_another_heard_it() {
    let mut checker = checker(true, 2);
    for counter in 1..=3 {
        checker.sent(name(BUYER, counter), hash(name(BUYER, counter)));
        checker.acked(on(BUYER, 0), Some(name(BUYER, counter)), u64::from(counter));
    }
    for place in [on(BUYER, 1), on(SELLER, 0)] {
        push(&mut checker, place, &[1, 2, 3]);
    }
    push(&mut checker, on(SELLER, 1), &[1, 3]);
    let heard = checker.pulled(on(SELLER, 1), &shows(2, name(BUYER, 2)));
    assert_eq!((heard.first, heard.holes), (Some(name(BUYER, 2)), 0));
    store(&mut checker, &[1, 2, 3], 3);
    assert_eq!(found(checker), Violations { gap: 1, ..none() });
}

#[test]
fn the_order_of_two_devices_of_one_sender_is_free() {
    let mut checker = checker(true, 2);
    let (first, second) = (on(BUYER, 0).message(1), on(BUYER, 1).message(1));
    for (seq, name) in [(1, second), (2, first)] {
        checker.sent(name, hash(name));
        checker.acked(name.place(), Some(name), seq);
    }
    for place in Side::BOTH.into_iter().flat_map(|side| [on(side, 0), on(side, 1)]) {
        for (seq, name) in [(1, second), (2, first)] {
            if name.place() != place {
                checker.event(place, &shows(seq, name));
            }
        }
    }
    checker.stored(0, &shows(1, second));
    checker.stored(0, &shows(2, first));
    checker.stored_up_to(0, 2);
    // Each sender saw the other's message beside its own answer, in whichever order.
    assert_eq!(found(checker), none());
}

#[test]
fn an_answer_to_a_duplicate_with_another_number_is_duplicated() {
    for device in [0, 1] {
        let mut checker = checker(true, 2);
        checker.sent(name(BUYER, 1), hash(name(BUYER, 1)));
        checker.acked(on(BUYER, 0), Some(name(BUYER, 1)), 1);
        checker.resent(name(BUYER, 1));
        checker.acked(on(BUYER, device), Some(name(BUYER, 1)), 2);
        let same = checker.acked(on(BUYER, 1), Some(name(BUYER, 1)), 1);
        assert_eq!(same.first, Some(name(BUYER, 1)));
        push(&mut checker, on(SELLER, 0), &[1]);
        push(&mut checker, on(SELLER, 1), &[1]);
        store(&mut checker, &[1], 1);
        assert_eq!(found(checker), Violations { duplicated: 1, ..none() });
    }
}

#[test]
fn what_was_ahead_may_come_again_after_a_reconnect() {
    let mut checker = talked(3);
    deliver(&mut checker, &[1, 3]);
    assert_eq!(checker.have(on(SELLER, 0)), 1);
    checker.connected(on(SELLER, 0));
    deliver(&mut checker, &[2, 3]);
    store(&mut checker, &[1, 2, 3], 3);
    assert_eq!(found(checker), none());
}

#[test]
fn one_message_under_two_numbers_is_duplicated() {
    let mut checker = talked(1);
    deliver(&mut checker, &[1]);
    checker.event(on(SELLER, 0), &shows(2, name(BUYER, 1)));
    checker.stored(0, &shows(1, name(BUYER, 1)));
    checker.stored(0, &shows(2, name(BUYER, 1)));
    checker.stored_up_to(0, 2);
    // Told by the device and by the store.
    assert_eq!(found(checker), Violations { duplicated: 2, ..none() });
}

#[test]
fn a_second_answer_is_duplicated_unless_the_message_was_sent_again() {
    let mut checker = talked(2);
    checker.acked(on(BUYER, 0), Some(name(BUYER, 1)), 1);
    checker.resent(name(BUYER, 2));
    checker.acked(on(BUYER, 0), Some(name(BUYER, 2)), 2);
    checker.event(on(BUYER, 0), &shows(2, name(BUYER, 2)));
    deliver(&mut checker, &[1, 2]);
    store(&mut checker, &[1, 2], 2);
    // The jump from 0 to 2 is none: number 1 is the buyer's own.
    assert_eq!(found(checker), Violations { duplicated: 1, ..none() });
}

#[test]
fn an_event_after_a_higher_one_is_reordered() {
    let mut checker = talked(3);
    deliver(&mut checker, &[1, 3, 2]);
    store(&mut checker, &[1, 2, 3], 3);
    assert_eq!(found(checker), Violations { reordered: 1, ..none() });
}

#[test]
fn a_senders_messages_stored_in_another_order_are_reordered() {
    let mut checker = checker(true, 1);
    for counter in [1, 2] {
        checker.sent(name(BUYER, counter), hash(name(BUYER, counter)));
    }
    for (seq, counter) in [(1, 2), (2, 1)] {
        checker.acked(on(BUYER, 0), Some(name(BUYER, counter)), seq);
        checker.event(on(SELLER, 0), &shows(seq, name(BUYER, counter)));
        checker.stored(0, &shows(seq, name(BUYER, counter)));
    }
    checker.stored_up_to(0, 2);
    assert_eq!(found(checker), Violations { reordered: 1, ..none() });
}

#[test]
fn what_nobody_sent_is_phantom() {
    let mut checker = talked(1);
    deliver(&mut checker, &[1]);
    let stranger = Sighting { name: None, ..shows(2, name(BUYER, 1)) };
    checker.event(on(SELLER, 0), &stranger);
    checker.event(on(SELLER, 0), &shows(3, name(BUYER, 9)));
    let other_text = Sighting { hash: 0, ..shows(4, name(BUYER, 1)) };
    checker.event(on(SELLER, 0), &other_text);
    let wrong_author = Sighting { from: Some(SELLER), ..shows(5, name(BUYER, 1)) };
    checker.event(on(SELLER, 0), &wrong_author);
    checker.acked(on(SELLER, 0), Some(name(BUYER, 1)), 1);
    store(&mut checker, &[1], 1);
    assert_eq!(found(checker), Violations { phantom: 5, ..none() });
}

#[test]
fn what_the_server_notes_counts_its_number_and_is_nobodys() {
    let mut checker = checker(true, 1);
    let note =
        |seq| Sighting { name: None, from: None, is_note: true, ..shows(seq, name(BUYER, 1)) };
    checker.sent(name(BUYER, 1), hash(name(BUYER, 1)));
    checker.acked(on(BUYER, 0), Some(name(BUYER, 1)), 2);
    for side in [BUYER, SELLER] {
        checker.event(on(side, 0), &note(1));
    }
    checker.event(on(SELLER, 0), &shows(2, name(BUYER, 1)));
    checker.stored(0, &note(1));
    checker.stored(0, &shows(2, name(BUYER, 1)));
    checker.stored_up_to(0, 2);
    assert_eq!(found(checker), none());
}

#[test]
fn delivered_and_not_stored_is_phantom() {
    let mut checker = talked(1);
    checker.sent(name(BUYER, 2), hash(name(BUYER, 2)));
    deliver(&mut checker, &[1, 2]);
    store(&mut checker, &[1], 1);
    assert_eq!(found(checker), Violations { phantom: 1, ..none() });
}

#[test]
fn a_number_that_shows_two_messages_is_phantom() {
    let mut checker = talked(2);
    deliver(&mut checker, &[1]);
    checker.event(on(SELLER, 0), &shows(2, name(BUYER, 2)));
    checker.stored(0, &shows(1, name(BUYER, 1)));
    checker.sent(name(BUYER, 3), hash(name(BUYER, 3)));
    checker.stored(0, &shows(2, name(BUYER, 3)));
    checker.stored_up_to(0, 2);
    // Number 2 was the second message; it is gone from the store, and so is what was shown.
    let violations = found(checker);
    assert_eq!(violations.phantom, 2);
    assert_eq!(violations.lost, 2);
}

#[test]
fn missing_numbers_are_gaps() {
    let mut checker = talked(3);
    deliver(&mut checker, &[1, 2, 3]);
    store(&mut checker, &[1, 3], 3);
    let violations = found(checker);
    assert_eq!((violations.gap, violations.lost), (1, 1));
}

#[test]
fn a_hole_closed_by_a_pull_is_a_gap_unless_it_was_announced() {
    for announced in [false, true] {
        let mut checker = talked(3);
        deliver(&mut checker, &[1]);
        if announced {
            checker.behind(on(SELLER, 0), 2);
        }
        let heard = checker.event(on(SELLER, 0), &shows(3, name(BUYER, 3)));
        assert_eq!(heard.holes, 1);
        let heard = checker.pulled(on(SELLER, 0), &shows(2, name(BUYER, 2)));
        assert_eq!((heard.first, heard.holes), (Some(name(BUYER, 2)), 0));
        store(&mut checker, &[1, 2, 3], 3);
        assert_eq!(found(checker).gap, u64::from(!announced));
    }
}

#[test]
fn without_numbers_the_senders_order_is_held() {
    let mut checker = checker(false, 1);
    for counter in 1..=5 {
        checker.sent(name(BUYER, counter), hash(name(BUYER, counter)));
        checker.acked(on(BUYER, 0), Some(name(BUYER, counter)), 0);
    }
    for counter in [1, 3, 2, 4, 4] {
        checker.event(on(SELLER, 0), &shows(0, name(BUYER, counter)));
    }
    let expected = Violations { lost: 1, duplicated: 1, reordered: 1, ..none() };
    assert_eq!(found(checker), expected);
}

#[test]
fn a_message_without_an_answer_is_told_apart() {
    let mut checker = checker(true, 1);
    checker.sent(name(BUYER, 1), 7);
    checker.stored_up_to(0, 0);
    let verdict = checker.finish();
    assert_eq!(verdict.violations, none());
    assert_eq!(verdict.tally.unanswered, 1);
}
