//! Whatever a client gets wrong has its documented answer, and the server lives on.

use barterline_domain::event::Seq;
use barterline_protocol::close_code::CloseCode;
use barterline_protocol::request::{Mark, Ping, Pull, Send};
use barterline_protocol::{Encoding, Outgoing, Request};
use tokio_tungstenite::tungstenite::Message;

use crate::support::socket::{hello, masked, text};
use crate::support::{Call, Client, Person, World};

/// A device that says something which must end its connection; the server goes on.
async fn ends_with(
    world: &World,
    ana: &Person,
    encoding: Encoding,
    message: Message,
    code: CloseCode,
) {
    // Before `hello` and after it.
    let mut stranger = world.dial(encoding).await;
    stranger.sends_message(message.clone()).await;
    stranger.is_closed(code).await;
    let mut client = world.device(ana, encoding).await;
    client.sends_message(message).await;
    client.is_closed(code).await;
    world.device(ana, encoding).await.pings().await;
}

#[tokio::test]
async fn frames_above_the_limit_close() {
    let world = World::new();
    let ana = world.person("ana");
    for encoding in Encoding::ALL {
        let large = "x".repeat(65_537);
        let message = match encoding {
            Encoding::MsgPack => Message::binary(large),
            Encoding::Json => Message::text(large),
        };
        ends_with(&world, &ana, encoding, message, CloseCode::FrameTooLarge).await;
    }
}

#[tokio::test]
async fn what_is_no_frame_closes() {
    let world = World::new();
    let ana = world.person("ana");
    let nested = [vec![0x93, 0xa4], b"ping".to_vec(), vec![1, 0x81, 0xa1, b'x'], vec![0x91; 60]];
    let binary: &[&[u8]] = &[
        b"",
        b"\xc1",
        b"\x93\xa4ping",
        b"\x93\xa4ping\x01",
        b"\x92\xa4ping\x01",
        b"\x93\xa4ping\xff\x80",
        b"\x93\xa4ping\x01\x90",
        b"\x93\xa4ping\x01\x80\x00",
        // These declare four milliards of elements, entries and bytes.
        b"\xdd\xff\xff\xff\xff",
        b"\x93\xa4ping\x01\xdf\xff\xff\xff\xff",
        b"\x93\xdb\xff\xff\xff\xffping\x01\x80",
        b"\x93\xa4ping\x01\x81\xa1x\xc6\xff\xff\xff\xff",
        &nested.concat(),
    ];
    for bytes in binary {
        let message = Message::binary(bytes.to_vec());
        ends_with(&world, &ana, Encoding::MsgPack, message, CloseCode::Malformed).await;
    }
    let nested = format!("[\"ping\",1,{{\"x\":{}{}}}]", "[".repeat(30), "]".repeat(30));
    let json = [
        "",
        "{}",
        "[",
        "[\"ping\",1]",
        "[\"ping\",1,{},2]",
        "[\"ping\",-1,{}]",
        "[\"ping\",1,[]]",
        "[\"ping\",4294967296,{}]",
        &nested,
    ];
    for text in json {
        ends_with(&world, &ana, Encoding::Json, Message::text(text), CloseCode::Malformed).await;
    }
}

#[tokio::test]
async fn the_other_type_of_message_closes() {
    let world = World::new();
    let ana = world.person("ana");
    let cases = [
        (Encoding::MsgPack, Message::text("[\"ping\",1,{}]")),
        (Encoding::Json, Message::binary(b"\x93\xa4ping\x01\x80".to_vec())),
    ];
    for (encoding, message) in cases {
        ends_with(&world, &ana, encoding, message, CloseCode::WrongFrameType).await;
    }
}

