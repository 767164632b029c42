//! PUT /v1/chats/{id}/marks

use barterline_domain::chat::Role;
use barterline_domain::event::Seq;
use barterline_domain::ids::ChatId;
use barterline_protocol::Encoding;
use barterline_protocol::push::MarksMoved;
use serde_json::{Value, json};

use crate::support::{Answer, Call, Person, World};

const PHONE: &str = "5b2f9c1e-7a34-4d68-8f05-c19be2a07d31";

fn mark(world: &World, person: &Person, chat: ChatId, body: &Value) -> Answer {
    let call = Call::new("PUT", &format!("/v1/chats/{chat}/marks")).token(&person.token);
    world.call(call.json(body))
}

#[tokio::test]
async fn marks_move_up_and_everybody_hears_of_it() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    for words in ["one", "two", "three"] {
        buyer.tells(chat, words).await;
    }
    let check = |answer: Answer| assert_eq!(answer.expect(204).body, "");
    check(mark(&world, &bob, chat, &json!({ "device": PHONE, "delivered": 3, "read": 2 })));
    let moved = |delivered, read| MarksMoved {
        chat,
        role: Role::Seller,
        delivered: Seq(delivered),
        read: Seq(read),
    };
    assert_eq!(buyer.marks().await, moved(3, 2));
    let row = |person: &Person| {
        let call = Call::new("GET", &format!("/v1/chats/{chat}")).token(&person.token);
        world.call(call).expect(200).json()
    };
    assert_eq!(row(&bob)["marks"], json!({ "delivered": 3, "read": 2 }));
    assert_eq!((&row(&bob)["unread"], &row(&ana)["unread"]), (&json!(1), &json!(0)));
    // They do not go back, and nothing to move is no mistake.
    check(mark(&world, &bob, chat, &json!({ "device": PHONE, "delivered": 1, "read": 1 })));
    check(mark(&world, &bob, chat, &json!({ "device": PHONE })));
    assert_eq!(row(&ana)["peer_marks"], json!({ "delivered": 3, "read": 2 }));
    // What was read has been delivered, whatever the device says.
    check(mark(&world, &bob, chat, &json!({ "device": PHONE, "read": 3 })));
    assert_eq!(buyer.marks().await, moved(3, 3));
}

#[tokio::test]
async fn marks_that_cannot_be_are_refused() {
    let world = World::new();
    let (ana, _, chat) = world.chat().await;
    let ahead = json!({ "device": PHONE, "delivered": 1 });
    assert_eq!(mark(&world, &ana, chat, &ahead).problem(409, "seq.ahead")["head"], 0);
    for body in [
        json!({}),
        json!({ "delivered": 0 }),
        json!({ "device": "x", "delivered": 0 }),
        json!({ "device": PHONE, "delivered": -1 }),
        json!({ "device": PHONE, "read": "1" }),
    ] {
        mark(&world, &ana, chat, &body).problem(400, "request.invalid");
    }
    let path = format!("/v1/chats/{chat}/marks");
    let nobody = Call::new("PUT", &path).json(&json!({ "device": PHONE }));
    world.call(nobody).problem(401, "token.invalid");
    let post = Call::new("POST", &path).token(&ana.token).json(&ahead);
    world.call(post).problem(405, "route.method_not_allowed");
}

#[tokio::test]
async fn g6_a_stranger_marks_a_chat_that_is_not_there() {
    let world = World::new();
    let (_, _, theirs) = world.chat().await;
    let eve = world.person("eve");
    for body in [json!({ "device": PHONE }), json!({ "device": PHONE, "read": 9 })] {
        let foreign = mark(&world, &eve, theirs, &body).problem(404, "chat.not_found");
        let nothing = ChatId::from_bytes([7; 16]);
        let missing = mark(&world, &eve, nothing, &body).problem(404, "chat.not_found");
        assert_eq!(foreign, missing);
    }
}
