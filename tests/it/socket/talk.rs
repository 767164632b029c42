//! Two people talk.

use barterline_domain::chat::Role;
use barterline_domain::event::{Author, Seq};
use barterline_domain::marks::Marks;
use barterline_protocol::request::Pull;
use barterline_protocol::{Encoding, Outgoing, Request};

use crate::support::World;
use crate::support::socket::{hello, text};

#[tokio::test]
async fn two_people_talk_in_either_encoding() {
    let world = World::new();
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    for (encoding, other) in
        [(Encoding::MsgPack, Encoding::Json), (Encoding::Json, Encoding::MsgPack)]
    {
        let listing = world.listing(&bob);
        let (mut phone, opening) = world.opening(hello(&ana.token), encoding).await;
        assert_eq!(opening.welcome.user.to_string(), ana.id);
        let mut laptop = world.device(&ana, other).await;
        let mut seller = world.device(&bob, other).await;

        let row = phone.opens(&listing).await;
        assert_eq!((row.head, row.last, row.role), (Seq(0), None, Role::Buyer));
        let chat = row.chat;
        assert_eq!(laptop.opens(&listing).await.chat, chat);

        let question = text(chat, 0, "Is it free? Ünïcode 🚲\n\tyes");
        let ack = phone.sends(&question).await;
        assert_eq!((ack.chat, ack.id, ack.seq, ack.repeat), (chat, question.id, Seq(1), false));
        for hearer in [&mut laptop, &mut seller] {
            let event = hearer.event().await;
            assert_eq!((event.chat, event.seq, event.at), (chat, Seq(1), ack.at));
            assert_eq!((event.from, event.id), (Author::Buyer, question.id));
            assert_eq!((&*event.kind, event.text), ("text", question.text.clone()));
        }
        assert_eq!(seller.tells(chat, "Yes").await, 2);
        assert_eq!(phone.event().await.from, Author::Seller);
        assert_eq!(laptop.event().await.seq, Seq(2));
        // The ack stands in the place of the sender's own event.
        let unasked = phone.unasked().await;
        assert!(!unasked.iter().any(|frame| matches!(frame, Outgoing::Event(_))), "{unasked:?}");
    }
}

#[tokio::test]
async fn marks_reach_the_other_person_and_ones_own_devices() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    for encoding in Encoding::ALL {
        let mut buyer = world.device(&ana, encoding).await;
        let mut seller = world.device(&bob, encoding).await;
        let mut second = world.device(&bob, encoding).await;
        let head = buyer.tells(chat, "hello").await;
        seller.event().await;
        seller.moves_marks(chat, head, 0).await;
        for hearer in [&mut buyer, &mut second] {
            loop {
                let marks = hearer.marks().await;
                if marks.role == Role::Seller && marks.delivered == Seq(head) {
                    assert!(marks.read < Seq(head), "{marks:?}");
                    break;
                }
            }
        }
        seller.moves_marks(chat, 0, head).await;
        for hearer in [&mut buyer, &mut second] {
            while hearer.marks().await.read != Seq(head) {}
        }
        // They never go back.
        seller.moves_marks(chat, 1, 1).await;
        let (_, opening) = world.opening(hello(&bob.token), encoding).await;
        assert_eq!(opening.rows[0].marks, Marks::new(Seq(head), Seq(head)));
    }
}

#[tokio::test]
async fn rows_count_what_is_unread() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    // A seller hears of a chat with its first message.
    assert_eq!(world.opening(hello(&bob.token), Encoding::Json).await.1.rows, []);
    for words in ["one", "two", "three"] {
        buyer.tells(chat, words).await;
    }
    for encoding in Encoding::ALL {
        let (_, opening) = world.opening(hello(&bob.token), encoding).await;
        let [row] = &opening.rows[..] else { panic!("{:?}", opening.rows) };
        assert_eq!((row.chat, row.head, row.unread), (chat, Seq(3), 3));
        assert_eq!(row.last.as_ref().and_then(|last| last.text.as_deref()), Some("three"));
        assert_eq!((row.role, &*row.title), (Role::Seller, "Bike"));
        assert_eq!(row.peer.to_string(), ana.id);
        let (_, opening) = world.opening(hello(&ana.token), encoding).await;
        assert_eq!(opening.rows[0].unread, 0, "one's own messages are read");
    }
    world.device(&bob, Encoding::Json).await.moves_marks(chat, 0, 2).await;
    let (_, opening) = world.opening(hello(&bob.token), Encoding::Json).await;
    assert_eq!(opening.rows[0].unread, 1);
}

