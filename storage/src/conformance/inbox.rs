//! Laws of the inbox.

use std::sync::Arc;

use barterline_domain::chat::{Participants, Role};
use barterline_domain::clock::Timestamp;
use barterline_domain::event::Seq;
use barterline_domain::ids::{DeviceId, UserId};
use barterline_domain::marks::{Marks, Visibility};
use barterline_domain::personal::{Personal, PersonalChange};

use super::chat_log::Subject;
use super::samples;
use crate::inbox::{Inbox, Unread};

/// Only the two people of a chat are members, and each has a row.
pub async fn g6_only_participants_have_a_row(subject: &mut Subject, inbox: &dyn Inbox) {
    let chat = subject.chat(1).await;
    let people = chat.participants;
    for (user, role) in [(people.buyer, Role::Buyer), (people.seller, Role::Seller)] {
        let found = inbox.membership(user, chat.id).await.expect("a read");
        assert_eq!(found.as_ref(), Some(&chat));
        let row = inbox.row(user, chat.id).await.expect("a read").expect("a row");
        assert_eq!((row.role, row.head, row.unread), (role, Seq::ZERO, 0));
    }
    let stranger = UserId::from_bytes([99; 16]);
    assert!(inbox.membership(stranger, chat.id).await.expect("a read").is_none());
    assert!(inbox.row(stranger, chat.id).await.expect("a read").is_none());
    assert_eq!(inbox.row_head(stranger, chat.id).await.expect("a read"), None);
    assert_eq!(inbox.row_head(people.seller, chat.id).await.expect("a read"), Some(Seq::ZERO));
    let missing = samples::chat(77).id;
    assert!(inbox.membership(people.buyer, missing).await.expect("a read").is_none());
}

/// Unread is what the other person said above the read mark.
pub async fn unread_follows_the_read_mark(subject: &mut Subject, inbox: &dyn Inbox) {
    let chat = subject.chat(2).await;
    // Odd numbers by the buyer, even ones by the seller.
    subject.grow(&chat, 0, 6).await;
    let buyer = chat.participants.buyer;
    let device = DeviceId::from_bytes([1; 16]);
    for (read, unread) in [(0, 3), (1, 3), (2, 2), (5, 1), (6, 0), (3, 0)] {
        let marks = Marks::new(Seq::ZERO, Seq(read));
        inbox.mark(buyer, chat.id, device, marks, Visibility::Both).await.expect("a mark");
        let row = inbox.row(buyer, chat.id).await.expect("a read").expect("a row");
        assert_eq!(row.unread, unread, "read up to {read}");
    }
    let before = inbox.position().position;
    subject.grow(&chat, 6, 2).await;
    let row = inbox.row(buyer, chat.id).await.expect("a read").expect("a row");
    assert_eq!((row.unread, row.head, row.state), (1, Seq(8), samples::event(8).after));
    assert!((before + 1..=inbox.position().position).contains(&row.changed), "{}", row.changed);
    assert_eq!(inbox.row_head(buyer, chat.id).await.expect("a read"), Some(Seq(8)));
    assert_eq!(row.last, Some(samples::event(8)));
}

/// A chat counts from its opening on, for both people and for nobody else.
pub async fn chats_are_counted(subject: &mut Subject, inbox: &dyn Inbox) {
    // The seller of one is the buyer of the other.
    let (one, other) = (subject.chat(9).await, subject.chat(109).await);
    assert_eq!(one.participants.seller, other.participants.buyer);
    subject.grow(&one, 0, 2).await;
    let stranger = UserId::from_bytes([99; 16]);
    let Participants { buyer, seller } = one.participants;
    for (user, chats) in [(buyer, 1), (seller, 2), (other.participants.seller, 1), (stranger, 0)] {
        assert_eq!(inbox.count(user).await.expect("a count"), chats, "{user}");
    }
}

