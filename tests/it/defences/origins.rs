//! Which web pages may use the server.

use crate::support::{Answer, Call, World};

const SHOP: &str = "https://shop.example";
const LISTED: (&str, &str) =
    ("BARTERLINE_SERVER__ORIGINS", "https://shop.example http://localhost:5173");

fn preflight(world: &World, origin: &str) -> Answer {
    let call = Call::new("OPTIONS", "/v1/listings").header("origin", origin);
    let call = call.header("access-control-request-method", "POST");
    world.call(call.header("access-control-request-headers", "authorization,content-type"))
}

#[test]
fn a_socket_is_for_pages_of_ours_and_programs() {
    let timeout = ("BARTERLINE_SOCKET__HELLO_TIMEOUT_MS", "100");
    let world = World::with_settings(&[timeout]);
    let open = |world: &World, origin: &str| world.call(Call::upgrade().header("origin", origin));
    world.call(Call::upgrade()).expect(101);
    open(&world, &format!("http://{}", world.listening)).expect(101);
    for stranger in [SHOP, "null", "http://localhost:5173", "http://127.0.0.1:1"] {
        open(&world, stranger).problem(403, "socket.origin_refused");
    }
    let world = World::with_settings(&[timeout, LISTED]);
    open(&world, SHOP).expect(101);
    open(&world, "http://localhost:5173").expect(101);
    open(&world, "http://shop.example").problem(403, "socket.origin_refused");
}

#[test]
fn no_page_is_told_anything_unless_it_is_listed() {
    let world = World::new();
    let answer = world.call(Call::new("GET", "/v1/nothing").header("origin", SHOP));
    for answer in [answer, preflight(&world, SHOP)] {
        let told = answer.headers.keys().find(|name| name.starts_with("access-control-"));
        assert_eq!(told, None);
    }
}

#[test]
fn pages_that_are_listed_read_every_answer() {
    let few = [
        ("BARTERLINE_LIMITS__REQUESTS_BURST", "1"),
        ("BARTERLINE_LIMITS__REQUESTS_PER_MINUTE", "1"),
        LISTED,
    ];
    let world = World::with_settings(&few);
    let answer = preflight(&world, SHOP).expect(200);
    assert_eq!(answer.headers["access-control-allow-origin"], SHOP);
    assert!(answer.headers["access-control-allow-headers"].contains("authorization"));
    assert!(answer.headers["access-control-allow-methods"].contains("PATCH"));
    assert!(answer.headers["vary"].contains("origin"));
    for stranger in ["https://evil.example", "null", "http://shop.example"] {
        let answer = preflight(&world, stranger);
        assert!(!answer.headers.contains_key("access-control-allow-origin"), "{stranger}");
        assert!(!answer.headers.contains_key("access-control-allow-credentials"), "{stranger}");
    }
    let read = || world.call(Call::new("GET", "/v1/nothing").header("origin", SHOP));
    for status in [404, 429] {
        let answer = read().expect(status);
        assert_eq!(answer.headers["access-control-allow-origin"], SHOP);
        assert!(answer.headers["access-control-expose-headers"].contains("ratelimit"));
        assert_eq!(answer.headers["access-control-allow-credentials"], "true");
    }
}
