//! Coming back (G5), and not keeping up (G7).

use std::collections::{BTreeMap, BTreeSet};

use barterline_domain::chat::Role;
use barterline_domain::event::Seq;
use barterline_domain::ids::ChatId;
use barterline_protocol::cursor::Cursor;
use barterline_protocol::hello::Hello;
use barterline_protocol::limits::ROWS_MAX;
use barterline_protocol::request::{Mark, Ping, Pull};
use barterline_protocol::response::Done;
use barterline_protocol::{Encoding, Outgoing, Request};

use crate::support::socket::{hello, text};
use crate::support::tls::Certificate;
use crate::support::{Client, Inbox, World, backend};

/// What a client heard that follows a chat.
struct Followed {
    texts: Vec<String>,
    /// How often it was told to pull.
    behind: usize,
}

/// Events above `seq`, up to and with `head`, in order, as a client gets them that pulls when told.
async fn follow(client: &mut Client, chat: ChatId, mut seq: u64, head: u64) -> Followed {
    let (mut texts, mut behind_count) = (Vec::new(), 0);
    while seq < head {
        match client.next().await {
            Outgoing::Event(event) if event.seq.0 <= seq => {
                panic!("{} again, after {seq}", event.seq)
            }
            Outgoing::Event(event) if event.seq.0 == seq + 1 => {
                seq += 1;
                texts.extend(event.text);
            }
            Outgoing::Event(event) => panic!("{} after {seq}, and nobody is behind", event.seq),
            Outgoing::Behind(behind) => {
                behind_count += 1;
                assert_eq!((behind.chat, behind.after), (chat, Seq(seq)));
                loop {
                    let after = Some(Seq(seq));
                    let page = Pull { chat, after, before: None, limit: None };
                    let page = client.pulls(page).await;
                    for event in page.events {
                        assert_eq!(event.seq, Seq(seq + 1));
                        seq += 1;
                        texts.extend(event.text);
                    }
                    if page.head == Seq(seq) {
                        break;
                    }
                }
            }
            Outgoing::Ping(_) => {
                client.ask(Request::Pong(Ping::default())).await;
            }
            _ => {}
        }
    }
    Followed { texts, behind: behind_count }
}

#[tokio::test]
async fn g5_exactly_what_follows_comes() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let listing = world.listing(&bob);
    for encoding in Encoding::ALL {
        let mut buyer = world.device(&ana, encoding).await;
        let other = buyer.opens(&listing).await.chat;
        buyer.tells(other, "elsewhere").await;
        let first = buyer.tells(chat, "known").await;
        let (seller, opening) = world.opening(hello(&bob.token), encoding).await;
        let heads: BTreeMap<_, _> = opening.rows.iter().map(|row| (row.chat, row.head)).collect();
        assert_eq!(heads[&chat], Seq(first));
        assert_eq!(heads.len(), 2, "without a cursor every chat is told");
        let mut inbox = Inbox::default();
        inbox.hears(&opening.rows);
        drop(seller);

        let missed: Vec<_> = (1..=5).map(|n| format!("missed {n}")).collect();
        for words in &missed {
            buyer.tells(chat, words).await;
        }
        let mut again = hello(&bob.token);
        again.cursor = Some(opening.cursor);
        again.have = vec![(chat, Seq(first))];
        let (mut seller, opening) = world.opening(again, encoding).await;
        assert_eq!(inbox.hears(&opening.rows), [chat], "only what changed");
        let heads: BTreeMap<_, _> = opening.rows.iter().map(|row| (row.chat, row.head)).collect();
        assert_eq!(heads[&chat], Seq(first + 5));
        assert_eq!(follow(&mut seller, chat, first, first + 5).await.texts, missed);
        buyer.tells(chat, "live").await;
        assert_eq!(seller.event().await.seq, Seq(first + 6));

        // Somebody who has everything gets nothing.
        let mut again = hello(&bob.token);
        let (_, opening) = world.opening(again.clone(), encoding).await;
        let mut inbox = Inbox::default();
        inbox.hears(&opening.rows);
        again.cursor = Some(opening.cursor);
        again.have = vec![(chat, Seq(first + 6))];
        let (mut seller, opening) = world.opening(again, encoding).await;
        assert_eq!(inbox.hears(&opening.rows), []);
        assert_eq!(seller.unasked().await, []);
    }
}

