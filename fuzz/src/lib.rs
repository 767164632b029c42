//! What the fuzz targets share: good bytes to start from, and scripts that damage them.
//!
//! A target lives in `tests/` and runs for a moment with random input in `cargo test`. For longer,
//! guided by coverage:
//!
//! ```text
//! cargo install cargo-bolero
//! cargo bolero test --package barterline-fuzz msgpack_request --sanitizer NONE -T 10m
//! ```
//!
//! or without any tool, random input only:
//!
//! ```text
//! BOLERO_RANDOM_TEST_TIME_MS=600000 cargo test --package barterline-fuzz msgpack_request
//! ```
//!
//! A failure prints its input; once shrunken it becomes a vector in `protocol/vectors/invalid.json`.
//!
//! To add a decoder: one more function in `tests/`, its seeds here; a stored kind gets its seed by its
//! line in `storage/golden/records.txt`.

use std::fmt::Debug;

use barterline::auth::keyring::Keyring;
use barterline::auth::principal::Principal;
use barterline::auth::token::{LIFETIME, Tokens};
use barterline::listener::client::{ClientAddress, Proxies, ToldBy};
use barterline::listener::proxy;
use barterline_domain::account::AccountRole;
use barterline_domain::bearer::Proof;
use barterline_domain::clock::Timestamp;
use barterline_domain::event::Seq;
use barterline_domain::ids::{ChatId, SessionId, UserId};
use barterline_domain::listing::Listing;
use barterline_domain::media::Media;
use barterline_domain::message::RequestDigest;
use barterline_media::{Kind, re_encode};
use barterline_protocol::frame::Message;
use barterline_protocol::{Encoding, Frame};
use barterline_storage::accounts::Account;
use barterline_storage::api_keys::KeyRing;
use barterline_storage::audit::AuditEntry;
use barterline_storage::codes::Code;
use barterline_storage::conformance::samples;
use barterline_storage::credentials::Credential;
use barterline_storage::embedded::log::group::{
    GROUP_HEADER_BYTES, HighWater, Link, SEGMENT_HEADER_BYTES, SegmentHeader, find, find_later,
    seal,
};
use barterline_storage::identities::IdentityRing;
use barterline_storage::record::archive::{put_frame, read_frame, read_header};
use barterline_storage::record::chat_log::{
    RECORD_HEADER_BYTES, Record, erase_record, put_chat, put_event, put_imported_side, put_mark,
    put_personal, read_record,
};
use barterline_storage::record::chat_rows::{chat_bytes, event_bytes, read_chat, read_event};
use barterline_storage::record::index::{indexed_chat_bytes, read_indexed_chat};
use barterline_storage::record::rows::Row;
use barterline_storage::record::sealing::{Sealing, Unread};
use barterline_storage::reports::Report;
use barterline_storage::saved_searches::SavedSearch;
use barterline_storage::sessions::Session;
use barterline_storage::user_state::UserState;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt as _;
use hyper::HeaderMap;
use hyper::header::{FORWARDED, HeaderName, HeaderValue};
use serde_json::Value;

/// Good frames of one direction in one encoding.
pub struct Seeds {
    encoding: Encoding,
    frames: Vec<Vec<u8>>,
}

impl Seeds {
    /// The golden frames that clients send.
    pub fn of_clients(encoding: Encoding) -> Self {
        Self::of(encoding, include_str!("../../protocol/vectors/client.json"))
    }

    /// The golden frames that servers send.
    pub fn of_servers(encoding: Encoding) -> Self {
        Self::of(encoding, include_str!("../../protocol/vectors/server.json"))
    }

    fn of(encoding: Encoding, vectors: &str) -> Self {
        let vectors: Vec<Value> = serde_json::from_str(vectors).unwrap_or_default();
        let bytes_of = |vector: &Value| match encoding {
            Encoding::Json => vector["json"].to_string().into_bytes(),
            Encoding::MsgPack => unhex(vector["msgpack"].as_str().unwrap_or_default()),
        };
        let frames: Vec<_> = vectors.iter().map(bytes_of).collect();
        assert!(!frames.is_empty(), "the golden frames are seeds");
        Self { encoding, frames }
    }

    /// Feeds `input` to the decoder twice: as it is, and as a script that damages a seed. What
    /// decodes must come back from its own encoding.
    pub fn feed<M: Message + PartialEq + Debug>(&self, input: &[u8]) {
        self.check::<M>(input);
        self.check::<M>(&damaged(&self.frames, input));
    }

