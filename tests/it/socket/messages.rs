//! Everything that can be said, and what can be done to it afterwards.

use barterline_domain::event::Seq;
use barterline_domain::ids::{ChatId, MediaId};
use barterline_protocol::push::{Event, Reactions};
use barterline_protocol::request::{Block, Pull, Send};
use barterline_protocol::response::ErrorBody;
use barterline_protocol::{Encoding, Outgoing, Request};

use crate::support::socket::{fresh_id, hello, text};
use crate::support::{Client, Person, World};

fn request(chat: ChatId, kind: &str) -> Send {
    Send::new(chat, fresh_id(), Seq(0), kind)
}

fn edit(chat: ChatId, target: u64, words: &str) -> Send {
    let text = Some(words.to_owned());
    Send { target: Some(Seq(target)), text, ..request(chat, "edit") }
}

fn delete(chat: ChatId, target: u64) -> Send {
    Send { target: Some(Seq(target)), ..request(chat, "delete") }
}

fn react(chat: ChatId, target: u64, reaction: Option<&str>) -> Send {
    let reaction = reaction.map(str::to_owned);
    Send { target: Some(Seq(target)), reaction, ..request(chat, "reaction") }
}

fn pull(chat: ChatId, after: u64) -> Pull {
    Pull { chat, after: Some(Seq(after)), before: None, limit: Some(1) }
}

async fn read(client: &mut Client, chat: ChatId, seq: u64) -> Event {
    client.pulls(pull(chat, seq - 1)).await.events.remove(0)
}

async fn is_refused(client: &mut Client, send: Send, code: &'static str) -> ErrorBody {
    let (chat, id) = (send.chat, send.id);
    let error = client.is_refused(Request::Send(send), code).await;
    assert_eq!((error.chat, error.id), (Some(chat), Some(id)));
    error
}

#[tokio::test]
async fn a_message_is_answered_edited_and_reacted_to() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    for encoding in Encoding::ALL {
        let mut buyer = world.device(&ana, encoding).await;
        let mut second = world.device(&ana, encoding).await;
        let mut seller = world.device(&bob, encoding).await;
        let first = buyer.tells(chat, "Is it free").await;
        let reply = Send { reply: Some(Seq(first)), ..text(chat, 0, "Yes") };
        assert_eq!(seller.sends(&reply).await.seq.0, first + 1);
        assert_eq!(buyer.event().await.reply, Some(Seq(first)));

        buyer.sends(&edit(chat, first, "Is it free?")).await;
        seller.sends(&react(chat, first, Some("👍"))).await;
        seller.sends(&react(chat, first, Some("❤️"))).await;
        buyer.sends(&react(chat, first + 1, Some("🙏"))).await;
        buyer.sends(&react(chat, first + 1, None)).await;
        // The other device hears of all of it, each as an event with a number.
        let mut heard = Vec::new();
        while heard.len() < 7 {
            heard.push(second.event().await);
        }
        let kinds: Vec<_> = heard.iter().map(|event| &*event.kind).collect();
        let expected = ["text", "text", "edit", "reaction", "reaction", "reaction", "reaction"];
        assert_eq!(kinds, expected);
        assert_eq!(
            (heard[2].target, heard[2].text.as_deref()),
            (Some(Seq(first)), Some("Is it free?"))
        );
        assert_eq!((heard[3].target, heard[3].reaction.as_deref()), (Some(Seq(first)), Some("👍")));
        assert_eq!((heard[6].target, &heard[6].reaction), (Some(Seq(first + 1)), &None));

        // Who reads it later reads what it became.
        let became = read(&mut seller, chat, first).await;
        assert_eq!(became.text.as_deref(), Some("Is it free?"));
        let edited = became.edited.expect("an edit");
        assert_eq!((edited.seq, edited.at), (heard[2].seq, heard[2].at));
        let hearts = Reactions { buyer: None, seller: Some("❤️".to_owned()) };
        assert_eq!(became.reactions, Some(hearts));
        let answer = read(&mut seller, chat, first + 1).await;
        assert_eq!((answer.edited, answer.reactions, answer.gone), (None, None, false));
        assert_eq!(read(&mut seller, chat, first + 2).await.text.as_deref(), Some("Is it free?"));
    }
}

async fn blocks(client: &mut Client, user: &str, on: bool) {
    let user = user.parse().expect("an id");
    let asked = client.ask(Request::Block(Block { user, on })).await;
    assert!(matches!(client.answer(asked).await, Outgoing::Ok(_)));
}

/// The events of a chat as they come to a device that has none of them.
async fn replay(world: &World, person: &Person, chat: ChatId, encoding: Encoding) -> Vec<Event> {
    let mut first = hello(&person.token);
    first.have = vec![(chat, Seq(0))];
    let (mut client, opening) = world.opening(first, encoding).await;
    let head = opening.rows.iter().find(|row| row.chat == chat).expect("its row").head;
    let mut events = Vec::new();
    while events.len() < head.0 as usize {
        events.push(client.event().await);
    }
    events
}