#[tokio::test]
async fn a_device_that_has_nothing_gets_rows_and_then_all_events() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    for n in 1..=10 {
        buyer.tells(chat, &n.to_string()).await;
    }
    for encoding in Encoding::ALL {
        let mut first = hello(&bob.token);
        first.have = vec![(chat, Seq(0))];
        let (mut seller, opening) = world.opening(first, encoding).await;
        assert_eq!(opening.rows[0].head, Seq(10));
        let expected: Vec<_> = (1..=10).map(|n: u64| n.to_string()).collect();
        assert_eq!(follow(&mut seller, chat, 0, 10).await.texts, expected);
    }
}

#[tokio::test]
async fn g5_a_cursor_that_is_not_of_this_store_counts_as_none() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    world.device(&ana, Encoding::MsgPack).await.tells(chat, "here").await;
    for encoding in Encoding::ALL {
        let (_, opening) = world.opening(hello(&bob.token), encoding).await;
        let (epoch, position) = opening.cursor.parts().expect("a cursor");
        for cursor in [
            Cursor::new(epoch + 1, position),
            Cursor::new(epoch.wrapping_sub(1), position),
            Cursor::new(epoch, backend::unknown_position(position)),
            Cursor::new(epoch, u64::MAX),
        ] {
            let again = Hello { cursor: Some(cursor), ..hello(&bob.token) };
            let (mut client, opening) = world.opening(again, encoding).await;
            assert_eq!(opening.rows[0].chat, chat);
            let said = client.unasked().await;
            assert!(said.contains(&Outgoing::Reset(Done {})), "what it has is worth nothing");
        }
    }
}

#[tokio::test]
async fn g5_an_inbox_of_many_pages_is_announced_once_each() {
    const CHATS: usize = 2 * ROWS_MAX + 7;
    let world = World::new();
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    let mut chats = BTreeSet::new();
    for _ in 0..CHATS {
        let chat = buyer.opens(&world.listing(&bob)).await.chat;
        buyer.tells(chat, "hello").await;
        chats.insert(chat);
    }
    for encoding in Encoding::ALL {
        let (_, opening) = world.opening(hello(&bob.token), encoding).await;
        assert_eq!(opening.rows.len(), CHATS);
        assert_eq!(opening.rows.iter().map(|row| row.chat).collect::<BTreeSet<_>>(), chats);
    }
}

#[tokio::test]
async fn a_number_from_the_future_is_refused_and_everything_else_goes_on() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    for encoding in Encoding::ALL {
        let head = buyer.tells(chat, "here").await;
        let mut first = hello(&bob.token);
        first.have = vec![(chat, Seq(head + 1))];
        let (mut seller, opening) = world.opening(first, encoding).await;
        assert_eq!(opening.rows[0].head, Seq(head));
        let error = seller.complaint().await;
        assert_eq!(error.code, "seq.ahead");
        assert_eq!((error.chat, error.head), (Some(chat), Some(Seq(head))));
        buyer.tells(chat, "and here").await;
        assert_eq!(seller.event().await.seq, Seq(head + 1));
    }
}

#[tokio::test]
async fn a_client_far_behind_is_told_to_pull() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    for n in 1..=300 {
        buyer.tells(chat, &n.to_string()).await;
    }
    for encoding in Encoding::ALL {
        let mut first = hello(&bob.token);
        first.have = vec![(chat, Seq(1))];
        let (mut seller, _) = world.opening(first, encoding).await;
        let expected: Vec<_> = (2..=300).map(|n: u64| n.to_string()).collect();
        let followed = follow(&mut seller, chat, 1, 300).await;
        assert_eq!(followed.texts, expected);
        assert_eq!(followed.behind, 1);
    }
}

#[tokio::test]
async fn g7_a_device_that_does_not_read_holds_nobody_up() {
    a_device_that_does_not_read_holds_nobody_up(&World::new(), 2_000).await;
}

#[tokio::test]
async fn g7_nor_does_one_under_tls() {
    let world = World::secured(&Certificate::new(), &[]);
    a_device_that_does_not_read_holds_nobody_up(&world, 2_000).await;
}

