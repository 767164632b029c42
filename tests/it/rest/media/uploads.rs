//! /v1/uploads: files in parts, by tus 1.0.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use barterline_domain::ids::ChatId;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{
    PATIENCE, PDF, announced, brought, content, create, id_of, is_made_anew, put, put_call, read,
    send, state, until,
};
use crate::support::pictures::photo;
use crate::support::{Answer, Call, Person, World};

const VERSION: (&str, &str) = ("tus-resumable", "1.0.0");

fn tus(method: &str, person: &Person, path: &str) -> Call {
    Call::new(method, path).token(&person.token).header(VERSION.0, VERSION.1)
}

fn metadata(chat: ChatId, name: &str) -> String {
    let chat = STANDARD.encode(chat.to_string());
    format!("chat {chat},filename {}", STANDARD.encode(name))
}

fn begin(world: &World, person: &Person, chat: ChatId, size: usize) -> Answer {
    let call = tus("POST", person, "/v1/uploads").header("upload-length", &size.to_string());
    world.call(call.header("upload-metadata", &metadata(chat, "papers.pdf")))
}

/// Announces a file; gives its path and its id.
fn begun(world: &World, person: &Person, chat: ChatId, size: usize) -> (String, String) {
    let answer = begin(world, person, chat, size).expect(201);
    assert_eq!(answer.headers["tus-resumable"], "1.0.0");
    let path = answer.headers["location"].clone();
    let id = path.strip_prefix("/v1/uploads/").expect("a path of uploads").to_owned();
    (path, id)
}

fn patch(person: &Person, path: &str, offset: usize, bytes: &[u8]) -> Call {
    let call = tus("PATCH", person, path).header("upload-offset", &offset.to_string());
    call.header("content-type", "application/offset+octet-stream").body(bytes)
}

/// How far a file has come, and how far it is to come.
fn offset(world: &World, person: &Person, path: &str) -> (usize, usize) {
    let answer = world.call(tus("HEAD", person, path)).expect(200);
    assert_eq!((&*answer.headers["cache-control"], answer.bytes.len()), ("no-store", 0));
    let number = |name: &str| answer.headers[name].parse().expect("a number");
    (number("upload-offset"), number("upload-length"))
}

/// Sends a request up to so many bytes of its body, and is gone.
fn breaks_off(world: &World, call: Call, sent: usize) {
    let bytes = call.into_bytes(world.listening);
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let mut stream = TcpStream::connect(world.listening).expect("the server listens");
    stream.write_all(&bytes[..head + sent]).expect("a part");
}