#[tokio::test]
async fn g6_what_the_blocked_change_is_theirs_alone() {
    let mut world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    let mut seller = world.device(&bob, Encoding::Json).await;
    buyer.tells(chat, "Is it free?").await;
    seller.tells(chat, "For you, 20").await;
    seller.sends(&react(chat, 1, Some("👍"))).await;
    blocks(&mut buyer, &bob.id, true).await;
    seller.sends(&edit(chat, 2, "what an insult")).await;
    seller.sends(&react(chat, 1, Some("❤️"))).await;
    seller.tells(chat, "answer me").await;
    blocks(&mut buyer, &bob.id, false).await;
    // The other never got it, so there is nothing to be changed for them either.
    seller.sends(&edit(chat, 6, "answer me now")).await;
    buyer.tells(chat, "20 it is").await;

    for crashed in [false, true] {
        if crashed {
            world = world.crash();
        }
        for encoding in Encoding::ALL {
            // From the ring, from the log, and by number.
            let replayed = replay(&world, &ana, chat, encoding).await;
            let (mut buyer, _) = world.opening(hello(&ana.token), encoding).await;
            let pulled = buyer.pulls(Pull { limit: None, ..pull(chat, 0) }).await.events;
            let texts = |events: &[Event]| -> Vec<_> {
                events.iter().map(|event| (event.withheld, event.text.clone())).collect()
            };
            for events in [&replayed, &pulled] {
                let said = |text: &str| (false, Some(text.to_owned()));
                let nothing = (true, None);
                let expected = [
                    said("Is it free?"),
                    said("For you, 20"),
                    (false, None),
                    nothing.clone(),
                    nothing.clone(),
                    nothing.clone(),
                    nothing,
                    said("20 it is"),
                ];
                assert_eq!(texts(events), expected);
            }
            assert_eq!(pulled[1].edited, None);
            let thumbs = Reactions { buyer: None, seller: Some("👍".to_owned()) };
            assert_eq!(pulled[0].reactions, Some(thumbs));

            // And to themselves everything is as ever.
            let (mut seller, _) = world.opening(hello(&bob.token), encoding).await;
            let own = read(&mut seller, chat, 2).await;
            assert_eq!(own.text.as_deref(), Some("what an insult"));
            assert_eq!(own.edited.map(|edited| edited.seq), Some(Seq(4)));
            let hearts = Reactions { buyer: None, seller: Some("❤️".to_owned()) };
            assert_eq!(read(&mut seller, chat, 1).await.reactions, Some(hearts));
            assert_eq!(read(&mut seller, chat, 6).await.text.as_deref(), Some("answer me now"));
            let edits = replay(&world, &bob, chat, encoding).await;
            assert!(edits.iter().all(|event| !event.withheld));
        }
    }

    // What is taken back is gone for both all the same.
    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    let mut seller = world.device(&bob, Encoding::MsgPack).await;
    blocks(&mut buyer, &bob.id, true).await;
    seller.sends(&delete(chat, 2)).await;
    buyer.pings().await;
    for client in [&mut buyer, &mut seller] {
        let gone = read(client, chat, 2).await;
        assert_eq!((gone.gone, gone.text), (true, None));
    }
}

#[tokio::test]
async fn what_is_taken_back_is_gone_for_both() {
    let mut world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    let mut seller = world.device(&bob, Encoding::Json).await;
    buyer.tells(chat, "My number is 555 0123").await;
    buyer.sends(&edit(chat, 1, "My number is 555 0124")).await;
    seller.sends(&react(chat, 1, Some("👍"))).await;
    buyer.sends(&delete(chat, 1)).await;
    while seller.event().await.kind != "delete" {}
    for crashed in [false, true] {
        if crashed {
            world = world.crash();
        }
        for encoding in Encoding::ALL {
            // From the ring, from the log, and on REST.
            let mut again = hello(&bob.token);
            again.have = vec![(chat, Seq(0))];
            let (mut seller, opening) = world.opening(again, encoding).await;
            let mut events = Vec::new();
            while events.len() < 4 {
                events.push(seller.event().await);
            }
            let pull = Pull { chat, after: Some(Seq(0)), before: None, limit: None };
            let page = seller.pulls(pull).await;
            assert_eq!(page.events, events);
            let kinds: Vec<_> = events.iter().map(|event| &*event.kind).collect();
            assert_eq!(kinds, ["text", "edit", "reaction", "delete"]);
            for event in &events[..2] {
                assert_eq!((event.gone, &event.text), (true, &None), "{event:?}");
            }
            assert_eq!(opening.rows[0].unread, 1, "it was said, and it counts");
            assert_eq!(opening.rows[0].last.as_ref().map(|last| &*last.kind), Some("delete"));
            let mut buyer = world.device(&ana, encoding).await;
            is_refused(&mut buyer, edit(chat, 1, "x"), "target.gone").await;
            is_refused(&mut buyer, delete(chat, 1), "target.gone").await;
            is_refused(&mut seller, react(chat, 1, Some("👍")), "target.gone").await;
        }
    }
}

