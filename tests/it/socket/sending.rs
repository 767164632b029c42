//! Exactly once (G1, G2): over retries, new connections and a killed server.

use barterline_domain::event::Seq;
use barterline_protocol::request::{Pull, Send};
use barterline_protocol::{Encoding, Request};

use crate::support::World;
use crate::support::socket::text;

#[tokio::test]
async fn g2_a_retry_gets_the_number_of_the_first_try() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    for encoding in Encoding::ALL {
        let mut buyer = world.device(&ana, encoding).await;
        let mut seller = world.device(&bob, encoding).await;
        let send = text(chat, 0, "once");
        let first = buyer.sends(&send).await;
        assert!(!first.repeat);
        let again = buyer.sends(&send).await;
        assert_eq!((again.seq, again.at, again.repeat), (first.seq, first.at, true));
        // On a new connection, with the base of old, after others have spoken.
        let next = seller.tells(chat, "and I").await;
        let mut fresh = world.device(&ana, encoding).await;
        let again = fresh.sends(&send).await;
        assert_eq!((again.seq, again.at, again.repeat), (first.seq, first.at, true));

        let other = Send { text: Some("twice".to_owned()), ..send.clone() };
        fresh.is_refused(Request::Send(other), "id.conflict").await;
        // Ids belong to a sender: the same one of the other person is another message.
        assert_eq!(seller.sends(&send).await.seq, Seq(next + 1));
    }
}

#[tokio::test]
async fn g1_what_was_acknowledged_outlives_a_kill() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    let sends: Vec<_> = (1..=20).map(|n| text(chat, 0, &format!("message {n}"))).collect();
    let mut acks = Vec::new();
    for send in &sends {
        acks.push(buyer.sends(send).await);
    }
    // On their way when it happens.
    let late: Vec<_> = (1..=20).map(|n| text(chat, 20, &format!("late {n}"))).collect();
    for send in &late {
        buyer.ask(Request::Send(send.clone())).await;
    }
    let world = world.crash();
    for encoding in Encoding::ALL {
        let mut buyer = world.device(&ana, encoding).await;
        for (send, ack) in sends.iter().zip(&acks) {
            let again = buyer.sends(send).await;
            assert_eq!((again.seq, again.at, again.repeat), (ack.seq, ack.at, true));
        }
        for (send, seq) in late.iter().zip(21..) {
            assert_eq!(buyer.sends(send).await.seq, Seq(seq));
        }
        let pull = Pull { chat, after: Some(Seq(0)), before: None, limit: None };
        let page = world.device(&bob, encoding).await.pulls(pull).await;
        let found = page.events.iter().map(|event| (event.seq, event.id));
        let expected = (1..).map(Seq).zip(sends.iter().chain(&late).map(|send| send.id));
        assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn g2_the_other_persons_ids_hide_nothing_of_ones_own() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    let mut seller = world.device(&bob, Encoding::MsgPack).await;
    // Its acknowledgement is lost.
    let first = text(chat, 0, "once");
    assert_eq!(buyer.sends(&first).await.seq, Seq(1));
    for n in 0..40 {
        seller.tells(chat, &n.to_string()).await;
    }
    let world = world.restart();
    let mut seller = world.device(&bob, Encoding::MsgPack).await;
    // The other person has seen the id, and uses it.
    let copied = Send { base: Seq(41), ..first.clone() };
    assert_eq!(seller.sends(&copied).await.seq, Seq(42));
    for n in 0..40 {
        let near = Send { base: Seq(42), ..text(chat, 0, &n.to_string()) };
        seller.sends(&near).await;
    }
    let again = world.device(&ana, Encoding::MsgPack).await.sends(&first).await;
    assert_eq!((again.seq, again.repeat), (Seq(1), true));
}
