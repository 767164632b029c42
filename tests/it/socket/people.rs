//! What is one person's alone, what the other gets to see, and who is not heard any more.

use barterline_domain::chat::Role;
use barterline_domain::clock::Timestamp;
use barterline_domain::event::Seq;
use barterline_domain::ids::{ChatId, UserId};
use barterline_protocol::push::{ChatState, MarksMoved, Settings};
use barterline_protocol::request::{
    Block, Mark, Open, Ping, Pull, SetSettings, SetState, Typing, Watch,
};
use barterline_protocol::{Encoding, Outgoing, Request};

use crate::support::socket::{hello, text};
use crate::support::{Client, Person, World};

fn nothing(chat: ChatId) -> SetState {
    SetState {
        chat,
        muted_until: None,
        archived: None,
        pinned: None,
        unread: None,
        hide: Vec::new(),
        hide_through: None,
    }
}

fn id(person: &Person) -> UserId {
    person.id.parse().expect("an id")
}

async fn is_done(client: &mut Client, request: Request) {
    let asked = client.ask(request).await;
    let answer = client.answer(asked).await;
    assert!(matches!(answer, Outgoing::Ok(_)), "{answer:?}");
}

/// The next pushed frame that `wanted` takes; what comes before does not count.
async fn hears<T>(client: &mut Client, mut wanted: impl FnMut(Outgoing) -> Option<T>) -> T {
    loop {
        if let Some(found) = wanted(client.next().await) {
            return found;
        }
    }
}

fn presence(frame: Outgoing) -> Option<bool> {
    match frame {
        Outgoing::Presence(presence) => Some(presence.online),
        _ => None,
    }
}

#[tokio::test]
async fn what_is_set_on_one_device_reaches_the_others_and_nobody_else() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    for n in 0..6 {
        buyer.tells(chat, &n.to_string()).await;
    }
    for encoding in Encoding::ALL {
        let mut phone = world.device(&bob, encoding).await;
        let mut laptop = world.device(&bob, encoding).await;
        let until = Some(Timestamp::from_millis(4_000_000_000_000));
        let set = SetState { muted_until: until, pinned: Some(true), ..nothing(chat) };
        is_done(&mut phone, Request::State(set)).await;
        let set = SetState {
            archived: Some(true),
            unread: Some(true),
            hide: vec![Seq(3), Seq(5), Seq(3)],
            hide_through: Some(Seq(1)),
            ..nothing(chat)
        };
        is_done(&mut phone, Request::State(set)).await;
        let expected = ChatState {
            muted_until: until,
            archived: true,
            pinned: true,
            unread: true,
            hidden_through: Some(Seq(1)),
            hidden: vec![Seq(3), Seq(5)],
        };
        for device in [&mut phone, &mut laptop] {
            hears(device, |frame| match frame {
                Outgoing::State(moved) => (moved.state == expected).then_some(()),
                _ => None,
            })
            .await;
        }
        let (_, opening) = world.opening(hello(&bob.token), encoding).await;
        assert_eq!(opening.rows[0].state, expected);
        let pull = Pull { chat, after: Some(Seq(0)), before: None, limit: None };
        let page = laptop.pulls(pull.clone()).await;
        let hidden: Vec<_> = page.events.iter().map(|event| event.hidden).collect();
        assert_eq!(hidden, [true, false, true, false, true, false]);
        assert!(page.events.iter().all(|event| event.hidden == event.text.is_none()));
        assert!(!buyer.pulls(pull).await.events.iter().any(|event| event.hidden));

        let asked =
            phone.ask(Request::Mark(Mark { chat, delivered: None, read: Some(Seq(6)) })).await;
        phone.answer(asked).await;
        let set = SetState {
            muted_until: Some(Timestamp::from_millis(0)),
            archived: Some(false),
            pinned: Some(false),
            unread: Some(false),
            ..nothing(chat)
        };
        is_done(&mut laptop, Request::State(set)).await;
        let (_, opening) = world.opening(hello(&bob.token), encoding).await;
        let left = ChatState {
            hidden_through: expected.hidden_through,
            hidden: expected.hidden,
            ..ChatState::default()
        };
        assert_eq!(opening.rows[0].state, left);
    }
    let heard = buyer.unasked().await;
    assert!(!heard.iter().any(|frame| matches!(frame, Outgoing::State(_))), "{heard:?}");
    let (_, opening) = world.opening(hello(&ana.token), Encoding::Json).await;
    assert_eq!(opening.rows[0].state, ChatState::default());
}