/// The answer to a request when the one before it is over: until the server knows that nobody is there any
/// more, it is under way.
async fn settled(world: &World, call: impl Fn() -> Call) -> Answer {
    let patience = Instant::now() + PATIENCE;
    loop {
        let answer = world.call(call());
        if !answer.body.contains("\"media.underway\"") {
            return answer;
        }
        assert!(Instant::now() < patience, "still under way");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Pages of so many bytes.
fn pages(size: usize) -> Vec<u8> {
    let mut pages = PDF.to_vec();
    pages.extend((PDF.len()..size).map(|n| (n % 251) as u8));
    pages
}

#[tokio::test]
async fn a_file_comes_in_parts_and_is_looked_at_with_the_last() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let pages = pages(300_000);
    let (path, media) = begun(&world, &ana, chat, pages.len());
    assert_eq!(offset(&world, &ana, &path), (0, 300_000));
    for (from, to) in [(0, 100_000), (100_000, 100_001), (100_001, 300_000)] {
        assert_eq!(state(&world, &ana, &media), "waiting");
        let answer = world.call(patch(&ana, &path, from, &pages[from..to])).expect(204);
        assert_eq!(answer.headers["upload-offset"], to.to_string());
        assert_eq!(answer.headers["tus-resumable"], "1.0.0");
        assert_eq!(offset(&world, &ana, &path), (to, 300_000));
    }
    until("the file to be ready", || state(&world, &ana, &media) == "ready").await;
    assert_eq!(read(&world, &ana, &media).expect(200).json()["name"], "papers.pdf");
    send(&world, &ana, chat, &media).expect(201);
    assert_eq!(content(&world, &bob, &media, "").expect(200).bytes, pages);
    world.call(patch(&ana, &path, 300_000, b"more")).problem(409, "media.complete");
}

#[tokio::test]
async fn an_upload_that_breaks_off_goes_on_where_it_stopped_also_after_a_crash() {
    let world = World::new();
    let (ana, _, chat) = world.chat().await;
    let pages = pages(500_000);
    let (path, media) = begun(&world, &ana, chat, pages.len());
    breaks_off(&world, patch(&ana, &path, 0, &pages), 200_000);
    until("what came to be kept", || offset(&world, &ana, &path).0 > 0).await;
    let came = offset(&world, &ana, &path).0;
    assert!(came <= 200_000, "{came}");
    // Not where it stopped.
    for wrong in [0, came + 1] {
        let answer = settled(&world, || patch(&ana, &path, wrong, &pages[wrong..])).await;
        answer.problem(409, "media.offset");
    }
    world.call(patch(&ana, &path, came, &pages[came..300_000])).expect(204);
    let world = world.crash();
    assert_eq!(offset(&world, &ana, &path), (300_000, 500_000));
    world.call(patch(&ana, &path, 300_000, &pages[300_000..])).expect(204);
    until("the file to be ready", || state(&world, &ana, &media) == "ready").await;
    let world = world.crash();
    assert_eq!(content(&world, &ana, &media, "").expect(200).bytes, pages);
}

#[tokio::test]
async fn of_a_whole_upload_that_breaks_off_nothing_is_kept() {
    let world = World::new();
    let (ana, _, chat) = world.chat().await;
    let pages = pages(400_000);
    let media = announced(&world, &ana, chat, "papers.pdf", pages.len());
    breaks_off(&world, put_call(&ana, &media, &pages), 150_000);
    let short = settled(&world, || put_call(&ana, &media, &pages[..9])).await;
    short.problem(409, "media.incomplete");
    put(&world, &ana, &media, &[&pages[..], b"x"].concat()).problem(413, "media.too_large");
    assert_eq!(state(&world, &ana, &media), "waiting");
    let complete = Call::new("POST", &format!("/v1/media/{media}/complete")).token(&ana.token);
    world.call(complete).problem(409, "media.incomplete");
    brought(&world, &ana, &media, &pages).await;
    assert_eq!(content(&world, &ana, &media, "").expect(200).bytes, pages);
}

/// What is told of an upload.
fn said(world: &World, person: &Person, path: &str) -> BTreeMap<String, String> {
    let answer = world.call(tus("HEAD", person, path)).expect(200);
    let pairs = answer.headers["upload-metadata"].split(',').map(|pair| {
        let (name, value) = pair.trim().split_once(' ').expect("a name and a value");
        let value = STANDARD.decode(value).expect("Base64");
        (name.to_owned(), String::from_utf8(value).expect("text"))
    });
    pairs.collect()
}

#[tokio::test]
async fn photos_and_pictures_come_in_parts_as_well() {
    let world = World::new();
    let ana = world.person("ana");
    let bytes = photo(400, 300);
    for purpose in ["listing", "avatar"] {
        let pairs = [("filename", "bike.jpg"), ("purpose", purpose)];
        let pairs = pairs.map(|(name, value)| format!("{name} {}", STANDARD.encode(value)));
        let call = tus("POST", &ana, "/v1/uploads").header("upload-metadata", &pairs.join(","));
        let call = call.header("upload-length", &bytes.len().to_string());
        let path = world.call(call).expect(201).headers["location"].clone();
        let media = path.strip_prefix("/v1/uploads/").expect("a path of uploads");
        let expected = [("filename", "bike.jpg"), ("purpose", purpose)];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(said(&world, &ana, &path), BTreeMap::from(expected));
        for (from, to) in [(0, 1_000), (1_000, bytes.len())] {
            world.call(patch(&ana, &path, from, &bytes[from..to])).expect(204);
        }
        until("the picture to be ready", || state(&world, &ana, media) == "ready").await;
        assert_eq!(read(&world, &ana, media).expect(200).json()["purpose"], purpose);
        is_made_anew(&world, &ana, media, &[("full", 300, 400), ("thumb", 240, 320)]);
    }
}

#[tokio::test]
async fn who_goes_on_is_told_what_was_said_of_a_file() {
    let world = World::new();
    let (ana, _, chat) = world.chat().await;
    let (path, media) = begun(&world, &ana, chat, PDF.len());
    let said = || said(&world, &ana, &path);
    let expected = [("chat", chat.to_string()), ("filename", "papers.pdf".to_owned())];
    let expected = BTreeMap::from(expected.map(|(name, value)| (name.to_owned(), value)));
    assert_eq!(said(), expected);
    // Also when it is whole.
    world.call(patch(&ana, &path, 0, PDF)).expect(204);
    until("the file to be ready", || state(&world, &ana, &media) == "ready").await;
    assert_eq!(said(), expected);
}

#[tokio::test]
async fn tus_is_spoken_in_one_version_and_says_so() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let answer = world.call(Call::new("OPTIONS", "/v1/uploads")).expect(204);
    assert_eq!(answer.headers["tus-version"], "1.0.0");
    assert_eq!(answer.headers["tus-resumable"], "1.0.0");
    assert_eq!(answer.headers["tus-extension"], "creation,termination");
    assert_eq!(answer.headers["tus-max-size"], (100 * 1_024 * 1_024).to_string());

    let (path, media) = begun(&world, &ana, chat, PDF.len());
    for version in [None, Some("0.2.2"), Some("1.0")] {
        let mut call = Call::new("DELETE", &path).token(&ana.token);
        if let Some(version) = version {
            call = call.header("tus-resumable", version);
        }
        let answer = world.call(call);
        assert_eq!(answer.headers["tus-version"], "1.0.0");
        answer.problem(412, "upload.version_unsupported");
    }
    let part = || tus("PATCH", &ana, &path).header("upload-offset", "0");
    let json = part().header("content-type", "application/json").body(PDF);
    world.call(json).problem(415, "request.media_type");
    world.call(part().body(PDF)).problem(415, "request.media_type");
    let typed =
        || tus("PATCH", &ana, &path).header("content-type", "application/offset+octet-stream");
    world.call(typed().body(PDF)).problem(400, "request.invalid");
    for wrong in ["-1", "0x10", "", "99999999999999999999"] {
        let call = typed().header("upload-offset", wrong).body(PDF);
        world.call(call).problem(400, "request.invalid");
    }
    let longer = [PDF, b"more than was announced"].concat();
    world.call(patch(&ana, &path, 0, &longer)).problem(413, "media.too_large");
    assert_eq!(offset(&world, &ana, &path).1, PDF.len());
    world.call(patch(&bob, &path, 0, PDF)).problem(404, "media.not_found");
    world.call(tus("DELETE", &ana, &path)).expect(204);
    read(&world, &ana, &media).problem(404, "media.not_found");
    assert_eq!(world.call(tus("HEAD", &ana, &path)).status, 404);
}