/// The total of a person's unread messages is that of their rows, whatever side they are on.
pub async fn unread_adds_up_over_all_chats(subject: &mut Subject, inbox: &dyn Inbox) {
    // The seller of one is the buyer of the other.
    let (one, other) = (subject.chat(8).await, subject.chat(108).await);
    assert_eq!(one.participants.seller, other.participants.buyer);
    subject.grow(&one, 0, 6).await;
    subject.grow(&other, 0, 3).await;
    let people = [&one, &other].map(|chat| [chat.participants.buyer, chat.participants.seller]);
    let device = DeviceId::from_bytes([1; 16]);
    let changes = [
        (&one, Marks::new(Seq::ZERO, Seq(6)), false),
        (&other, Marks::new(Seq::ZERO, Seq(2)), true),
    ];
    for (chat, marks, marked) in changes {
        let buyer = chat.participants.buyer;
        inbox.mark(buyer, chat.id, device, marks, Visibility::Both).await.expect("a mark");
        inbox.change(buyer, chat.id, PersonalChange::Unread(marked)).await.expect("a change");
        for user in people.concat() {
            let mut expected = Unread::default();
            for row in inbox.list(user, None, 9).await.expect("a page").rows {
                expected.add(row.unread, row.personal.unread);
            }
            assert_eq!(inbox.unread(user).await.expect("a count"), expected);
        }
    }
    let stranger = UserId::from_bytes([99; 16]);
    assert_eq!(inbox.unread(stranger).await.expect("a count"), Unread::default());
}

/// Marks only grow, per device, and the furthest device counts.
pub async fn marks_merge_by_maximum(subject: &mut Subject, inbox: &dyn Inbox) {
    let chat = subject.chat(3).await;
    subject.grow(&chat, 0, 9).await;
    let seller = chat.participants.seller;
    let (phone, laptop) = (DeviceId::from_bytes([1; 16]), DeviceId::from_bytes([2; 16]));
    let steps = [
        (
            phone,
            Marks { delivered: Seq(4), read: Seq(2) },
            Marks { delivered: Seq(4), read: Seq(2) },
        ),
        (
            laptop,
            Marks { delivered: Seq(2), read: Seq(1) },
            Marks { delivered: Seq(4), read: Seq(2) },
        ),
        (
            laptop,
            Marks { delivered: Seq(7), read: Seq(5) },
            Marks { delivered: Seq(7), read: Seq(5) },
        ),
        (
            phone,
            Marks { delivered: Seq(99), read: Seq(0) },
            Marks { delivered: Seq(9), read: Seq(5) },
        ),
    ];
    for (device, marks, expected) in steps {
        let merged =
            inbox.mark(seller, chat.id, device, marks, Visibility::Both).await.expect("a mark");
        assert_eq!(merged, Some(expected));
    }
    let buyer = chat.participants.buyer;
    let row = inbox.row(buyer, chat.id).await.expect("a read").expect("a row");
    assert_eq!(row.peer_marks, Marks { delivered: Seq(9), read: Seq(5) });
    assert_eq!(row.marks, Marks::default());
    let own = inbox.row(seller, chat.id).await.expect("a read").expect("a row");
    assert_eq!(own.marks, Marks { delivered: Seq(9), read: Seq(5) });
    let now = inbox.position().position;
    let back = inbox.mark(seller, chat.id, phone, Marks::new(Seq(1), Seq(1)), Visibility::Both);
    assert_eq!(back.await.expect("a mark"), Some(own.marks));
    for user in [buyer, seller] {
        let changed = inbox.changed_after(user, now, 9).await.expect("a page");
        assert!(changed.rows.is_empty(), "a mark that goes back is no change");
    }
    let stranger = UserId::from_bytes([99; 16]);
    let nothing =
        inbox.mark(stranger, chat.id, phone, Marks::new(Seq(1), Seq(1)), Visibility::Both).await;
    assert_eq!(nothing.expect("a read"), None);
}