    fn check<M: Message + PartialEq + Debug>(&self, bytes: &[u8]) {
        let Ok(frame) = self.encoding.decode::<M>(bytes) else {
            return;
        };
        for encoding in Encoding::ALL {
            let mut out = Vec::new();
            encoding.encode(frame.reference, &frame.message, &mut out);
            let again: Result<Frame<M>, _> = encoding.decode(&out);
            assert_eq!(again.as_ref(), Ok(&frame), "{encoding:?} brings back what it was given");
        }
    }
}

/// Stored bytes of every kind.
pub struct Stored(Vec<Vec<u8>>);

impl Stored {
    /// The golden ones.
    pub fn golden() -> Self {
        let lines = include_str!("../../storage/golden/records.txt").lines();
        Self(lines.filter_map(|line| Some(unhex(line.split_once(' ')?.1))).collect())
    }

    /// Feeds `input` to every decoder of stored bytes: as it is, and as a script that damages a
    /// seed, with a checksum that holds (what a disk damages, the checksum finds; what a bug wrote,
    /// only the decoder can).
    pub fn feed(&self, input: &[u8]) {
        for mut bytes in [input.to_vec(), damaged(&self.0, input)] {
            decode_stored(&bytes);
            if let Some((header, body)) = bytes.split_at_mut_checked(RECORD_HEADER_BYTES) {
                header[..4].copy_from_slice(&(body.len() as u32).to_le_bytes());
                header[4..].copy_from_slice(&crc32c::crc32c(body).to_le_bytes());
                decode_stored(&bytes);
            }
        }
    }
}

/// What is read is written to the same bytes or, where the encoding allows several, to the same
/// value.
fn decode_stored(bytes: &[u8]) {
    let plain = Sealing::default();
    if let Ok(record) = read_record(bytes, &plain) {
        let mut out = Vec::new();
        match &record {
            Record::Chat(chat) => put_chat(&mut out, chat),
            Record::Event { chat, event, back, salt } => {
                put_event(&mut out, (*chat, event), (*back, *salt), None);
            }
            Record::Mark(mark) => put_mark(&mut out, mark),
            Record::Personal(change) => put_personal(&mut out, change),
            Record::Side(side) => put_imported_side(&mut out, side),
        }
        match &record {
            Record::Event { event, .. } if out != bytes => {
                assert_eq!(event.digest, RequestDigest::FORGOTTEN, "a record has one form");
                assert_eq!(read_record(&out, &plain), Ok(record), "without words it has another");
            }
            Record::Event { event, .. } => {
                let mut emptied = event.clone();
                emptied.empty();
                if erase_record(&mut out) == Ok(true) {
                    let Ok(Record::Event { event, .. }) = read_record(&out, &plain) else {
                        panic!("no event is left")
                    };
                    assert_eq!(event, emptied, "its words alone are overwritten");
                }
            }
            _ => assert_eq!(out, bytes, "a record has one form"),
        }
    }
    if let Ok(row) = read_indexed_chat(bytes) {
        assert_eq!(indexed_chat_bytes(&row), bytes, "an index row has one form");
    }
    let chat = plain.in_chat(ChatId::from_bytes([7; 16]));
    if let Ok(event) = read_event(Seq(7), bytes, chat) {
        assert_eq!(event_bytes(&event, chat), bytes, "an event's cell has one form");
        let sealing = samples::sealing(true);
        let sealed = event_bytes(&event, sealing.in_chat(chat.chat));
        let opened = read_event(Seq(7), &sealed, sealing.in_chat(chat.chat));
        assert_eq!(opened.as_ref(), Ok(&event), "what is sealed opens");
        if sealed != bytes {
            let elsewhere = sealing.in_chat(ChatId::from_bytes([8; 16]));
            assert_eq!(read_event(Seq(7), &sealed, elsewhere), Err(Unread::Malformed));
            assert_eq!(
                read_event(Seq(8), &sealed, sealing.in_chat(chat.chat)),
                Err(Unread::Malformed)
            );
            assert_eq!(read_event(Seq(7), &sealed, chat), Err(Unread::Sealed));
        }
    }
    // Whatever it is, nobody falls over it.
    let _ = read_event(Seq(7), bytes, samples::sealing(true).in_chat(chat.chat));
    let _ = read_record(bytes, &Sealing::without_words());
    if let Ok(chat) = read_chat(bytes) {
        assert_eq!(chat_bytes(&chat), bytes, "a chat's cell has one form");
    }
    if let Some((header, body)) = bytes.split_first_chunk()
        && let Ok((_, crc)) = read_header(*header)
        && let Ok(frame) = read_frame(body, crc, chat)
    {
        let mut out = Vec::new();
        put_frame(&mut out, &frame, chat);
        let (header, body) = out.split_first_chunk().expect("a frame has a header");
        let (_, crc) = read_header(*header).expect("a header that was written");
        assert_eq!(read_frame(body, crc, chat), Ok(frame), "a frame brings back what it was given");
    }
    row::<Listing>(bytes);
    row::<Media>(bytes);
    row::<SavedSearch>(bytes);
    row::<Session>(bytes);
    row::<Account>(bytes);
    row::<Report>(bytes);
    row::<UserState>(bytes);
    row::<AuditEntry>(bytes);
    row::<Code>(bytes);
    row::<KeyRing>(bytes);
    row::<IdentityRing>(bytes);
    row::<Credential>(bytes);
}