async fn a_device_that_does_not_read_holds_nobody_up(world: &World, messages: u64) {
    // Twice what a kernel keeps for a sender at most (4 MB), however busy the machine.
    let words = |n| format!("{n:3900}");
    let (ana, bob, chat) = world.chat().await;
    for (round, encoding) in Encoding::ALL.into_iter().enumerate() {
        let before = messages * round as u64;
        let mut buyer = world.device(&ana, encoding).await;
        let mut asleep = world.device_with_little_room(&bob, encoding).await;
        let mut awake = world.device(&bob, encoding).await;
        for n in 1..=messages / 50 {
            let mut asked = Vec::new();
            for k in 1..=50 {
                let seq = before + (n - 1) * 50 + k;
                let known = before + (n - 1) * 50;
                asked.push((seq, buyer.ask(Request::Send(text(chat, known, &words(seq)))).await));
            }
            for (seq, asked) in asked {
                let Outgoing::Ack(ack) = buyer.answer(asked).await else { panic!("{seq}") };
                assert_eq!(ack.seq, Seq(seq));
            }
            // It hears these while the other has not read any.
            let heard = follow(&mut awake, chat, before + (n - 1) * 50, before + n * 50).await;
            assert_eq!(heard.texts.len(), 50);
        }
        let late = follow(&mut asleep, chat, before, before + messages).await;
        let expected: Vec<_> = (before + 1..=before + messages).map(words).collect();
        assert!(late.behind > 0, "the kernel cannot have held all of it");
        assert!(late.texts == expected, "all of them, once, in order");
    }
}

#[tokio::test]
async fn g5_a_chat_that_begins_meanwhile_is_announced_before_anything_in_it() {
    let world = World::new();
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    for encoding in Encoding::ALL {
        let mut buyer = world.device(&ana, encoding).await;
        let mut second = world.device(&ana, encoding).await;
        let mut seller = world.device(&bob, encoding).await;
        let chat = buyer.opens(&world.listing(&bob)).await.chat;
        for client in [&mut buyer, &mut second] {
            let Outgoing::Rows(rows) = client.news().await else { panic!("no rows") };
            let [row] = &rows.rows[..] else { panic!("{rows:?}") };
            assert_eq!((row.chat, row.role, row.head), (chat, Role::Buyer, Seq(0)));
        }
        assert_eq!(seller.unasked().await, [], "nothing was said yet");
        buyer.tells(chat, "hello").await;
        let Outgoing::Rows(rows) = seller.news().await else { panic!("no rows") };
        let [row] = &rows.rows[..] else { panic!("{rows:?}") };
        assert_eq!((row.chat, row.role, &*row.title), (chat, Role::Seller, "Bike"));
        for client in [&mut second, &mut seller] {
            let Outgoing::Event(event) = client.news().await else { panic!("no event") };
            assert_eq!((event.chat, event.seq), (chat, Seq(1)));
        }
        assert_eq!(buyer.unasked().await, []);
    }
}

/// Marks and events come together while a client connects: neither may push the other out.
#[tokio::test]
async fn g5_nothing_is_lost_between_marks_and_events_while_a_client_connects() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    let mut seller = world.device(&bob, Encoding::MsgPack).await;
    let mut head = buyer.tells(chat, "first").await;
    for round in 0..40 {
        // Both on their way while the next device says hello.
        let (delivered, read) = (Some(Seq(head)), None);
        seller.ask(Request::Mark(Mark { chat, delivered, read })).await;
        let asked = seller.ask(Request::Send(text(chat, 0, "and"))).await;
        let mut again = hello(&ana.token);
        again.have = vec![(chat, Seq(head))];
        let (mut device, opening) = world.opening(again, Encoding::MsgPack).await;
        assert!(matches!(seller.answer(asked).await, Outgoing::Ack(_)));
        head += 1;
        // Pushed, or announced with the cursor of an older place: one of both, always.
        let announced = opening.rows.iter().any(|row| row.chat == chat && row.head == Seq(head));
        let pushed = device
            .unasked()
            .await
            .into_iter()
            .any(|frame| matches!(frame, Outgoing::Event(event) if event.seq == Seq(head)));
        assert!(announced || pushed, "round {round}");
    }
}
