//! Limits are told, not guessed, and no text is lost by one.

use barterline_domain::event::Seq;
use barterline_protocol::close_code::CloseCode;
use barterline_protocol::request::{Open, Pull, Typing};
use barterline_protocol::{Encoding, Outgoing, Request};

use crate::support::socket::text;
use crate::support::{Call, World};

#[tokio::test]
async fn whoever_says_too_much_waits_as_told_and_loses_nothing() {
    let world = World::with_settings(&[
        ("BARTERLINE_LIMITS__CHAT_PER_MINUTE", "600"),
        ("BARTERLINE_LIMITS__CHAT_BURST", "5"),
    ]);
    let (ana, bob, chat) = world.chat().await;
    for (round, encoding) in (0..).zip(Encoding::ALL) {
        let mut buyer = world.device(&ana, encoding).await;
        let before = Seq(round * 13);
        let sends: Vec<_> = (0..12).map(|n| text(chat, before.0, &n.to_string())).collect();
        let (mut next, mut waits) = (0, 0);
        while let Some(send) = sends.get(next) {
            let asked = buyer.ask(Request::Send(send.clone())).await;
            match buyer.answer(asked).await {
                Outgoing::Ack(_) => next += 1,
                Outgoing::Error(error) if error.code == "rate.limited" => {
                    waits += 1;
                    assert_eq!((error.chat, error.id), (Some(chat), Some(send.id)));
                    assert_eq!(error.scope.as_deref(), Some("chat"));
                    assert!((1..=100).contains(&error.retry_after_ms.expect("a wait")));
                    // What follows may not overtake it; it is the next to come anyway.
                    let Some(following) = sends.get(next + 1) else { continue };
                    let asked = buyer.ask(Request::Send(following.clone())).await;
                    let Outgoing::Error(error) = buyer.answer(asked).await else {
                        panic!("it overtook")
                    };
                    assert!(["rate.limited", "send.after_refused"].contains(&&*error.code));
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(waits > 0, "twelve at once are too many");
        let mut seller = world.device(&bob, encoding).await;
        let pull = Pull { chat, after: Some(before), before: None, limit: None };
        let texts: Vec<_> = seller.pulls(pull).await.events.into_iter().map(|e| e.text).collect();
        let expected: Vec<_> = sends.iter().map(|send| send.text.clone()).collect();
        assert_eq!(texts, expected);
        // One's own limit is nobody else's.
        seller.tells(chat, "me").await;
    }
}

#[tokio::test]
async fn requests_of_a_connection_are_metered_and_signs_of_typing_vanish() {
    let world = World::with_settings(&[
        ("BARTERLINE_LIMITS__CONNECTION_PER_MINUTE", "1"),
        ("BARTERLINE_LIMITS__CONNECTION_BURST", "3"),
    ]);
    let (ana, _, chat) = world.chat().await;
    for encoding in Encoding::ALL {
        let mut client = world.device(&ana, encoding).await;
        let pull = || Request::Pull(Pull { chat, after: None, before: None, limit: None });
        for _ in 0..3 {
            let asked = client.ask(pull()).await;
            assert!(matches!(client.answer(asked).await, Outgoing::Page(_)));
        }
        let error = client.is_refused(pull(), "rate.limited").await;
        assert_eq!(error.scope.as_deref(), Some("connection"));
        client.ask(Request::Typing(Typing { chat })).await;
        assert_eq!(client.unasked().await, [], "and signs of life are free");
        // Who does not listen is closed, with a wait.
        for _ in 0..300 {
            client.ask(pull()).await;
        }
        client.is_closed(CloseCode::TooManyRequests).await;
        world.device(&ana, encoding).await.pings().await;
    }
}

#[tokio::test]
async fn new_chats_and_addresses_have_limits_of_their_own() {
    let world = World::with_settings(&[
        ("BARTERLINE_LIMITS__NEW_CHATS_BURST", "2"),
        ("BARTERLINE_LIMITS__NEW_CHATS_PER_HOUR", "1"),
        ("BARTERLINE_LIMITS__ADDRESS_BURST", "4"),
        ("BARTERLINE_LIMITS__ADDRESS_PER_MINUTE", "1"),
    ]);
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    let mut client = world.device(&ana, Encoding::MsgPack).await;
    let listings: Vec<_> = (0..3).map(|_| world.listing(&bob)).collect();
    client.opens(&listings[0]).await;
    client.opens(&listings[1]).await;
    let listing = listings[2].parse().expect("an id");
    let error = client.is_refused(Request::Open(Open { listing }), "rate.limited").await;
    assert_eq!(error.scope.as_deref(), Some("new_chats"));
    // What is open stays so.
    client.opens(&listings[0]).await;
    let body = serde_json::json!({ "listing": listings[2] });
    let call = Call::new("POST", "/v1/chats").token(&ana.token).json(&body);
    let refused = world.call(call);
    assert!(refused.headers.contains_key("retry-after"));
    refused.problem(429, "rate.limited");

    for _ in 0..3 {
        world.device(&ana, Encoding::Json).await;
    }
    world.call(Call::upgrade()).problem(429, "rate.limited");
}