/// Every change after a position is announced, once, in order, over pages.
pub async fn g5_changes_are_announced_after_a_position(subject: &mut Subject, inbox: &dyn Inbox) {
    let mut chats = Vec::new();
    for n in 1..=7 {
        let mut chat = samples::chat(n);
        chat.participants.buyer = UserId::from_bytes([42; 16]);
        chats.push(subject.log.create(chat).await.expect("a chat"));
    }
    let user = chats[0].participants.buyer;
    let position = inbox.position();
    for at in [4, 1, 6, 1] {
        let head = subject.log.head(chats[at].id).await.expect("a read").expect("a chat").head;
        subject.grow(&chats[at], head.0, 1).await;
    }
    let device = DeviceId::from_bytes([1; 16]);
    let marks = Marks::new(Seq(1), Seq(1));
    inbox.mark(user, chats[4].id, device, marks, Visibility::Both).await.expect("a mark");
    let mut seen = Vec::new();
    let mut after = position.position;
    loop {
        let page = inbox.changed_after(user, after, 2).await.expect("a page");
        assert!(page.rows.len() <= 2 && seen.len() <= chats.len());
        seen.extend(page.rows.iter().map(|row| Arc::clone(&row.chat)));
        let Some(next) = page.next else { break };
        after = next;
    }
    assert_eq!(seen, [&chats[6], &chats[1], &chats[4]].map(Arc::clone));
    let all = inbox.list(user, None, 100).await.expect("a page");
    assert_eq!(all.rows.len(), 7);
    assert_eq!(all.rows[0].chat, chats[4], "the newest change first");
    let now = inbox.position();
    assert!(now > position);
    assert!(inbox.changed_after(user, now.position, 9).await.expect("a page").rows.is_empty());
}

/// Rows are listed the newest change first, over pages, and each once.
pub async fn rows_are_listed_newest_first_over_pages(subject: &mut Subject, inbox: &dyn Inbox) {
    let mut chats = Vec::new();
    for n in 1..=5 {
        let mut chat = samples::chat(n);
        chat.participants.buyer = UserId::from_bytes([42; 16]);
        chats.push(subject.log.create(chat).await.expect("a chat"));
    }
    let user = chats[0].participants.buyer;
    for at in [3, 0] {
        subject.grow(&chats[at], 0, 1).await;
    }
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = inbox.list(user, before, 2).await.expect("a page");
        assert!(page.rows.len() <= 2 && seen.len() <= chats.len());
        seen.extend(page.rows.iter().map(|row| Arc::clone(&row.chat)));
        let Some(next) = page.next else { break };
        before = Some(next);
    }
    assert_eq!(seen, [0, 3, 4, 2, 1].map(|at: usize| Arc::clone(&chats[at])));
}

/// What several devices change at once is all kept.
pub async fn changes_made_at_once_are_all_kept(subject: &mut Subject, inbox: &dyn Inbox) {
    let chat = subject.chat(4).await;
    subject.grow(&chat, 0, 4).await;
    let buyer = chat.participants.buyer;
    let change = |change| inbox.change(buyer, chat.id, change);
    let changes = [PersonalChange::Pin(true), PersonalChange::Archive(true)];
    let hide = PersonalChange::Hide(Seq(2));
    let (a, b, c) = tokio::join!(change(changes[0]), change(changes[1]), change(hide));
    for changed in [a, b, c] {
        changed.expect("a change");
    }
    let mut expected = Personal::default();
    changes.into_iter().chain([hide]).for_each(|change| expected.apply(change));
    let row = inbox.row(buyer, chat.id).await.expect("a read").expect("a row");
    assert_eq!(row.personal, expected);
}

/// Whatever changes is told, with a position that is not below the change.
pub async fn what_changed_is_told(subject: &mut Subject, inbox: &dyn Inbox) {
    let chat = subject.chat(7).await;
    let opened = subject.committed().await;
    assert_eq!(opened.opened, [Arc::clone(&chat)]);
    let (user, role) = (chat.participants.seller, Role::Seller);
    let changed = inbox.row(user, chat.id).await.expect("a read").expect("a row").changed;
    assert!(opened.position >= changed, "{} is below {changed}", opened.position);
    subject.grow(&chat, 0, 4).await;

    let device = DeviceId::from_bytes([1; 16]);
    for (seq, visibility, shown) in
        [(2, Visibility::Both, Some(Marks::new(Seq(2), Seq(2)))), (3, Visibility::Nothing, None)]
    {
        let marks = Marks::new(Seq(seq), Seq(seq));
        inbox.mark(user, chat.id, device, marks, visibility).await.expect("a mark");
        let told = subject.committed().await;
        let told = told.marks.first().expect("a mark that is told");
        assert_eq!((&told.chat, told.role, told.marks, told.shown), (&chat, role, marks, shown));
    }

    let personal = inbox.change(user, chat.id, PersonalChange::Pin(true)).await;
    let told = subject.committed().await;
    let changed = inbox.row(user, chat.id).await.expect("a read").expect("a row").changed;
    assert!(told.position >= changed, "{} is below {changed}", told.position);
    let told = told.personal.first().expect("a change that is told");
    assert_eq!((&told.chat, told.role), (&chat, role));
    assert_eq!(Some(&told.personal), personal.expect("a change").as_ref());
}

