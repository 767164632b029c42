//! What bounds a sender: answers outstanding, the distance of `base`, order after a refusal; and
//! messages that come in pieces.

use barterline_domain::event::Seq;
use barterline_protocol::close_code::CloseCode;
use barterline_protocol::limits::{BASE_DISTANCE_MAX, IN_FLIGHT_MAX};
use barterline_protocol::request::{Pull, Send};
use barterline_protocol::{Encoding, Outgoing, Request};
use rustix::process::{Resource, Rlimit, prlimit};

use crate::support::socket::{hello, masked, text};
use crate::support::{World, embedded_only};

#[tokio::test]
async fn g7_more_than_may_wait_for_answers_is_read_later_and_in_order() {
    let world = World::new();
    let (ana, _, chat) = world.chat().await;
    for (round, encoding) in Encoding::ALL.into_iter().enumerate() {
        let mut client = world.device(&ana, encoding).await;
        let messages = 4 * IN_FLIGHT_MAX as u64;
        let before = messages * round as u64;
        let mut asked = Vec::new();
        for n in 1..=messages {
            let send = text(chat, before, &n.to_string());
            asked.push(client.ask(Request::Send(send)).await);
        }
        for (asked, seq) in asked.into_iter().zip(before + 1..) {
            let Outgoing::Ack(ack) = client.answer(asked).await else { panic!("{seq}") };
            assert_eq!(ack.seq, Seq(seq));
        }
    }
}

#[tokio::test]
async fn g2_a_base_too_far_back_is_refused_until_the_client_has_looked() {
    let world = World::new();
    let (ana, _, chat) = world.chat().await;
    let mut client = world.device(&ana, Encoding::MsgPack).await;
    let first = text(chat, 0, "first");
    client.sends(&first).await;
    let mut asked = Vec::new();
    for n in 0..BASE_DISTANCE_MAX {
        let send = text(chat, (n / 1_000) * 1_000, "one of many");
        asked.push(client.ask(Request::Send(send)).await);
        if asked.len() == IN_FLIGHT_MAX {
            for asked in asked.drain(..) {
                assert!(matches!(client.answer(asked).await, Outgoing::Ack(_)));
            }
        }
    }
    let head = Seq(BASE_DISTANCE_MAX + 1);
    for encoding in Encoding::ALL {
        let mut client = world.device(&ana, encoding).await;
        // A retry as well as a new message: nobody looks that far back.
        for send in [first.clone(), text(chat, 0, "new")] {
            let error = client.is_refused(Request::Send(send.clone()), "base.old").await;
            assert_eq!((error.chat, error.id, error.head), (Some(chat), Some(send.id), Some(head)));
        }
        let newest = Pull { chat, after: None, before: None, limit: None };
        assert_eq!(client.pulls(newest).await.head, head, "nothing was appended");
        // One number nearer, the search finds what there is.
        let near = Send { base: Seq(1), ..text(chat, 0, "x") };
        if encoding == Encoding::MsgPack {
            let oldest = Pull { chat, after: Some(Seq(0)), before: None, limit: Some(2) };
            let second = client.pulls(oldest).await.events.remove(1);
            let other = Send { id: second.id, ..near };
            client.is_refused(Request::Send(other), "id.conflict").await;
        }
    }
    // A client that holds every event up to the head without its id raises the base.
    let raised = Send { base: head, ..text(chat, 0, "new") };
    assert_eq!(client.sends(&raised).await.seq, head.next());
}

#[tokio::test]
async fn what_follows_a_refused_message_waits_for_it() {
    embedded_only!("fills the server's own disk");
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let listing = world.listing(&bob);
    let mut client = world.device(&ana, Encoding::MsgPack).await;
    let other = client.opens(&listing).await.chat;
    client.tells(chat, "kept").await;
    let full = Rlimit { current: Some(0), maximum: None };
    prlimit(Some(world.process()), Resource::Fsize, full).expect("a limit");
    let refused = text(chat, 1, "refused");
    let error = client.is_refused(Request::Send(refused.clone()), "server.unavailable").await;
    assert!(error.retry_after_ms.is_some());
    let next = text(chat, 1, "next");
    client.is_refused(Request::Send(next.clone()), "send.after_refused").await;
    // Another chat has an order of its own.
    client.is_refused(Request::Send(text(other, 0, "x")), "server.unavailable").await;
    client.is_refused(Request::Send(refused.clone()), "server.unavailable").await;
    client.is_refused(Request::Send(next.clone()), "send.after_refused").await;

    let world = world.restart();
    let mut client = world.device(&ana, Encoding::MsgPack).await;
    assert_eq!(client.sends(&refused).await.seq, Seq(2));
    assert_eq!(client.sends(&next).await.seq, Seq(3));
}

#[tokio::test]
async fn a_message_may_come_in_pieces_with_a_ping_between() {
    let world = World::new();
    let (ana, _, chat) = world.chat().await;
    for encoding in Encoding::ALL {
        let mut client = world.device(&ana, encoding).await;
        let mut frame = Vec::new();
        encoding.encode(Some(900), &Request::Send(text(chat, 0, "in pieces")), &mut frame);
        let opcode = if encoding == Encoding::Json { 1 } else { 2 };
        let pieces: Vec<_> = frame.chunks(50).collect();
        for (n, piece) in pieces.iter().enumerate() {
            let mut bytes = masked(if n == 0 { opcode } else { 0 }, piece);
            if n + 1 < pieces.len() {
                bytes[0] &= 0x7f;
            }
            client.writes(&bytes).await;
            client.writes(&masked(9, b"still there?")).await;
            client.hears_pong(b"still there?").await;
        }
        let answer = client.answer(900).await;
        assert!(matches!(answer, Outgoing::Ack(_)), "{answer:?}");
    }
}

#[tokio::test]
async fn a_close_frame_is_answered_by_one() {
    let world = World::new();
    let ana = world.person("ana");
    for encoding in Encoding::ALL {
        let mut client = world.device(&ana, encoding).await;
        client.writes(&masked(8, &1000_u16.to_be_bytes())).await;
        client.hears_close(1000).await;
    }
}

#[tokio::test]
async fn the_same_device_takes_the_place_of_its_older_connection() {
    let world = World::new();
    let ana = world.person("ana");
    for encoding in Encoding::ALL {
        let first = hello(&ana.token);
        let (mut older, _) = world.opening(first.clone(), encoding).await;
        let mut other = world.device(&ana, encoding).await;
        let (mut newer, _) = world.opening(first, encoding).await;
        older.is_closed(CloseCode::Replaced).await;
        newer.pings().await;
        other.pings().await;
    }
}

#[tokio::test]
async fn g7_an_account_has_so_many_connections_and_no_more() {
    let world = World::new();
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    let mut clients = Vec::new();
    for _ in 0..32 {
        clients.push(world.device(&ana, Encoding::MsgPack).await);
    }
    for encoding in Encoding::ALL {
        let mut surplus = world.dial(encoding).await;
        surplus.ask(Request::Hello(hello(&ana.token))).await;
        surplus.is_closed(CloseCode::TooManyConnections).await;
        world.device(&bob, encoding).await.pings().await;
    }
    for client in &mut clients {
        client.pings().await;
    }
}
