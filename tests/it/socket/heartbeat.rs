//! Signs of life: who gives none is closed, who gives them stays and gets the cursor.

use barterline_protocol::close_code::CloseCode;
use barterline_protocol::request::Ping;
use barterline_protocol::{Encoding, Outgoing, Request};

use crate::support::socket::hello;
use crate::support::{World, backend};

#[tokio::test]
async fn a_silent_client_is_closed_and_one_that_answers_stays() {
    let world = World::with_setting("BARTERLINE_SOCKET__HEARTBEAT_MS", "1000");
    let ana = world.person("ana");
    for encoding in Encoding::ALL {
        let (mut silent, opening) = world.opening(hello(&ana.token), encoding).await;
        assert_eq!(opening.welcome.heartbeat_ms, 1_000);
        // All is delivered, and the cursor says so where the server hears of every change.
        let cursor = (!backend::is_cluster()).then_some(opening.cursor);
        let mut answering = world.device(&ana, encoding).await;
        // More than the three that a silent client may miss.
        for _ in 0..5 {
            loop {
                if let Outgoing::Ping(ping) = answering.next().await {
                    assert_eq!(ping.cursor, cursor);
                    break;
                }
            }
            answering.ask(Request::Pong(Ping::default())).await;
        }
        silent.is_closed(CloseCode::Silent).await;
        answering.pings().await;
    }
}