#[tokio::test]
async fn history_is_pulled_in_both_directions() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    for n in 1..=130 {
        assert_eq!(buyer.tells(chat, &format!("message {n}")).await, n);
    }
    let newest = Pull { chat, after: None, before: None, limit: None };
    let after = |seq| Pull { after: Some(Seq(seq)), ..newest.clone() };
    let before = |seq| Pull { before: Some(Seq(seq)), ..newest.clone() };
    let most = |limit, pull| Pull { limit: Some(limit), ..pull };
    let cases = [
        (newest.clone(), 31..=130),
        (most(1000, newest.clone()), 31..=130),
        (most(2, newest.clone()), 129..=130),
        (after(0), 1..=100),
        (after(100), 101..=130),
        (most(3, after(7)), 8..=10),
        (most(3, before(7)), 4..=6),
        (before(5), 1..=4),
        (before(131), 31..=130),
    ];
    for encoding in Encoding::ALL {
        let mut seller = world.device(&bob, encoding).await;
        for (pull, expected) in &cases {
            let page = seller.pulls(pull.clone()).await;
            let found: Vec<u64> = page.events.iter().map(|event| event.seq.0).collect();
            assert_eq!(found, expected.clone().collect::<Vec<_>>(), "{pull:?}");
            assert_eq!((page.chat, page.head), (chat, Seq(130)));
            for event in page.events {
                assert_eq!(event.text, Some(format!("message {}", event.seq)));
            }
        }
        for pull in [after(130), after(131), before(1), before(0)] {
            assert_eq!(seller.pulls(pull).await.events, []);
        }
        let both = Pull { after: Some(Seq(1)), ..before(9) };
        seller.is_refused(Request::Pull(both), "request.invalid").await;
    }
}

#[tokio::test]
async fn g6_a_stranger_gets_the_answer_of_a_missing_chat() {
    use barterline_domain::ids::ChatId;
    use barterline_protocol::request::{Mark, SetState, Watch};

    let world = World::new();
    let (ana, _, chat) = world.chat().await;
    world.device(&ana, Encoding::MsgPack).await.tells(chat, "secret").await;
    let eve = world.person("eve");
    let missing = ChatId::from_bytes([9; 16]);
    for encoding in Encoding::ALL {
        let mut stranger = world.device(&eve, encoding).await;
        let mut errors = Vec::new();
        for chat in [chat, missing] {
            let send = text(chat, 0, "hello");
            let mark = Mark { chat, delivered: Some(Seq(1)), read: None };
            let pull = Pull { chat, after: None, before: None, limit: None };
            let state = SetState {
                chat,
                muted_until: None,
                archived: None,
                pinned: Some(true),
                unread: None,
                hide: Vec::new(),
                hide_through: None,
            };
            let requests = [
                Request::Send(send),
                Request::Mark(mark),
                Request::Pull(pull),
                Request::State(state),
                Request::Watch(Watch { chat, on: true }),
                Request::Watch(Watch { chat, on: false }),
            ];
            let mut refusals = Vec::new();
            for request in requests {
                let mut error = stranger.is_refused(request, "chat.not_found").await;
                assert_eq!(error.chat.take(), Some(chat));
                error.id = None;
                refusals.push(error);
            }
            for seq in [0, 1, 99] {
                let mut first = hello(&eve.token);
                first.have = vec![(chat, Seq(seq))];
                let (mut client, opening) = world.opening(first, encoding).await;
                assert_eq!(opening.rows, []);
                let mut error = client.complaint().await;
                assert_eq!(error.chat.take(), Some(chat));
                refusals.push(error);
            }
            errors.push(refusals);
        }
        assert_eq!(errors[0], errors[1]);
    }
}