/// The other person is shown as much of a move as its visibility says.
pub async fn marks_are_shown_as_far_as_they_may(subject: &mut Subject, inbox: &dyn Inbox) {
    let chat = subject.chat(5).await;
    subject.grow(&chat, 0, 9).await;
    let (buyer, seller) = (chat.participants.buyer, chat.participants.seller);
    let device = DeviceId::from_bytes([1; 16]);
    let steps = [
        (Visibility::Both, (2, 1), (2, 1)),
        (Visibility::Delivered, (5, 4), (5, 1)),
        (Visibility::Nothing, (7, 6), (5, 1)),
        (Visibility::Both, (8, 8), (8, 8)),
    ];
    for (visibility, (delivered, read), shown) in steps {
        let marks = Marks::new(Seq(delivered), Seq(read));
        inbox.mark(seller, chat.id, device, marks, visibility).await.expect("a mark");
        let own = inbox.row(seller, chat.id).await.expect("a read").expect("a row");
        assert_eq!(own.marks, marks, "{visibility:?}");
        let other = inbox.row(buyer, chat.id).await.expect("a read").expect("a row");
        let shown = Marks::new(Seq(shown.0), Seq(shown.1));
        assert_eq!(other.peer_marks, shown, "{visibility:?}");
    }
}

/// What one person changes for themselves is theirs alone, all of it is kept, and reading on takes
/// the flag "unread" away.
pub async fn personal_changes_are_kept_and_nobody_elses(subject: &mut Subject, inbox: &dyn Inbox) {
    let chat = subject.chat(6).await;
    subject.grow(&chat, 0, 4).await;
    let (buyer, seller) = (chat.participants.buyer, chat.participants.seller);
    let before = inbox.position();
    let until = Some(Timestamp::from_millis(77));
    let changes = [
        PersonalChange::Mute(until),
        PersonalChange::Pin(true),
        PersonalChange::Archive(true),
        PersonalChange::Unread(true),
        PersonalChange::Hide(Seq(3)),
        PersonalChange::HideThrough(Seq(1)),
        PersonalChange::Archive(false),
    ];
    let mut expected = Personal::default();
    for change in changes {
        expected.apply(change);
        let found = inbox.change(buyer, chat.id, change).await.expect("a change");
        assert_eq!(found.as_ref(), Some(&expected), "{change:?}");
    }
    let row = inbox.row(buyer, chat.id).await.expect("a read").expect("a row");
    assert_eq!(row.personal, expected);
    let row = inbox.row(seller, chat.id).await.expect("a read").expect("a row");
    assert_eq!(row.personal, Personal::default());
    let changed = inbox.changed_after(buyer, before.position, 9).await.expect("a page");
    assert_eq!(changed.rows.len(), 1, "it is announced to other devices");
    let changed = inbox.changed_after(seller, before.position, 9).await.expect("a page");
    assert_eq!(changed.rows.len(), 0, "and shows nobody else, not even by a row");
    let device = DeviceId::from_bytes([1; 16]);
    let marks = Marks::new(Seq(2), Seq(2));
    inbox.mark(buyer, chat.id, device, marks, Visibility::Both).await.expect("a mark");
    let row = inbox.row(buyer, chat.id).await.expect("a read").expect("a row");
    assert!(!row.personal.unread && row.personal.pinned);
    let stranger = UserId::from_bytes([99; 16]);
    let nothing = inbox.change(stranger, chat.id, PersonalChange::Pin(true)).await;
    assert_eq!(nothing.expect("a read"), None);
}