#[tokio::test]
async fn kinds_of_ones_own_carry_a_fallback() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    for encoding in Encoding::ALL {
        let mut buyer = world.device(&ana, encoding).await;
        let mut seller = world.device(&bob, encoding).await;
        let data = Some("{\"at\":1}".to_owned());
        let meeting = Send { kind: "x-meeting".to_owned(), data, ..text(chat, 0, "Saturday?") };
        let seq = buyer.sends(&meeting).await.seq.0;
        let event = seller.event().await;
        assert_eq!((&*event.kind, event.text.as_deref()), ("x-meeting", Some("Saturday?")));
        assert_eq!(event.data, meeting.data);
        is_refused(&mut seller, edit(chat, seq, "not mine"), "target.not_yours").await;
        buyer.sends(&edit(chat, seq, "Sunday?")).await;
        let became = read(&mut seller, chat, seq).await;
        assert_eq!((became.text.as_deref(), became.data), (Some("Sunday?"), meeting.data));
        buyer.sends(&delete(chat, seq)).await;
        let gone = read(&mut seller, chat, seq).await;
        assert_eq!((&*gone.kind, gone.gone, gone.text, gone.data), ("x-meeting", true, None, None));
    }
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_and_changes_nothing() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    for encoding in Encoding::ALL {
        let mut buyer = world.device(&ana, encoding).await;
        let mut seller = world.device(&bob, encoding).await;
        let own = buyer.tells(chat, "mine").await;
        let reaction = buyer.sends(&react(chat, own, Some("👍"))).await.seq.0;
        let extension = |kind: &str| Send { kind: kind.to_owned(), ..text(chat, 0, "x") };
        let long = Some("x".repeat(8193));
        let media = MediaId::from_bytes([9; 16]);
        let cases = [
            (edit(chat, own + 9, "x"), "target.not_found"),
            (edit(chat, 0, "x"), "target.not_found"),
            (edit(chat, reaction, "x"), "target.not_found"),
            (edit(chat, own, ""), "text.empty"),
            (delete(chat, reaction), "target.not_found"),
            (delete(chat, own + 9), "target.not_found"),
            (react(chat, own + 9, Some("👍")), "target.not_found"),
            (react(chat, own, Some("🚲")), "reaction.unsupported"),
            (react(chat, own, Some("two words")), "request.invalid"),
            (Send { target: None, ..edit(chat, 0, "x") }, "request.invalid"),
            (Send { target: None, ..delete(chat, 0) }, "request.invalid"),
            (Send { target: None, ..react(chat, 0, None) }, "request.invalid"),
            (Send { reply: Some(Seq(own + 9)), ..text(chat, 0, "x") }, "target.not_found"),
            (Send { reply: Some(Seq(reaction)), ..text(chat, 0, "x") }, "target.not_found"),
            (request(chat, "media"), "request.invalid"),
            (Send { media: Some(media), ..request(chat, "media") }, "media.not_found"),
            (request(chat, "x-poll"), "text.empty"),
            (Send { data: long, ..extension("x-poll") }, "data.too_long"),
            (extension("x-"), "kind.unsupported"),
            (extension("x-Poll"), "kind.unsupported"),
            (extension("system"), "kind.unsupported"),
            (extension("offer"), "kind.unsupported"),
        ];
        for (send, code) in cases {
            is_refused(&mut buyer, send, code).await;
        }
        for send in [edit(chat, own, "theirs"), delete(chat, own)] {
            is_refused(&mut seller, send, "target.not_yours").await;
        }
        let newest = Pull { chat, after: None, before: None, limit: None };
        assert_eq!(buyer.pulls(newest).await.head, Seq(reaction));
    }
}

#[tokio::test]
async fn g2_a_retry_gets_its_number_though_the_rules_are_against_it_by_now() {
    let world = World::new();
    let (ana, _, chat) = world.chat().await;
    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    buyer.tells(chat, "one").await;
    buyer.tells(chat, "two").await;
    let (edit_one, delete_two) = (edit(chat, 1, "1"), delete(chat, 2));
    let edited = buyer.sends(&edit_one).await;
    let deleted = buyer.sends(&delete_two).await;
    let again = buyer.sends(&delete_two).await;
    assert_eq!((again.seq, again.at, again.repeat), (deleted.seq, deleted.at, true));

    let world = world.restart_with(&[
        ("BARTERLINE_CHAT__EDIT_WINDOW_MS", "0"),
        ("BARTERLINE_CHAT__DELETE_WINDOW_MS", "0"),
    ]);
    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    is_refused(&mut buyer, edit(chat, 1, "later"), "target.too_old").await;
    is_refused(&mut buyer, delete(chat, 1), "target.too_old").await;
    let again = buyer.sends(&edit_one).await;
    assert_eq!((again.seq, again.at, again.repeat), (edited.seq, edited.at, true));
}