#[tokio::test]
async fn what_is_announced_by_tus_is_sound_or_refused() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let eve = world.person("eve");
    begin(&world, &eve, chat, 9).problem(404, "chat.not_found");
    begin(&world, &bob, chat, 0).problem(400, "request.invalid");
    begin(&world, &bob, chat, 101 * 1_024 * 1_024).problem(413, "media.too_large");
    let announce = |length: Option<&str>, metadata: Option<&str>| {
        let mut call = tus("POST", &ana, "/v1/uploads");
        for (name, value) in [("upload-length", length), ("upload-metadata", metadata)] {
            if let Some(value) = value {
                call = call.header(name, value);
            }
        }
        world.call(call)
    };
    let sound = metadata(chat, "papers.pdf");
    let only_name = format!("filename {}", STANDARD.encode("papers.pdf"));
    for (length, metadata) in [
        (None, Some(&*sound)),
        (Some("x"), Some(&*sound)),
        (Some("-5"), Some(&*sound)),
        (Some("9"), None),
        (Some("9"), Some("")),
        (Some("9"), Some(&*only_name)),
        (Some("9"), Some("chat !!!")),
        (Some("9"), Some("chat eA==")),
        (Some("9"), Some(&*format!("{sound},purpose {}", STANDARD.encode("listing")))),
        (Some("9"), Some(&*format!("{sound},purpose {}", STANDARD.encode("gift")))),
    ] {
        announce(length, metadata).problem(400, "request.invalid");
    }
    // Longer by and by is nothing that is spoken.
    let call = tus("POST", &ana, "/v1/uploads").header("upload-defer-length", "1");
    world.call(call.header("upload-metadata", &sound)).problem(400, "request.invalid");
    let call = Call::new("POST", "/v1/uploads").header("tus-resumable", "1.0.0");
    world.call(call.header("upload-length", "9")).problem(401, "token.invalid");
    announce(Some("9"), Some(&sound)).expect(201);
}

