//! How many connections there are.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::support::http::is_not_heard;
use crate::support::world::{barterline, run};
use crate::support::{Call, World};

const TWO: (&str, &str) = ("BARTERLINE_SERVER__CONNECTIONS_PER_ADDRESS_MAX", "2");
const REQUEST: &[u8] = b"GET /v1/nothing HTTP/1.1\r\nhost: x\r\n\r\n";

/// A connection that has had an answer and goes on.
fn held(world: &World) -> TcpStream {
    let mut connection = TcpStream::connect(world.listening).expect("the server listens");
    connection.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    connection.write_all(REQUEST).expect("a request");
    let mut begun = [0; 12];
    connection.read_exact(&mut begun).expect("an answer");
    assert_eq!(&begun, b"HTTP/1.1 404");
    connection
}

#[test]
fn one_address_has_no_more_than_its_share_of_connections() {
    // Nobody who is idle goes by themselves.
    let idle = ("BARTERLINE_SERVER__HEADER_TIMEOUT_MS", "60000");
    let world = World::with_settings(&[TWO, idle]);
    let first = held(&world);
    let _second = held(&world);
    is_not_heard(world.listening, REQUEST);
    // Operators come in by their own door.
    Call::new("GET", "/health/live").send(world.admin).expect(200);
    drop(first);
    let patience = Instant::now() + Duration::from_secs(20);
    loop {
        let mut connection = TcpStream::connect(world.listening).expect("the server listens");
        connection.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
        let _ = connection.write_all(REQUEST);
        let mut begun = [0; 12];
        if connection.read_exact(&mut begun).is_ok() {
            break;
        }
        assert!(Instant::now() < patience, "its place stays taken");
    }
}

#[test]
fn a_trusted_proxy_has_connections_for_everybody() {
    let trusted = ("BARTERLINE_SERVER__TRUSTED_PROXIES", "127.0.0.1");
    let world = World::with_settings(&[TWO, trusted]);
    let connections = [(); 4].map(|()| held(&world));
    drop(connections);
}

#[test]
fn the_server_takes_as_many_files_as_the_system_allows() {
    let world = World::with_few_files(200);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", world.pid())).expect("limits");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("a limit");
    let mut limits = line.split_whitespace().skip(3);
    let (soft, hard) = (limits.next(), limits.next());
    assert_ne!(soft, Some("200"));
    assert_eq!(soft, hard);
}

#[test]
fn by_default_nobody_else_gets_in() {
    let mut command = barterline();
    command.arg("config");
    let (code, settings, _) = run(command);
    assert_eq!(code, 0);
    let at = |key: &str| {
        let line = settings.lines().find_map(|line| line.strip_prefix(key)).expect("a line");
        line.trim_matches([' ', '=', '"']).parse::<SocketAddr>().expect("an address").ip()
    };
    assert!(at("listen").is_loopback() && at("admin_listen").is_loopback());
}