fn row<T: Row + PartialEq + Debug>(bytes: &[u8]) {
    if let Ok(row) = T::from_bytes(bytes) {
        assert_eq!(T::from_bytes(&row.to_bytes()), Ok(row), "a row brings back what it was given");
    }
}

/// Headers of the embedded log: of a segment and of groups, and the high-water mark.
pub struct LogHeaders(Vec<Vec<u8>>);

impl LogHeaders {
    /// One of each, and two groups that follow each other.
    pub fn sound() -> Self {
        let segment = SegmentHeader { start: 3 << 25, bytes: 1 << 25, epoch: 2 };
        let mark = HighWater { position: 3 << 25, number: 9 };
        let (first, link) = sealed(b"records", Link { number: 9, crc: 7 });
        let (second, _) = sealed(b"", link);
        let both = [first.clone(), second].concat();
        Self(vec![segment.to_bytes(), mark.to_bytes(), first, both])
    }

    /// Feeds `input` to every reader of headers: as it is, as a script that damages a seed, both
    /// again with checksums that hold, and as the records of a group.
    pub fn feed(&self, input: &[u8]) {
        for bytes in [input.to_vec(), damaged(&self.0, input)] {
            read_headers(&bytes);
            for body in [SEGMENT_HEADER_BYTES as usize - 4, MARK_BODY_BYTES] {
                read_headers(&with_checksum_at(body, &bytes));
            }
            read_headers(&with_group_checksum(&bytes));
        }
        let previous = Link { number: input.len() as u64, crc: crc32c::crc32c(input) };
        let (group, link) = sealed(input, previous);
        let found = find(&group).expect("what was sealed is found");
        assert_eq!((found.link, found.previous_crc), (link, previous.crc));
        assert_eq!(found.payload, input);
    }
}

/// Position and number.
const MARK_BODY_BYTES: usize = 16;

fn sealed(records: &[u8], previous: Link) -> (Vec<u8>, Link) {
    let mut bytes = [&[0; GROUP_HEADER_BYTES], records].concat();
    let link = seal(&mut bytes, previous);
    (bytes, link)
}

/// What is read is written to bytes that read the same, and is never longer than what there was.
fn read_headers(bytes: &[u8]) {
    if let Ok(header) = SegmentHeader::read(bytes) {
        assert_eq!(SegmentHeader::read(&header.to_bytes()), Ok(header));
    }
    let mark = HighWater::read(bytes);
    assert_eq!(HighWater::read(&mark.to_bytes()), mark);
    if let Some(group) = find(bytes) {
        assert!(group.payload.len() <= bytes.len() - GROUP_HEADER_BYTES);
    }
    for (from, number) in [(0, 0), (1, 9), (bytes.len(), 1), (bytes.len() + 1, 0)] {
        if let Some(at) = find_later(bytes, from, number) {
            let later = find(&bytes[at..]).expect("a later group is a group");
            assert!(at >= from && later.link.number >= number);
        }
    }
}