#[tokio::test]
async fn bytes_that_break_the_framing_close() {
    let world = World::new();
    let ana = world.person("ana");
    // Text that is no UTF-8; a frame without a mask; a reserved opcode; a reserved bit.
    let ping = "[\"ping\",1,{}]";
    let unmasked = [&[0x81, 13], ping.as_bytes()].concat();
    let mut reserved_bit = masked(1, ping.as_bytes());
    reserved_bit[0] |= 0x40;
    let cases = [
        (masked(1, b"[\"\xff\",1,{}]"), CloseCode::Malformed),
        (unmasked, CloseCode::WebSocketViolation),
        (masked(3, ping.as_bytes()), CloseCode::WebSocketViolation),
        (reserved_bit, CloseCode::WebSocketViolation),
    ];
    for (bytes, code) in cases {
        let mut stranger = world.dial(Encoding::Json).await;
        stranger.writes(&bytes).await;
        stranger.is_closed(code).await;
        let mut client = world.device(&ana, Encoding::Json).await;
        client.writes(&bytes).await;
        client.is_closed(code).await;
        world.device(&ana, Encoding::Json).await.pings().await;
    }
}

#[tokio::test]
async fn the_first_frame_is_one_hello() {
    let world = World::new();
    let ana = world.person("ana");
    for encoding in Encoding::ALL {
        let mut client = world.dial(encoding).await;
        client.ask(Request::Ping(Ping::default())).await;
        client.is_closed(CloseCode::HelloExpected).await;

        let mut client = world.device(&ana, encoding).await;
        client.ask(Request::Hello(hello(&ana.token))).await;
        client.is_closed(CloseCode::HelloTwice).await;

        for versions in [vec![], vec![0], vec![2, 3]] {
            let mut client = world.dial(encoding).await;
            let first = barterline_protocol::hello::Hello { versions, ..hello(&ana.token) };
            client.ask(Request::Hello(first)).await;
            client.is_closed(CloseCode::VersionUnsupported).await;
        }
        // One that is spoken here is enough.
        let mut first = hello(&ana.token);
        first.versions = vec![9, 1];
        assert_eq!(world.opening(first, encoding).await.1.welcome.version, 1);

        let mut first = hello(&ana.token);
        first.have = vec![(barterline_domain::ids::ChatId::from_bytes([1; 16]), Seq(0)); 65];
        let mut client = world.dial(encoding).await;
        client.ask(Request::Hello(first)).await;
        client.is_closed(CloseCode::Malformed).await;
    }
    let mut client = world.dial(Encoding::Json).await;
    client.says("[\"hello\",1,{}]").await;
    client.is_closed(CloseCode::Malformed).await;
}

#[tokio::test]
async fn no_hello_in_time_closes() {
    let world = World::with_setting("BARTERLINE_SOCKET__HELLO_TIMEOUT_MS", "200");
    for encoding in Encoding::ALL {
        world.dial(encoding).await.is_closed(CloseCode::HelloTimeout).await;
    }
}

#[tokio::test]
async fn frames_that_are_no_requests_are_refused_and_the_connection_stays() {
    let world = World::new();
    let (ana, _, chat) = world.chat().await;
    let mut client = world.device(&ana, Encoding::Json).await;
    let cases = [
        ("[\"teleport\",900,{}]", "request.unknown_kind"),
        ("[\"welcome\",900,{}]", "request.unknown_kind"),
        ("[\"send\",900,{}]", "request.invalid"),
        ("[\"mark\",900,{\"chat\":\"x\"}]", "request.invalid"),
        ("[\"pull\",900,{\"chat\":7}]", "request.invalid"),
        ("[\"open\",900,{\"listing\":null}]", "request.invalid"),
        ("[\"auth\",900,{\"token\":[]}]", "request.invalid"),
        ("[\"auth\",900,{\"token\":\"a\",\"token\":\"b\"}]", "request.invalid"),
    ];
    for (bytes, code) in cases {
        client.says(bytes).await;
        let answer = client.answer(900).await;
        assert!(matches!(&answer, Outgoing::Error(e) if e.code == code), "{bytes}: {answer:?}");
    }
    let mut client = world.device(&ana, Encoding::MsgPack).await;
    let cases: [(&[u8], _); 3] = [
        (b"\x93\xa8teleport\x63\x80", "request.unknown_kind"),
        (b"\x93\xa4send\x63\x80", "request.invalid"),
        (b"\x93\xa4open\x63\x81\xa7listing\xc4\x01x", "request.invalid"),
    ];
    for (bytes, code) in cases {
        client.says(bytes).await;
        let answer = client.answer(99).await;
        assert!(matches!(&answer, Outgoing::Error(e) if e.code == code), "{bytes:?}: {answer:?}");
    }
    assert_eq!(client.tells(chat, "still here").await, 1);
}