#[tokio::test]
async fn what_cannot_be_set_is_refused() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let eve = world.person("eve");
    let missing = ChatId::from_bytes([9; 16]);
    for encoding in Encoding::ALL {
        let mut buyer = world.device(&ana, encoding).await;
        let head = buyer.tells(chat, "here").await;
        let ahead = SetState { hide: vec![Seq(head + 1)], ..nothing(chat) };
        buyer.is_refused(Request::State(ahead), "seq.ahead").await;
        let ahead = SetState { hide_through: Some(Seq(head + 1)), ..nothing(chat) };
        buyer.is_refused(Request::State(ahead), "seq.ahead").await;
        let many = SetState { hide: vec![Seq(1); 65], ..nothing(chat) };
        buyer.is_refused(Request::State(many), "request.invalid").await;
        for user in [id(&ana), UserId::from_bytes([7; 16])] {
            let block = Request::Block(Block { user, on: true });
            buyer.is_refused(block, "user.not_found").await;
        }
        // A stranger gets the answer of a chat that does not exist.
        let mut stranger = world.device(&eve, encoding).await;
        for chat in [chat, missing] {
            stranger.is_refused(Request::State(nothing(chat)), "chat.not_found").await;
            let watch = Request::Watch(Watch { chat, on: true });
            stranger.is_refused(watch, "chat.not_found").await;
            stranger.ask(Request::Typing(Typing { chat })).await;
        }
        assert_eq!(stranger.unasked().await, []);
    }
    assert_eq!(world.opening(hello(&bob.token), Encoding::Json).await.1.rows[0].unread, 2);
}

#[tokio::test]
async fn who_reads_in_private_shows_what_was_delivered_only() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    let mut seller = world.device(&bob, Encoding::Json).await;
    let mut second = world.device(&bob, Encoding::Json).await;
    buyer.tells(chat, "one").await;
    buyer.tells(chat, "two").await;
    let private = SetSettings { shows_read: Some(false), shows_presence: None };
    let asked = seller.ask(Request::Settings(private)).await;
    let chosen = Outgoing::Settings(Settings { shows_read: false, shows_presence: true });
    assert_eq!(seller.answer(asked).await, chosen);
    hears(&mut second, |frame| (frame == chosen).then_some(())).await;

    seller.moves_marks(chat, 2, 2).await;
    let shown = MarksMoved { chat, role: Role::Seller, delivered: Seq(2), read: Seq(0) };
    assert_eq!(buyer.marks().await, shown);
    assert_eq!(second.marks().await, MarksMoved { read: Seq(2), ..shown.clone() });
    let (_, opening) = world.opening(hello(&ana.token), Encoding::MsgPack).await;
    assert_eq!(opening.rows[0].peer_marks.read, Seq(0));

    // What was read in private stays so; from here on it is shown again.
    let public = SetSettings { shows_read: Some(true), shows_presence: None };
    let asked = seller.ask(Request::Settings(public)).await;
    seller.answer(asked).await;
    buyer.tells(chat, "three").await;
    seller.moves_marks(chat, 3, 3).await;
    while buyer.marks().await.read != Seq(3) {}
}

#[tokio::test]
async fn only_who_watches_hears_of_typing_and_presence() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    for encoding in Encoding::ALL {
        let mut seller = world.device(&bob, encoding).await;
        let mut buyer = world.device(&ana, encoding).await;
        let mut unwatching = world.device(&ana, encoding).await;
        buyer.ask(Request::Watch(Watch { chat, on: true })).await;
        assert!(hears(&mut buyer, presence).await, "the seller is there");
        seller.ask(Request::Typing(Typing { chat })).await;
        // Too often: vanishes without a word.
        seller.ask(Request::Typing(Typing { chat })).await;
        seller.pings().await;
        let heard = buyer.unasked().await;
        let typing = heard.iter().filter(|frame| matches!(frame, Outgoing::Typing(_))).count();
        assert_eq!(typing, 1, "{heard:?}");
        assert_eq!(unwatching.unasked().await, []);
        assert_eq!(seller.unasked().await, []);

        // Not shown, nobody is ever there.
        let hidden = SetSettings { shows_read: None, shows_presence: Some(false) };
        let asked = seller.ask(Request::Settings(hidden)).await;
        seller.answer(asked).await;
        buyer.ask(Request::Watch(Watch { chat, on: true })).await;
        assert!(!hears(&mut buyer, presence).await);
        let shown = SetSettings { shows_read: None, shows_presence: Some(true) };
        let asked = seller.ask(Request::Settings(shown)).await;
        seller.answer(asked).await;
        is_done(&mut buyer, Request::Watch(Watch { chat, on: false })).await;
    }
}