/// The bytes with the checksum of the first `body` of them behind those.
fn with_checksum_at(body: usize, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.resize(bytes.len().max(body + 4), 0);
    let crc = crc32c::crc32c(&bytes[..body]);
    bytes[body..body + 4].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// The bytes as a group whose length and checksum hold.
fn with_group_checksum(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.resize(bytes.len().max(GROUP_HEADER_BYTES), 0);
    let payload = (bytes.len() - GROUP_HEADER_BYTES) as u32;
    bytes[4..8].copy_from_slice(&payload.to_le_bytes());
    let body = GROUP_HEADER_BYTES - 4;
    let crc = crc32c::crc32c(&bytes[..body]);
    let crc = crc32c::crc32c_append(crc, &bytes[GROUP_HEADER_BYTES..]);
    bytes[body..GROUP_HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// What proxies say of whom they speak for.
pub struct Introductions(Vec<Vec<u8>>);

impl Introductions {
    /// Sound ones, in headers of HTTP and of the PROXY protocol.
    pub fn sound() -> Self {
        let mut v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
        v2.extend([192, 0, 2, 1, 203, 0, 113, 1, 0x12, 0x34, 1, 0xbb]);
        let seeds: [&[u8]; 5] = [
            b"PROXY TCP4 192.0.2.1 203.0.113.1 4711 443\r\n",
            b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n",
            &v2,
            b"for=\"[2001:db8:cafe::17]:4711\";proto=https, for=198.51.100.17;by=\"a\\\"b\"",
            b"1.1.1.1, 10.0.0.2, [2001:db8::1]:4711",
        ];
        Self(seeds.map(<[u8]>::to_vec).to_vec())
    }

    /// Feeds `input`, as it is and as a script that damages a seed, to whatever reads introductions.
    /// Nobody's own words move what a proxy wrote behind them.
    pub fn feed(&self, input: &[u8]) {
        for bytes in [input.to_vec(), damaged(&self.0, input)] {
            // All bytes are there: it never waits.
            let _ = proxy::read(&mut bytes.as_slice()).now_or_never().expect("an end");
            check_headers(&bytes);
        }
    }
}

fn check_headers(bytes: &[u8]) {
    let Ok(words) = HeaderValue::from_bytes(bytes) else { return };
    let trusted = ["10.0.0.0/8".parse().expect("a network")];
    let address =
        |text: &str| ClientAddress { ip: text.parse().expect("an address"), https: false };
    let x_forwarded_for = HeaderName::from_static("x-forwarded-for");
    for (told_by, name, written) in [
        (ToldBy::XForwarded, x_forwarded_for, "192.0.2.1"),
        (ToldBy::Forwarded, FORWARDED, "for=192.0.2.1"),
    ] {
        let proxies = Proxies::new(&trusted, told_by, false);
        let mut headers = HeaderMap::new();
        headers.append(&name, words.clone());
        let stranger = address("192.0.2.9");
        assert_eq!(proxies.client(stranger, &headers), stranger);
        // A proxy that writes behind them, on the same line.
        let both = [bytes, b", ", written.as_bytes()].concat();
        headers.insert(&name, HeaderValue::from_bytes(&both).expect("sound parts"));
        let client = proxies.client(address("10.0.0.1"), &headers).ip;
        assert!([address("192.0.2.1").ip, address("10.0.0.1").ip].contains(&client), "{client}");
        // On a line of its own.
        headers.insert(&name, words.clone());
        headers.append(&name, HeaderValue::from_static(written));
        assert_eq!(proxies.client(address("10.0.0.1"), &headers), address("192.0.2.1"));
    }
}

/// Pictures as people upload them.
pub struct Pictures(Vec<Vec<u8>>);

/// More are not decoded.
const PIXELS_MAX: u64 = 4_096;

impl Pictures {
    /// Small ones, of each format.
    pub fn small() -> Self {
        let gif = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff\
            !\xf9\x04\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0;";
        let opaque = "89504e470d0a1a0a0000000d4948445200000008000000080802000000\
            4b6d29dc0000002f4944415478da63f8cfc0004728005542018150251c1008552201815025\
            1a100855620102a14a1c40205489077004005d582de1f45b7eef0000000049454e44ae426082";
        let sheer = "89504e470d0a1a0a0000000d49484452000000080000000808060000\
            00c40fbe8b0000001c4944415478da6338c1c0c08082935131037d14fc47c1c9a8980e0a00\
            23005e41d0a22bc40000000049454e44ae426082";
        let mut seeds = vec![gif.to_vec(), unhex(opaque), unhex(sheer)];
        // A JPEG, and two WebP.
        let made = seeds.iter().flat_map(|seed| {
            let kind = Kind::of(seed).expect("a kind");
            re_encode(seed, kind, PIXELS_MAX).expect("a sound picture")
        });
        let made: Vec<_> = made.map(|encoded| encoded.bytes).collect();
        seeds.extend(made);
        Self(seeds)
    }

    /// Feeds `input`, as it is and as a script that damages a seed, to whatever makes pictures anew. What
    /// comes out is what it says, and can be made anew in its turn.
    pub fn feed(&self, input: &[u8]) {
        for bytes in [input.to_vec(), damaged(&self.0, input)] {
            let Some(kind) = Kind::of(&bytes) else { continue };
            for encoded in re_encode(&bytes, kind, PIXELS_MAX).unwrap_or_default() {
                let kind = Kind::of(&encoded.bytes).expect("a kind");
                assert_eq!(kind.media_type(), encoded.media_type);
                assert!(encoded.width.max(encoded.height) <= encoded.size.side_max());
                let again = re_encode(&encoded.bytes, kind, PIXELS_MAX).expect("a sound picture");
                assert_eq!((again[0].width, again[0].height), (encoded.width, encoded.height));
            }
        }
    }
}

/// An access token, and the keys that it was signed with.
pub struct Signed {
    tokens: Tokens,
    principal: Principal,
    good: String,
    footer: Vec<u8>,
}

impl Signed {
    /// A token under fresh keys.
    pub fn fresh() -> Self {
        let tokens = Tokens::new(Keyring::generate());
        let (user, session) = (UserId::from_bytes([1; 16]), SessionId::from_bytes([2; 16]));
        let roles = vec![AccountRole::User];
        let (good, expires_at) = tokens.issue(user, session, &roles, NOW, LIFETIME);
        let footer = good.rsplit('.').next().unwrap_or_default();
        let footer = URL_SAFE_NO_PAD.decode(footer).expect("a footer");
        let signed = Self {
            tokens,
            principal: Principal { user, proof: Proof::Session(session), roles, expires_at },
            good,
            footer,
        };
        assert_eq!(signed.tokens.verify(&signed.good, NOW).as_ref(), Ok(&signed.principal));
        signed
    }

    /// Feeds `input` to the check of tokens: as a token, as a script that damages a good one, and
    /// as its footer or a script that damages that. Whatever is taken says what was signed.
    pub fn feed(&self, input: &[u8]) {
        let seeds = [self.good.clone().into_bytes()];
        for token in [input.to_vec(), damaged(&seeds, input)] {
            self.check(&String::from_utf8_lossy(&token));
        }
        let (body, _) = self.good.rsplit_once('.').expect("a footer");
        let seeds = [self.footer.clone()];
        for footer in [input.to_vec(), damaged(&seeds, input)] {
            self.check(&format!("{body}.{}", URL_SAFE_NO_PAD.encode(footer)));
        }
    }

    fn check(&self, token: &str) {
        if let Ok(principal) = self.tokens.verify(token, NOW) {
            assert_eq!(principal, self.principal, "{token}");
        }
    }
}

/// When tokens are issued and checked.
const NOW: Timestamp = Timestamp::from_millis(1_000_000);

/// A seed after the steps of a script: its first byte chooses the seed, each three more are one
/// step (what, where, with which byte).
fn damaged(seeds: &[Vec<u8>], script: &[u8]) -> Vec<u8> {
    let Some((which, steps)) = script.split_first() else {
        return Vec::new();
    };
    let mut bytes = seeds[usize::from(*which) % seeds.len()].clone();
    // Few steps: what is damaged all over is refused at its first byte.
    for step in steps.chunks_exact(3).take(8) {
        let at = usize::from(step[1]) * bytes.len() / 256;
        match step[0] % 5 {
            0 if at < bytes.len() => bytes[at] = step[2],
            1 => bytes.insert(at, step[2]),
            2 => bytes.truncate(at),
            3 if at < bytes.len() => bytes[at] ^= 1 << (step[2] % 8),
            _ => {
                let end = (at + usize::from(step[2])).min(bytes.len());
                bytes.extend_from_within(at..end);
            }
        }
    }
    bytes
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or_default() as u8;
    text.as_bytes().chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}