#[tokio::test]
async fn a_file_is_brought_by_one_request_at_a_time() {
    let world = World::new();
    let (ana, _, chat) = world.chat().await;
    let pages = pages(200_000);
    let (path, media) = begun(&world, &ana, chat, pages.len());
    let copies: Vec<_> = (0..6).map(|_| world.begin(patch(&ana, &path, 0, &pages))).collect();
    let answers = copies.into_iter().map(|copy| copy.join().expect("an answer"));
    let (taken, others): (Vec<_>, Vec<_>) = answers.partition(|answer| answer.status == 204);
    assert_eq!(taken.len(), 1, "{others:?}");
    for other in others {
        assert_eq!(other.status, 409, "{}", other.body);
    }
    until("the file to be ready", || state(&world, &ana, &media) == "ready").await;
    assert_eq!(content(&world, &ana, &media, "").expect(200).bytes, pages);
}

#[tokio::test]
async fn pages_that_are_listed_may_upload_in_parts() {
    const SHOP: &str = "https://shop.example";
    let world = World::with_setting("BARTERLINE_SERVER__ORIGINS", SHOP);
    let (ana, _, chat) = world.chat().await;
    let asked =
        "authorization,content-type,tus-resumable,upload-length,upload-metadata,upload-offset";
    for (method, path) in [("POST", "/v1/uploads"), ("PATCH", "/v1/uploads/x")] {
        let call = Call::new("OPTIONS", path).header("origin", SHOP);
        let call = call.header("access-control-request-method", method);
        let answer = world.call(call.header("access-control-request-headers", asked)).expect(200);
        assert!(answer.headers["access-control-allow-methods"].contains(method), "{method}");
        let allowed = &answer.headers["access-control-allow-headers"];
        assert!(asked.split(',').all(|name| allowed.contains(name)), "{allowed}");
    }
    let call = tus("POST", &ana, "/v1/uploads").header("upload-length", "9");
    let call = call.header("upload-metadata", &metadata(chat, "x.pdf")).header("origin", SHOP);
    let told = world.call(call).expect(201).headers["access-control-expose-headers"].to_lowercase();
    for name in ["location", "upload-offset", "tus-resumable", "content-range", "etag"] {
        assert!(told.contains(name), "{told}");
    }
    // Other ways are as open.
    id_of(&create(&world, &ana, chat, "x.pdf", 9).expect(201).json());
}
