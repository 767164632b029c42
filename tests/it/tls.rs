//! The listener for TLS: the same server behind it, and certificates that are renewed under it.

use std::fs::{self, Permissions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use barterline_protocol::Encoding;
use rustls::version::{TLS12, TLS13};
use serde_json::json;
use tempfile::TempDir;

use crate::start::refused;
use crate::support::tls::{Certificate, Files, Secured};
use crate::support::world::serve;
use crate::support::{Call, World};

/// A start with TLS, with these two files.
fn serve_with(dir: &TempDir, files: &Files) -> std::process::Command {
    let mut command = serve(&dir.path().join("data"));
    command.args(["--tls-listen", "127.0.0.1:0"]).args(files.flags());
    command
}

#[test]
fn the_same_routes_are_there_under_tls() {
    let certificate = Certificate::new();
    let world = World::secured(&certificate, &[]);
    let Some(Secured { at, .. }) = world.secured else { panic!("no address") };
    let (listening, admin) = (world.listening, world.admin);
    let addresses = format!(r#""listening":"{listening}","admin":"{admin}","tls":"{at}""#);
    assert_eq!(world.first_line, format!("{{{addresses}}}\n"));

    let ana = world.person("ana");
    let listing = world.listing(&ana);
    // What was done at one door is seen at the other.
    Call::new("GET", &format!("/v1/listings/{listing}")).send(listening).expect(200);
    for version in [&TLS12, &TLS13] {
        let mut config = certificate.trusted_over(&[version]);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let mut connection =
            Secured { at, config: Arc::new(config) }.shake_hands().expect("a handshake");
        assert_eq!(connection.conn.protocol_version(), Some(version.version));
        assert_eq!(connection.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        // Two requests on one connection, and an end that TLS knows of.
        let path = format!("/v1/listings/{listing}");
        let ask = |more: &str| format!("GET {path} HTTP/1.1\r\nhost: x\r\n{more}\r\n");
        connection.write_all((ask("") + &ask("connection: close\r\n")).as_bytes()).expect("sent");
        let mut answers = String::new();
        connection.read_to_string(&mut answers).expect("an end with a goodbye");
        assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "{answers}");
    }
    let mut config = certificate.trusted();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let refused = Secured { at, config: Arc::new(config) }.shake_hands().expect_err("no HTTP/2");
    assert!(refused.to_string().contains("NoApplicationProtocol"), "{refused}");
}

#[tokio::test]
async fn the_plain_door_is_shut_where_the_operator_says_so() {
    let world = World::secured(&Certificate::new(), &[("BARTERLINE_LISTEN", "")]);
    let Some(Secured { at, .. }) = world.secured else { panic!("no address") };
    let addresses = format!(r#""admin":"{}","tls":"{at}""#, world.admin);
    assert_eq!(world.first_line, format!("{{{addresses}}}\n"));
    // Requests and sockets come in under TLS, and in no other way.
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    let mut buyer = world.device(&ana, Encoding::Json).await;
    let mut seller = world.device(&bob, Encoding::Json).await;
    let chat = buyer.opens(&world.listing(&bob)).await.chat;
    buyer.tells(chat, "Is it free?").await;
    assert_eq!(seller.event().await.text.as_deref(), Some("Is it free?"));
    let mut plain = TcpStream::connect(at).expect("a connection");
    plain.write_all(b"GET /v1/nothing HTTP/1.1\r\nhost: x\r\n\r\n").expect("sent");
    let mut answer = Vec::new();
    // An alert, or nothing but an end.
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/"), "{answer:?}");

    let dir = TempDir::new().expect("a directory");
    let mut nowhere = serve(&dir.path().join("data"));
    nowhere.env("BARTERLINE_LISTEN", "");
    refused(nowhere, 2, &["nobody could connect"]);
}

#[test]
fn who_opens_the_plain_door_to_the_net_is_warned() {
    let open = ("BARTERLINE_LISTEN", "0.0.0.0:0");
    let proxy = ("BARTERLINE_SERVER__TRUSTED_PROXIES", "10.0.0.0/8");
    for (settings, warned) in [(&[open][..], true), (&[open, proxy], false), (&[], false)] {
        let world = World::logged(settings);
        world.until_logged("\"ready\"");
        let log = world.log();
        assert_eq!(log.contains("is heard without encryption"), warned, "{log}");
    }
}

#[test]
fn large_bodies_go_both_ways() {
    let world = World::secured(&Certificate::new(), &[]);
    let ana = world.person("ana");
    let description: String = ('a'..='z').cycle().take(9_000).collect();
    let price = json!({ "minor": 1, "currency": "EUR" });
    let body = json!({ "title": "Bike", "description": description, "price": price });
    let padding = " ".repeat(100_000);
    let call = Call::new("POST", "/v1/listings").token(&ana.token);
    let call = call.header("content-type", "application/json");
    let made = world.call(call.body(format!("{padding}{body}"))).expect(201).json();
    let id = made["id"].as_str().expect("an id");
    let read = world.get(&format!("/v1/listings/{id}")).expect(200).json();
    assert_eq!(read["description"], *description);
}

#[tokio::test]
async fn two_people_talk_under_tls() {
    let world = World::secured(&Certificate::new(), &[]);
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    for encoding in Encoding::ALL {
        let mut buyer = world.device(&ana, encoding).await;
        let mut seller = world.device(&bob, encoding).await;
        let chat = buyer.opens(&world.listing(&bob)).await.chat;
        for n in 1..=100_u16 {
            let (speaker, hearer) =
                if n % 2 == 1 { (&mut buyer, &mut seller) } else { (&mut seller, &mut buyer) };
            let words = format!("{n:0width$}", width = usize::from(n) * 40);
            assert_eq!(speaker.tells(chat, &words).await, u64::from(n));
            assert_eq!(hearer.event().await.text, Some(words));
        }
    }
}

#[test]
fn what_cannot_be_used_is_named_before_anything_starts() {
    let dir = TempDir::new().expect("a directory");
    let files = Files::within(dir.path());
    let (good, other) = (Certificate::new(), Certificate::new());
    let (chain, key) = (good.chain_pem(), good.key_pem());
    let cut = &chain[..chain.len() / 2];
    let broken = chain.replacen("MII", "AAA", 1);
    let cases: &[(&str, &str, &[&str])] = &[
        ("", &key, &["chain.pem holds no certificate"]),
        (&key, &key, &["chain.pem holds no certificate"]),
        (cut, &key, &["chain.pem is not a sound PEM file"]),
        (&broken, &key, &["chain.pem cannot be used"]),
        (&chain, "", &["key.pem holds no private key"]),
        (&chain, &chain, &["key.pem holds no private key"]),
        (&chain, &key.replace("PRIVATE", "ENCRYPTED PRIVATE"), &["without a password"]),
        (&chain, &key.replacen("MI", "AA", 1), &["key.pem cannot be used"]),
        (&chain, &other.key_pem(), &["key.pem does not belong to the certificate", "chain.pem"]),
    ];
    for (chain, key, says) in cases {
        files.hold_text(chain, key);
        refused(serve_with(&dir, &files), 1, says);
    }
    files.hold(&good);
    for mode in [0o640, 0o604] {
        fs::set_permissions(&files.key, Permissions::from_mode(mode)).expect("a mode");
        let mode = format!("{mode:o}");
        refused(serve_with(&dir, &files), 1, &["can be read by others", &mode, "chmod 600"]);
    }
    for (file, says) in [(&files.key, "key.pem"), (&files.certificate, "chain.pem")] {
        fs::remove_file(file).expect("it was there");
        refused(serve_with(&dir, &files), 1, &["cannot read", says, "No such file"]);
    }
    let mut alone = serve(&dir.path().join("data"));
    alone.args(["--tls-listen", "127.0.0.1:0", "--tls-key", "key.pem"]);
    refused(alone, 2, &["`server.tls_listen` needs `server.tls_certificate` as well"]);
    let mut without = serve(&dir.path().join("data"));
    without.args(["--tls-certificate", "chain.pem"]);
    refused(without, 2, &["`server.tls_certificate` is for `server.tls_listen`"]);
    // On a cluster the keys are there before.
    let token = dir.path().join("data/admin-token");
    assert!(!token.exists(), "nothing was started");
}

/// Whether the server shows this certificate to somebody new.
fn shows(world: &World, certificate: &Certificate) -> bool {
    let at = world.secured.as_ref().expect("TLS").at;
    let config = Arc::new(certificate.trusted());
    Secured { at, config }.shake_hands().is_ok()
}

fn until_shown(world: &World, certificate: &Certificate) {
    let patience = Instant::now() + Duration::from_secs(20);
    while !shows(world, certificate) {
        assert!(Instant::now() < patience, "the certificate was not renewed");
    }
}

#[tokio::test]
async fn a_certificate_is_renewed_under_a_running_server() {
    let (first, second, third) = (Certificate::new(), Certificate::new(), Certificate::new());
    let mut world = World::secured(&first, &[("BARTERLINE_SERVER__TLS_LOOK_MS", "100")]);
    let ana = world.person("ana");
    let mut standing = world.device(&ana, Encoding::Json).await;
    let files = world.certificate_files();
    files.hold(&second);
    until_shown(&world, &second);
    assert!(!shows(&world, &first), "the old one is not shown any more");
    standing.pings().await;

    // What is broken changes nothing; and what is sound again is taken.
    files.hold_text(&third.chain_pem(), &first.key_pem());
    world.until_logged("cannot renew the certificate");
    assert!(shows(&world, &second));
    files.hold(&third);
    until_shown(&world, &third);
    standing.pings().await;
    assert!(world.stop().success());
}

#[tokio::test]
async fn those_who_do_not_speak_tls_are_sent_away() {
    let certificate = Certificate::new();
    let world = World::secured(&certificate, &[("BARTERLINE_SERVER__HEADER_TIMEOUT_MS", "300")]);
    let ana = world.person("ana");
    let mut client = world.device(&ana, Encoding::MsgPack).await;
    let at = world.secured.as_ref().expect("TLS").at;
    let endless = [&[22, 3, 1, 0x40, 0][..], &[0; 9_000]].concat();
    let unfinished = [22, 3, 1, 0, 100, 1];
    for bytes in
        [&b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"[..], &[0; 12_000], &endless, &unfinished, &[]]
    {
        let mut stream = TcpStream::connect(at).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{bytes:.8?}"),
        }
        // An alert at most.
        assert!(answer.len() <= 7, "{answer:?}");
    }
    client.pings().await;
    world.get("/v1/accounts/me").problem(401, "token.invalid");
}
