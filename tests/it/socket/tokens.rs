//! Tokens on a socket: bad ones, new ones, and those of a session that ends.

use std::time::Duration;

use barterline::auth::keyring::Keyring;
use barterline::auth::token::Tokens;
use barterline::clock::SystemClock;
use barterline_domain::clock::{Clock as _, Timestamp};
use barterline_domain::ids::SessionId;
use barterline_protocol::close_code::CloseCode;
use barterline_protocol::request::Ping;
use barterline_protocol::{Encoding, Outgoing, Request};
use serde_json::json;

use crate::support::socket::hello;
use crate::support::{Call, Person, World};

fn log_out(world: &World, person: &Person) {
    world.call(Call::new("DELETE", "/v1/sessions/current").token(&person.token)).expect(204);
}

fn tokens(world: &World) -> Tokens {
    Tokens::new(Keyring::open(&world.data().join("keys/access-tokens.json")).expect("keys"))
}

fn ended_token(world: &World, person: &Person) -> String {
    let user = person.id.parse().expect("an id");
    let (session, long_ago) = (SessionId::from_bytes([7; 16]), Timestamp::from_millis(1));
    tokens(world).issue(user, session, &[], long_ago, Duration::ZERO).0
}

#[tokio::test]
async fn a_connection_ends_with_its_token_unless_a_new_one_came() {
    let world = World::with_settings(&[
        ("BARTERLINE_SOCKET__HEARTBEAT_MS", "1000"),
        ("BARTERLINE_SOCKET__TOKEN_GRACE_MS", "500"),
    ]);
    let ana = world.person("ana");
    for encoding in Encoding::ALL {
        let now = SystemClock.now();
        let principal = tokens(&world).verify(&ana.token, now).expect("a token");
        let (user, session) = (principal.user, principal.session().expect("a log-in"));
        let (short, end) = tokens(&world).issue(user, session, &[], now, Duration::from_secs(2));
        let (mut lasting, opening) = world.opening(hello(&short), encoding).await;
        assert_eq!(opening.welcome.token_expires_at, end);
        let (mut ending, _) = world.opening(hello(&short), encoding).await;
        assert!(matches!(lasting.renews(&ana.token).await, Outgoing::Authed(_)));
        while !matches!(ending.next().await, Outgoing::Renew(renew) if renew.token_expires_at == end)
        {
        }
        // Who is to stay gives signs of life meanwhile.
        let stays = async {
            loop {
                if matches!(lasting.next().await, Outgoing::Ping(_)) {
                    lasting.ask(Request::Pong(Ping::default())).await;
                }
            }
        };
        tokio::select! {
            () = ending.is_closed(CloseCode::TokenExpired) => {}
            () = stays => {}
        }
        assert!(SystemClock.now() >= end.plus(Duration::from_millis(500)));
        lasting.pings().await;
    }
}

#[tokio::test]
async fn a_token_that_does_not_do_is_told_apart() {
    let world = World::new();
    let ana = world.person("ana");
    let gone = world.log_in("ana");
    log_out(&world, &gone);
    let cases = [
        (String::new(), CloseCode::TokenInvalid),
        ("x".to_owned(), CloseCode::TokenInvalid),
        (format!("{}x", ana.token), CloseCode::TokenInvalid),
        (ana.refresh_token.clone(), CloseCode::TokenInvalid),
        (ended_token(&world, &ana), CloseCode::TokenExpired),
        (gone.token, CloseCode::SessionRevoked),
    ];
    for encoding in Encoding::ALL {
        for (token, code) in &cases {
            let mut client = world.dial(encoding).await;
            client.ask(Request::Hello(hello(token))).await;
            client.is_closed(*code).await;
        }
        world.device(&ana, encoding).await.pings().await;
    }
}

#[tokio::test]
async fn logging_out_closes_the_sockets_of_the_session_alone() {
    let world = World::new();
    world.register("ana").expect(201);
    for encoding in Encoding::ALL {
        let (ana, elsewhere) = (world.log_in("ana"), world.log_in("ana"));
        let mut first = world.device(&ana, encoding).await;
        let mut second = world.device(&ana, encoding).await;
        let mut other = world.device(&elsewhere, encoding).await;
        log_out(&world, &ana);
        let closed = async {
            first.is_closed(CloseCode::SessionRevoked).await;
            second.is_closed(CloseCode::SessionRevoked).await;
        };
        tokio::time::timeout(Duration::from_secs(2), closed).await.expect("within two seconds");
        other.pings().await;
    }
}

#[tokio::test]
async fn a_new_token_of_the_session_takes_the_place_of_the_old() {
    let world = World::new();
    world.register("ana").expect(201);
    for encoding in Encoding::ALL {
        let ana = world.log_in("ana");
        let mut client = world.device(&ana, encoding).await;
        let body = json!({ "refresh_token": ana.refresh_token });
        let renewed = world.post("/v1/sessions/refresh", &body).expect(200).json();
        let answer = client.renews(renewed["access_token"].as_str().expect("a token")).await;
        let Outgoing::Authed(authed) = answer else { panic!("{answer:?}") };
        assert_eq!(json!(authed.token_expires_at), renewed["access_expires_at"]);

        let other_session = world.log_in("ana").token;
        let ended = ended_token(&world, &ana);
        let cases = [
            (&*other_session, "token.invalid"),
            ("x", "token.invalid"),
            (&*ended, "token.expired"),
        ];
        for (token, code) in cases {
            let answer = client.renews(token).await;
            assert!(matches!(&answer, Outgoing::Error(e) if e.code == code), "{answer:?}");
        }
        client.pings().await;
    }
}
