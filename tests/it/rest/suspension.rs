//! What becomes of somebody whom staff keep out

use barterline_protocol::close_code::CloseCode;
use barterline_protocol::{Encoding, Outgoing};
use serde_json::json;

use crate::support::socket::hello;
use crate::support::{Call, World};

const NOBODY: &str = "5b2f9c1e-7a34-4d68-8f05-c19be2a07d31";

#[tokio::test]
async fn a_suspended_account_is_shut_out_everywhere_until_it_is_let_in_again() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    let mut seller = world.device(&bob, Encoding::Json).await;
    buyer.tells(chat, "one").await;
    let path = format!("/accounts/{}/suspension", ana.id);
    for _ in 0..2 {
        assert_eq!(world.staff("PUT", &path).expect(204).body, "");
    }
    buyer.is_closed(CloseCode::Suspended).await;
    for encoding in Encoding::ALL {
        let mut late = world.dial(encoding).await;
        late.ask(barterline_protocol::Request::Hello(hello(&ana.token))).await;
        late.is_closed(CloseCode::Suspended).await;
    }
    let inbox = || Call::new("GET", "/v1/chats").token(&ana.token);
    world.call(inbox()).problem(403, "account.suspended");
    let refresh = json!({ "refresh_token": ana.refresh_token });
    world.post("/v1/sessions/refresh", &refresh).problem(403, "account.suspended");
    let email = world.email("ana");
    let log_in = |password| json!({ "email": email, "password": password });
    world.post("/v1/sessions", &log_in("correct horse")).problem(403, "account.suspended");
    // Who does not know the password learns nothing.
    world.post("/v1/sessions", &log_in("another horse")).problem(401, "login.failed");
    // Nobody else is touched, and what was said stays.
    seller.tells(chat, "two").await;
    let world = world.restart();
    world.call(inbox()).problem(403, "account.suspended");

    for _ in 0..2 {
        assert_eq!(world.staff("DELETE", &path).expect(204).body, "");
    }
    // Whoever is let in again shows who they are.
    world.call(inbox()).problem(401, "token.invalid");
    world.post("/v1/sessions/refresh", &refresh).problem(401, "refresh.invalid");
    let ana = world.log_in("ana");
    let (_, opening) = world.opening(hello(&ana.token), Encoding::MsgPack).await;
    assert_eq!((opening.rows[0].head.0, opening.rows[0].unread), (2, 1));
}

#[tokio::test]
async fn a_long_poll_ends_for_somebody_who_is_shut_out() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let cursor = world.call(Call::new("GET", "/v1/sync?wait_ms=0").token(&ana.token)).expect(200);
    let cursor = cursor.json()["cursor"].as_str().expect("a cursor").to_owned();
    let path = format!("/v1/sync?wait_ms=20000&cursor={cursor}");
    let waits = world.begin(Call::new("GET", &path).token(&ana.token));
    world.until_polls(1);
    world.staff("PUT", &format!("/accounts/{}/suspension", ana.id)).expect(204);
    let mut seller = world.device(&bob, Encoding::MsgPack).await;
    seller.tells(chat, "one").await;
    waits.join().expect("an answer").problem(403, "account.suspended");
}

#[tokio::test]
async fn only_staff_suspend_and_only_who_is_there() {
    let world = World::new();
    let ana = world.person("ana");
    let path = format!("/accounts/{}/suspension", ana.id);
    let call = || Call::new("PUT", &path).token(&ana.token);
    call().send(world.admin).problem(401, "admin.token_invalid");
    world.call(call()).problem(404, "route.not_found");
    world.staff("PUT", &format!("/accounts/{NOBODY}/suspension")).problem(404, "account.not_found");
    world.staff("PUT", "/accounts/ana/suspension").problem(400, "request.invalid");
    let renewed = world.device(&ana, Encoding::MsgPack).await.renews(&ana.token).await;
    assert!(matches!(renewed, Outgoing::Authed(_)), "{renewed:?}");
}
