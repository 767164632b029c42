//! SIGTERM under load (G9).

use std::time::{Duration, Instant};

use barterline_domain::event::Seq;
use barterline_protocol::close_code::CloseCode;
use barterline_protocol::request::Pull;
use barterline_protocol::{Encoding, Outgoing, Request};
use rustix::process::Signal;

use crate::support::World;
use crate::support::socket::text;

#[tokio::test]
async fn g9_what_was_read_is_answered_before_the_goodbye() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let sends: Vec<_> = (0..200).map(|n| text(chat, 0, &n.to_string())).collect();
    let mut clients = Vec::new();
    for encoding in Encoding::ALL {
        clients.push(world.device(&ana, encoding).await);
        clients.push(world.device(&bob, encoding).await);
    }
    // The first is in the middle of a burst when the server is told to stop.
    for (n, send) in sends.iter().enumerate() {
        clients[0].ask(Request::Send(send.clone())).await;
        if n == 50 {
            world.signal(Signal::TERM);
        }
    }
    let asked_to_go = Instant::now();
    let mut acknowledged = Vec::new();
    loop {
        match clients[0].any().await {
            Outgoing::Ack(ack) => acknowledged.push((ack.id, ack.seq)),
            Outgoing::Bye(bye) => {
                assert_eq!(bye.code, CloseCode::GoingAway.code());
                assert!(bye.retry_after_ms.is_some(), "clients come back spread over time");
                break;
            }
            Outgoing::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
    for client in &mut clients[1..] {
        client.is_closed(CloseCode::GoingAway).await;
    }
    drop(clients);
    let world = world.restart();
    assert!(asked_to_go.elapsed() < Duration::from_secs(10));

    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    for (id, seq) in &acknowledged {
        let send = sends.iter().find(|send| send.id == *id).expect("one of ours");
        assert_eq!(buyer.sends(send).await.seq, *seq);
    }
    for (send, seq) in sends.iter().zip(1..) {
        assert_eq!(buyer.sends(send).await.seq, Seq(seq));
    }
    let newest = Pull { chat, after: None, before: None, limit: None };
    assert_eq!(buyer.pulls(newest).await.head, Seq(200), "each of them once");
}

#[tokio::test]
async fn g9_while_balancers_learn_of_it_the_server_still_serves() {
    let mut world = World::with_setting("BARTERLINE_SERVER__DRAIN_NOTICE_MS", "1000");
    let (ana, _, chat) = world.chat().await;
    let mut client = world.device(&ana, Encoding::MsgPack).await;
    world.signal(Signal::TERM);
    world.until_unready();
    client.tells(chat, "during").await;
    world.device(&ana, Encoding::Json).await.tells(chat, "and a new one").await;
    client.is_closed(CloseCode::GoingAway).await;
    assert!(world.stop().success());
}