#[tokio::test]
async fn somebody_who_comes_is_announced_and_a_short_absence_is_not() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    buyer.ask(Request::Watch(Watch { chat, on: true })).await;
    assert!(!hears(&mut buyer, presence).await, "never there so far");
    let seller = world.device(&bob, Encoding::MsgPack).await;
    assert!(hears(&mut buyer, presence).await);
    // Through a tunnel, and out of it.
    drop(seller);
    let mut seller = world.device(&bob, Encoding::MsgPack).await;
    seller.pings().await;
    let heard = buyer.unasked().await;
    assert!(!heard.into_iter().any(|frame| presence(frame).is_some()));
    drop(seller);
    // It takes its time, during which pings come.
    loop {
        match buyer.next().await {
            Outgoing::Presence(gone) => {
                assert!(!gone.online);
                let seen = gone.last_seen.expect("it is shown").as_millis();
                assert_eq!(seen % 60_000, 0, "to the minute");
                break;
            }
            Outgoing::Ping(_) => {
                buyer.ask(Request::Pong(Ping::default())).await;
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn g6_who_is_blocked_cannot_tell_and_is_not_heard() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let (mut before, mut rounds) = (0, 0);
    for encoding in Encoding::ALL {
        let mut buyer = world.device(&ana, encoding).await;
        let mut seller = world.device(&bob, encoding).await;
        let mut second = world.device(&bob, encoding).await;
        let heard = buyer.tells(chat, "before").await;
        seller.ask(Request::Watch(Watch { chat, on: true })).await;
        hears(&mut seller, presence).await;
        is_done(&mut seller, Request::Block(Block { user: id(&ana), on: true })).await;
        let told = Outgoing::Block(Block { user: id(&ana), on: true });
        hears(&mut second, |frame| (frame == told).then_some(())).await;

        // The blocked person is answered as ever, and reads their own words.
        let send = text(chat, 0, "can you hear me?");
        let ack = buyer.sends(&send).await;
        assert_eq!((ack.seq, ack.repeat), (Seq(heard + 1), false));
        assert!(buyer.sends(&send).await.repeat);
        let own = Pull { chat, after: Some(Seq(heard)), before: None, limit: None };
        let page = buyer.pulls(own.clone()).await;
        assert_eq!(page.events[0].text.as_deref(), Some("can you hear me?"));
        assert!(!page.events[0].withheld);
        buyer.ask(Request::Typing(Typing { chat })).await;
        buyer.moves_marks(chat, heard + 1, 0).await;
        buyer.ask(Request::Watch(Watch { chat, on: true })).await;
        assert!(!hears(&mut buyer, presence).await, "the one who blocked is not there");

        // The other gets number and kind, live, by pull and by row; no mark, no typing.
        let event = hears(&mut seller, |frame| match frame {
            Outgoing::Event(event) if event.seq == ack.seq => Some(event),
            _ => None,
        })
        .await;
        assert_eq!((event.withheld, event.text, &*event.kind), (true, None, "text"));
        let page = seller.pulls(own.clone()).await;
        assert_eq!((page.events[0].withheld, &page.events[0].text), (true, &None));
        let rest = seller.unasked().await;
        assert!(
            !rest.iter().any(|frame| matches!(
                frame,
                Outgoing::Marks(MarksMoved { role: Role::Buyer, .. }) | Outgoing::Typing(_)
            )),
            "{rest:?}"
        );
        rounds += 1;
        let (_, opening) = world.opening(hello(&bob.token), encoding).await;
        let row = &opening.rows[0];
        assert_eq!(row.unread, rounds + before, "what is withheld is not unread");
        assert!(row.last.as_ref().is_some_and(|last| last.withheld && last.text.is_none()));
        assert!(row.peer_marks.delivered < ack.seq);

        // Taken back: what comes from here on is heard, what was withheld stays so.
        is_done(&mut seller, Request::Block(Block { user: id(&ana), on: false })).await;
        buyer.tells(chat, "and now?").await;
        before += 1;
        let event = hears(&mut seller, |frame| match frame {
            Outgoing::Event(event) if event.seq > ack.seq => Some(event),
            _ => None,
        })
        .await;
        assert_eq!(event.text.as_deref(), Some("and now?"));
        assert!(seller.pulls(own).await.events[0].withheld);
        let open = buyer.ask(Request::Open(Open { listing: row.listing })).await;
        assert!(matches!(buyer.answer(open).await, Outgoing::Chat(_)));
    }
}
