//! Whose word about a client's address counts.

use crate::support::http::{is_not_heard, raw};
use crate::support::{Answer, Call, World};

const ONE_REQUEST: [(&str, &str); 2] =
    [("BARTERLINE_LIMITS__REQUESTS_BURST", "1"), ("BARTERLINE_LIMITS__REQUESTS_PER_MINUTE", "1")];
const TRUSTED: (&str, &str) = ("BARTERLINE_SERVER__TRUSTED_PROXIES", "10.0.0.0/8 127.0.0.1");
const PROXY_PROTOCOL: (&str, &str) = ("BARTERLINE_SERVER__PROXY_PROTOCOL", "true");

/// A request that costs the client who makes it the only one it has.
fn once(world: &World, header: &str, value: &str) -> Answer {
    world.call(Call::new("GET", "/v1/nothing").header(header, value))
}

#[test]
fn a_stranger_is_not_believed_where_they_are() {
    let world = World::with_settings(&ONE_REQUEST);
    once(&world, "x-forwarded-for", "192.0.2.1").problem(404, "route.not_found");
    once(&world, "x-forwarded-for", "192.0.2.2").problem(429, "rate.limited");
    once(&world, "forwarded", "for=192.0.2.3").problem(429, "rate.limited");
    let answer = once(&world, "x-forwarded-proto", "https");
    assert!(!answer.headers.contains_key("strict-transport-security"));
}

#[test]
fn a_trusted_proxy_says_who_the_client_is() {
    let world = World::with_settings(&[&ONE_REQUEST[..], &[TRUSTED]].concat());
    let once = |value: &str| once(&world, "x-forwarded-for", value);
    once("192.0.2.1").problem(404, "route.not_found");
    once("192.0.2.2").problem(404, "route.not_found");
    once("192.0.2.1").problem(429, "rate.limited");
    // What a client wrote itself stands further left.
    once("198.51.100.1, 192.0.2.2, 10.1.2.3").problem(429, "rate.limited");
    // One network of IPv6 is one client.
    once("2001:db8::1").problem(404, "route.not_found");
    once("2001:db8::2").problem(429, "rate.limited");
    // The other header is not read: proxies pass it on as a stranger wrote it.
    let call = Call::new("GET", "/v1/nothing").header("forwarded", "for=192.0.2.77");
    let call = call.header("x-forwarded-for", "192.0.2.1");
    world.call(call).problem(429, "rate.limited");
    let call = Call::new("GET", "/v1/nothing").header("x-forwarded-for", "192.0.2.9");
    let answer = world.call(call.header("x-forwarded-proto", "https"));
    assert!(answer.headers.contains_key("strict-transport-security"));
}

#[test]
fn a_trusted_proxy_may_speak_rfc_7239() {
    let header = ("BARTERLINE_SERVER__TRUSTED_PROXY_HEADER", "forwarded");
    let world = World::with_settings(&[&ONE_REQUEST[..], &[TRUSTED, header]].concat());
    let once = |value: &str| once(&world, "forwarded", value);
    once("for=192.0.2.1").problem(404, "route.not_found");
    once("for=198.51.100.1, for=192.0.2.1;proto=https").problem(429, "rate.limited");
    let answer = once("for=\"[2001:db8::1]:4711\";proto=https");
    assert!(answer.headers.contains_key("strict-transport-security"));
    answer.problem(404, "route.not_found");
}

#[test]
fn sockets_are_counted_for_the_client_behind_the_proxy() {
    let one = [
        ("BARTERLINE_LIMITS__ADDRESS_BURST", "1"),
        ("BARTERLINE_LIMITS__ADDRESS_PER_MINUTE", "1"),
        ("BARTERLINE_SOCKET__HELLO_TIMEOUT_MS", "100"),
        TRUSTED,
    ];
    let world = World::with_settings(&one);
    let open = |from: &str| world.call(Call::upgrade().header("x-forwarded-for", from));
    open("192.0.2.1").expect(101);
    open("192.0.2.2").expect(101);
    open("192.0.2.1").problem(429, "rate.limited");
}

/// A request behind a header of the PROXY protocol.
fn introduced(world: &World, header: &[u8]) -> Vec<u8> {
    [header, &Call::new("GET", "/v1/nothing").into_bytes(world.listening)].concat()
}

/// Version 2, over TCP and IPv4.
fn v2(from: [u8; 4]) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    header.extend(from);
    header.extend([203, 0, 113, 1, 0x12, 0x34, 0x01, 0xbb]);
    header
}

#[test]
fn the_proxy_protocol_says_whose_a_connection_is() {
    let world = World::with_settings(&[&ONE_REQUEST[..], &[TRUSTED, PROXY_PROTOCOL]].concat());
    let call = |header: &[u8]| raw(world.listening, &introduced(&world, header));
    let v1 = b"PROXY TCP4 192.0.2.1 203.0.113.1 4711 443\r\n";
    call(v1).problem(404, "route.not_found");
    call(v1).problem(429, "rate.limited");
    call(&v2([192, 0, 2, 1])).problem(429, "rate.limited");
    call(&v2([192, 0, 2, 2])).problem(404, "route.not_found");
    call(b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n").problem(404, "route.not_found");
    // A proxy that looks whether we live speaks for itself.
    call(b"PROXY UNKNOWN\r\n").problem(404, "route.not_found");
    for nothing in [&b""[..], b"PROXY TCP4 nowhere\r\n", &[b'P'; 200], &[0; 20]] {
        is_not_heard(world.listening, &introduced(&world, nothing));
    }
}

#[test]
fn nobody_but_a_trusted_proxy_speaks_the_proxy_protocol() {
    let trusted = ("BARTERLINE_SERVER__TRUSTED_PROXIES", "10.0.0.0/8");
    let world = World::with_settings(&[trusted, PROXY_PROTOCOL]);
    is_not_heard(world.listening, &introduced(&world, &v2([192, 0, 2, 1])));
    is_not_heard(world.listening, &introduced(&world, b""));
    // Where it is not spoken it is no HTTP.
    let world = World::with_settings(&[TRUSTED]);
    assert_eq!(raw(world.listening, &introduced(&world, &v2([192, 0, 2, 1]))).status, 400);
}

#[test]
fn an_introduction_that_does_not_come_is_not_waited_for() {
    let timeout = ("BARTERLINE_SERVER__HEADER_TIMEOUT_MS", "200");
    let world = World::with_settings(&[TRUSTED, PROXY_PROTOCOL, timeout]);
    is_not_heard(world.listening, b"PROXY TCP4 192.0.2.1 ");
}