async fn is_not_said(client: &mut Client, send: Send, code: &'static str) {
    let (chat, id) = (send.chat, send.id);
    let error = client.is_refused(Request::Send(send), code).await;
    assert_eq!((error.chat, error.id), (Some(chat), Some(id)));
}

#[tokio::test]
async fn texts_that_cannot_be_said_and_numbers_of_the_future() {
    let world = World::new();
    let (ana, _, chat) = world.chat().await;
    for encoding in Encoding::ALL {
        let mut client = world.device(&ana, encoding).await;
        let head = client.tells(chat, &"ü".repeat(4000)).await;
        for (words, code) in [
            ("", "text.empty"),
            (" \n\t\u{2003}", "text.empty"),
            (&*"x".repeat(4001), "text.too_long"),
            ("a\0b", "text.control"),
            ("a\u{1b}[31m", "text.control"),
            ("a\u{85}b", "text.control"),
        ] {
            is_not_said(&mut client, text(chat, head, words), code).await;
        }
        let none = Send { text: None, ..text(chat, head, "") };
        is_not_said(&mut client, none, "text.empty").await;
        let offer = Send { kind: "offer".to_owned(), ..text(chat, head, "x") };
        is_not_said(&mut client, offer, "kind.unsupported").await;

        let ahead = Request::Send(text(chat, head + 1, "x"));
        assert_eq!(client.is_refused(ahead, "seq.ahead").await.head, Some(Seq(head)));
        let delivered = Mark { chat, delivered: Some(Seq(head + 1)), read: None };
        let read = Mark { chat, delivered: None, read: Some(Seq(head + 1)) };
        for mark in [delivered, read] {
            let error = client.is_refused(Request::Mark(mark), "seq.ahead").await;
            assert_eq!((error.chat, error.head), (Some(chat), Some(Seq(head))));
        }
        // Nothing of it was kept, and nothing is held back.
        let newest = Pull { chat, after: None, before: None, limit: None };
        assert_eq!(client.pulls(newest).await.head, Seq(head));
        assert_eq!(client.tells(chat, "after all").await, head + 1);
    }
}

#[tokio::test]
async fn nothing_is_heard_after_a_close_frame() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    for encoding in Encoding::ALL {
        let mut client = world.device(&ana, encoding).await;
        let mut late = Vec::new();
        encoding.encode(Some(9), &Request::Send(text(chat, 0, "late")), &mut late);
        let opcode = if encoding == Encoding::Json { 1 } else { 2 };
        let length = u16::try_from(late.len()).expect("a short frame").to_be_bytes();
        // A close frame and, in the same breath, a message.
        let mut bytes = masked(8, &1000_u16.to_be_bytes());
        bytes.extend([0x80 | opcode, 0xfe, length[0], length[1], 0, 0, 0, 0]);
        bytes.extend(late);
        client.writes(&bytes).await;
        client.ends().await;
        let newest = Pull { chat, after: None, before: None, limit: None };
        assert_eq!(world.device(&bob, encoding).await.pulls(newest).await.head, Seq(0));
    }
}

#[tokio::test]
async fn upgrades_that_cannot_be_are_answered_in_http() {
    let world = World::new();
    let upgrade = || {
        Call::new("GET", "/v1/socket")
            .header("upgrade", "websocket")
            .header("connection", "Upgrade")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
    };
    let version = || upgrade().header("sec-websocket-version", "13");
    world.call(version()).problem(400, "socket.subprotocol_required");
    let unknown = version().header("sec-websocket-protocol", "barterline.v9, chat");
    world.call(unknown).problem(400, "socket.subprotocol_required");
    let old = upgrade().header("sec-websocket-version", "8");
    let old = old.header("sec-websocket-protocol", "barterline.v1");
    world.call(old).problem(426, "socket.version_unsupported");
    world.get("/v1/socket").problem(426, "socket.upgrade_required");
}
