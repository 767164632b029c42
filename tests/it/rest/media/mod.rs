//! /v1/media and /v1/uploads: files, from the upload to the last byte on the disk.

mod avatars;
mod bounds;
mod content;
mod ends;
mod photos;
mod scanner;
mod uploads;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use barterline_domain::event::Seq;
use barterline_domain::ids::{ChatId, MediaId};
use barterline_protocol::Encoding;
use barterline_protocol::request::{Block, Send};
use barterline_protocol::{Outgoing, Request};
use image::GenericImageView as _;
use serde_json::{Value, json};

use crate::support::pictures::{CAMERA, photo};
use crate::support::socket::fresh_id;
use crate::support::{Answer, Call, Person, World};

/// Nothing that a test waits for takes longer: bytes go by themselves after some seconds.
const PATIENCE: Duration = Duration::from_mins(1);

/// Pages of which nothing is known but that they are some.
const PDF: &[u8] =
    b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n";

/// Waits until something is so.
#[track_caller]
fn until(what: &str, holds: impl Fn() -> bool) -> impl Future<Output = ()> {
    let place = std::panic::Location::caller();
    async move {
        let patience = Instant::now() + PATIENCE;
        while !holds() {
            assert!(Instant::now() < patience, "waited too long for {what}, at {place}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn ask(world: &World, method: &str, person: &Person, path: &str) -> Answer {
    world.call(Call::new(method, path).token(&person.token))
}

fn create(world: &World, person: &Person, chat: ChatId, name: &str, size: usize) -> Answer {
    let body = json!({ "chat": chat, "name": name, "size": size });
    world.call(Call::new("POST", "/v1/media").token(&person.token).json(&body))
}

/// Announces a file that is for no chat.
fn create_for(world: &World, person: &Person, purpose: &str, name: &str, size: usize) -> Answer {
    let body = json!({ "purpose": purpose, "name": name, "size": size });
    world.call(Call::new("POST", "/v1/media").token(&person.token).json(&body))
}

/// Announces a file; gives its id.
fn announced(world: &World, person: &Person, chat: ChatId, name: &str, size: usize) -> String {
    id_of(&create(world, person, chat, name, size).expect(201).json())
}

/// The same, of one that is for no chat.
fn announced_for(world: &World, person: &Person, purpose: &str, name: &str, size: usize) -> String {
    id_of(&create_for(world, person, purpose, name, size).expect(201).json())
}

fn id_of(media: &Value) -> String {
    media["id"].as_str().expect("an id").to_owned()
}

fn put_call(person: &Person, media: &str, bytes: &[u8]) -> Call {
    let call = Call::new("PUT", &format!("/v1/media/{media}/content")).token(&person.token);
    call.header("content-type", "application/octet-stream").body(bytes)
}

fn put(world: &World, person: &Person, media: &str, bytes: &[u8]) -> Answer {
    world.call(put_call(person, media, bytes))
}

fn read(world: &World, person: &Person, media: &str) -> Answer {
    ask(world, "GET", person, &format!("/v1/media/{media}"))
}

fn state(world: &World, person: &Person, media: &str) -> String {
    let media = read(world, person, media).expect(200).json();
    media["state"].as_str().expect("a state").to_owned()
}

/// Brings the bytes of a file, and waits until it can be sent.
async fn brought(world: &World, person: &Person, media: &str, bytes: &[u8]) {
    let answer = put(world, person, media, bytes);
    // A slow machine looks at it for longer than anybody waits.
    assert!([200, 202].contains(&answer.status), "{}", answer.body);
    until("a file to be ready", || state(world, person, media) == "ready").await;
}

/// Uploads a file; gives its id when it can be sent.
async fn uploaded(
    world: &World,
    person: &Person,
    chat: ChatId,
    name: &str,
    bytes: &[u8],
) -> String {
    let media = announced(world, person, chat, name, bytes.len());
    brought(world, person, &media, bytes).await;
    media
}

/// The same, of one that is for no chat.
async fn uploaded_for(
    world: &World,
    person: &Person,
    purpose: &str,
    name: &str,
    bytes: &[u8],
) -> String {
    let media = announced_for(world, person, purpose, name, bytes.len());
    brought(world, person, &media, bytes).await;
    media
}

/// The message that shows a file.
fn showing(chat: ChatId, media: &str) -> Send {
    let media: MediaId = media.parse().expect("an id");
    Send { media: Some(media), ..Send::new(chat, fresh_id(), Seq(0), "media") }
}

fn key() -> String {
    fresh_id().to_string()
}

/// Sends a file over HTTP, under a name that is new.
fn send(world: &World, person: &Person, chat: ChatId, media: &str) -> Answer {
    world.send(person, chat, &key(), &json!({ "kind": "media", "media": media }))
}

fn take_back(world: &World, person: &Person, chat: ChatId, seq: &Value) {
    let body = json!({ "kind": "delete", "target": seq });
    world.send(person, chat, &key(), &body).expect(201);
}

fn content(world: &World, person: &Person, media: &str, query: &str) -> Answer {
    ask(world, "GET", person, &format!("/v1/media/{media}/content{query}"))
}

/// A path to a file that takes no token.
fn link(world: &World, person: &Person, media: &str) -> String {
    let link = ask(world, "POST", person, &format!("/v1/media/{media}/link")).expect(201).json();
    link["path"].as_str().expect("a path").to_owned()
}

/// The bytes of a file, for who shows nothing.
fn seen(world: &World, media: &str, query: &str) -> Answer {
    world.get(&format!("/v1/media/{media}/content{query}"))
}

/// A key of somebody's with these scopes, in the place of a log-in.
fn key_of(world: &World, person: &Person, scopes: &[&str]) -> Person {
    let body = json!({ "name": "a bot", "scopes": scopes, "password": "correct horse" });
    let key = world.call(Call::new("POST", "/v1/api-keys").token(&person.token).json(&body));
    let token = key.expect(201).json()["secret"].as_str().expect("a key").to_owned();
    Person { id: person.id.clone(), token, refresh_token: String::new() }
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// What a server keeps of all files, in a directory of its own.
fn files(world: &World) -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![world.data().join("media")], Vec::new());
    while let Some(folder) = folders.pop() {
        // What is removed at the moment is not there.
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files
}

/// A file in each of its sizes, as it is served: nothing in it is of the camera, it is upright, and as
/// large as it is said to be.
#[track_caller]
fn is_made_anew(world: &World, person: &Person, media: &str, sizes: &[(&str, u32, u32)]) {
    let pictures = read(world, person, media).expect(200).json()["pictures"].clone();
    assert_eq!(pictures.as_array().map(Vec::len), Some(sizes.len()), "{pictures}");
    for (n, (size, width, height)) in sizes.iter().enumerate() {
        let answer = content(world, person, media, &format!("?size={size}")).expect(200);
        let told = (&pictures[n]["size"], &pictures[n]["bytes"]);
        assert_eq!(told, (&json!(size), &json!(answer.bytes.len())));
        assert_eq!(
            (&pictures[n]["width"], &pictures[n]["height"]),
            (&json!(width), &json!(height))
        );
        assert!(!has(&answer.bytes, b"Exif") && !has(&answer.bytes, CAMERA.as_bytes()), "{size}");
        let picture = image::load_from_memory(&answer.bytes).expect("a picture");
        assert_eq!(picture.dimensions(), (*width, *height), "{size}");
        let [[up, _, down], [down_too, _, up_too]] = [3, height - 4].map(|y| {
            let [red, green, blue, _] = picture.get_pixel(width / 2, y).0;
            [red, green, blue]
        });
        assert!(up > 150 && up_too > 150 && down < 90 && down_too < 90, "{size} stands upright");
    }
}

#[tokio::test]
async fn a_picture_goes_from_one_to_the_other_without_where_it_was_taken() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let mut buyer = world.device(&ana, Encoding::Json).await;
    let mut seller = world.device(&bob, Encoding::MsgPack).await;
    let taken = photo(1_600, 1_200);
    assert!(has(&taken, b"Exif") && has(&taken, CAMERA.as_bytes()));

    let made = create(&world, &ana, chat, "IMG 0001.JPG", taken.len()).expect(201);
    let (place, made) = (made.headers["location"].clone(), made.json());
    let media = id_of(&made);
    assert_eq!(place, format!("/v1/media/{media}"));
    assert_eq!((&made["state"], &made["type"]), (&json!("waiting"), &Value::Null));
    assert_eq!((&made["size"], &made["sent"]), (&json!(taken.len()), &json!(false)));
    assert_eq!((&made["owner"], &made["chat"]), (&json!(ana.id), &json!(chat)));
    assert_eq!(made["purpose"], "chat");
    brought(&world, &ana, &media, &taken).await;
    let file = read(&world, &ana, &media).expect(200).json();
    assert_eq!((&file["name"], &file["type"]), (&json!("IMG 0001.JPG"), &json!("image/jpeg")));
    let sizes = [("full", 1_200, 1_600), ("medium", 960, 1_280), ("thumb", 240, 320)];
    is_made_anew(&world, &ana, &media, &sizes);
    for path in ["", "/content"] {
        let answer = ask(&world, "GET", &bob, &format!("/v1/media/{media}{path}"));
        answer.problem(404, "media.not_found");
    }

    let message = Send { text: Some("The bike".to_owned()), ..showing(chat, &media) };
    let seq = buyer.sends(&message).await.seq;
    let heard = seller.event().await;
    assert_eq!((heard.seq, &*heard.kind, heard.text.as_deref()), (seq, "media", Some("The bike")));
    assert_eq!(heard.media.map(|media| media.to_string()), Some(media.clone()));
    is_made_anew(&world, &bob, &media, &sizes);
    assert_eq!(read(&world, &bob, &media).expect(200).json()["sent"], true);
    let link = link(&world, &bob, &media);
    let shown = world.get(&format!("{link}&size=thumb")).expect(200);
    assert_eq!(shown.bytes, content(&world, &bob, &media, "?size=thumb").expect(200).bytes);

    let delete = Send { target: Some(seq), ..Send::new(chat, fresh_id(), Seq(0), "delete") };
    buyer.sends(&delete).await;
    for person in [&ana, &bob] {
        read(&world, person, &media).problem(404, "media.not_found");
        content(&world, person, &media, "").problem(404, "media.not_found");
    }
    world.get(&link).problem(404, "media.not_found");
}

/// An answer, less the name of its request.
fn told(answer: &Answer) -> (u16, Value) {
    let mut body = if answer.body.is_empty() { Value::Null } else { answer.json() };
    if let Some(fields) = body.as_object_mut() {
        fields.remove("request_id");
    }
    (answer.status, body)
}

#[tokio::test]
async fn g6_a_file_of_others_is_a_file_that_is_not_there() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let eve = world.person("eve");
    let waiting = announced(&world, &ana, chat, "late.pdf", PDF.len());
    let sent = uploaded(&world, &ana, chat, "sent.pdf", PDF).await;
    send(&world, &ana, chat, &sent).expect(201);
    let nothing = "00000000-0000-7000-8000-000000000000";
    let asked = |who: &Person, media: &str| {
        let mut answers = Vec::new();
        for (method, path) in [
            ("GET", ""),
            ("GET", "/content"),
            ("GET", "/content?size=thumb"),
            ("HEAD", "/content"),
            ("POST", "/link"),
            ("POST", "/direct"),
            ("POST", "/complete"),
            ("DELETE", ""),
        ] {
            let answer = ask(&world, method, who, &format!("/v1/media/{media}{path}"));
            answers.push(told(&answer));
        }
        answers.push(told(&put(&world, who, media, PDF)));
        for method in ["HEAD", "DELETE"] {
            let call = Call::new(method, &format!("/v1/uploads/{media}")).token(&who.token);
            answers.push(told(&world.call(call.header("tus-resumable", "1.0.0"))));
        }
        answers
    };
    let missing = asked(&eve, nothing);
    assert_eq!(missing[0].0, 404, "{missing:?}");
    for (who, media) in [(&eve, &waiting), (&eve, &sent), (&bob, &waiting)] {
        assert_eq!(asked(who, media), missing);
    }
    assert_eq!(state(&world, &ana, &waiting), "waiting", "nobody else brought its bytes");
    content(&world, &bob, &sent, "").expect(200);

    create(&world, &eve, chat, "mine.pdf", 9).problem(404, "chat.not_found");
    let of_nothing = nothing.parse().expect("an id");
    create(&world, &eve, of_nothing, "mine.pdf", 9).problem(404, "chat.not_found");
    let body = json!({ "chat": chat, "name": "x", "size": 1 });
    world.post("/v1/media", &body).problem(401, "token.invalid");
    let nobodys = told(&seen(&world, nothing, ""));
    assert_eq!((nobodys.0, &nobodys.1["code"]), (404, &json!("media.not_found")));
    for media in [&waiting, &sent] {
        assert_eq!(told(&seen(&world, media, "")), nobodys);
    }
}

#[test]
fn what_a_file_is_for_is_said_soundly() {
    let world = World::new();
    let ana = world.person("ana");
    let chat = "019ac1b3-1f58-7c02-9a6d-4b70e1f3c802";
    for body in [
        json!({ "name": "x", "size": 1 }),
        json!({ "purpose": "chat", "size": 1 }),
        json!({ "purpose": "listing", "chat": chat, "size": 1 }),
        json!({ "purpose": "avatar", "chat": chat, "size": 1 }),
        json!({ "purpose": "gift", "size": 1 }),
        json!({ "purpose": null, "chat": chat, "size": 1 }),
        json!({ "purpose": "listing", "size": 0 }),
    ] {
        let call = Call::new("POST", "/v1/media").token(&ana.token).json(&body);
        world.call(call).problem(400, "request.invalid");
    }
    for purpose in ["listing", "avatar"] {
        let made = create_for(&world, &ana, purpose, "bike.jpg", 9).expect(201).json();
        let told = (&made["purpose"], &made["chat"], &made["state"]);
        assert_eq!(told, (&json!(purpose), &Value::Null, &json!("waiting")));
        let body = json!({ "purpose": purpose, "size": 9 });
        world.post("/v1/media", &body).problem(401, "token.invalid");
    }
}

#[tokio::test]
async fn a_file_is_sent_by_its_owner_in_the_chat_that_it_is_for() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    let other = buyer.opens(&world.listing(&bob)).await.chat;
    let eve = world.person("eve");
    let theirs = world.device(&eve, Encoding::MsgPack).await.opens(&world.listing(&bob)).await.chat;
    let media = uploaded(&world, &ana, chat, "papers.pdf", PDF).await;
    send(&world, &bob, chat, &media).problem(404, "media.not_found");
    send(&world, &ana, other, &media).problem(404, "media.not_found");
    send(&world, &eve, theirs, &media).problem(404, "media.not_found");
    send(&world, &ana, chat, &media).expect(201);
    let page = ask(&world, "GET", &bob, &format!("/v1/chats/{chat}/events")).expect(200).json();
    let event = &page["events"][0];
    assert_eq!((&event["kind"], &event["media"]), (&json!("media"), &json!(media)));
}

#[tokio::test]
async fn a_key_reads_and_uploads_as_its_scopes_say() {
    let world = World::new();
    let (ana, _, chat) = world.chat().await;
    let media = uploaded(&world, &ana, chat, "papers.pdf", PDF).await;
    let [reader, writer] =
        ["chats:read", "chats:write"].map(|scope| key_of(&world, &ana, &[scope]));
    content(&world, &reader, &media, "").expect(200);
    create(&world, &reader, chat, "x.pdf", 9).problem(403, "key.out_of_scope");
    content(&world, &writer, &media, "").problem(403, "key.out_of_scope");
    create(&world, &writer, chat, "x.pdf", 9).expect(201);
}

#[tokio::test]
async fn what_is_withheld_is_not_fetched_either() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let mut seller = world.device(&bob, Encoding::MsgPack).await;
    let before = uploaded(&world, &ana, chat, "before.pdf", PDF).await;
    send(&world, &ana, chat, &before).expect(201);
    let block = Block { user: ana.id.parse().expect("an id"), on: true };
    let asked = seller.ask(Request::Block(block)).await;
    assert!(matches!(seller.answer(asked).await, Outgoing::Ok(_)));
    let after = uploaded(&world, &ana, chat, "after.pdf", PDF).await;
    send(&world, &ana, chat, &after).expect(201);
    content(&world, &bob, &before, "").expect(200);
    for path in ["", "/content"] {
        let answer = ask(&world, "GET", &bob, &format!("/v1/media/{after}{path}"));
        answer.problem(404, "media.not_found");
    }
    // The blocked cannot tell.
    content(&world, &ana, &after, "").expect(200);
}

#[tokio::test]
async fn g2_a_file_is_shown_by_one_message_however_often_that_is_sent() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let media = announced(&world, &ana, chat, "papers.pdf", PDF.len());
    send(&world, &ana, chat, &media).problem(409, "media.not_ready");
    brought(&world, &ana, &media, PDF).await;
    put(&world, &ana, &media, PDF).problem(409, "media.complete");

    let body = json!({ "kind": "media", "media": media });
    let copies: Vec<_> = (0..8).map(|_| world.begin(ana.send(chat, &key(), &body))).collect();
    let answers = copies.into_iter().map(|copy| copy.join().expect("an answer"));
    let (sent, others): (Vec<_>, Vec<_>) = answers.partition(|answer| answer.status == 201);
    for other in others {
        other.problem(409, "media.used");
    }
    let [sent] = &sent[..] else { panic!("{sent:?}") };
    let first = sent.json();
    let name = first["id"].as_str().expect("an id");
    let again = |world: &World| world.send(&ana, chat, name, &body).expect(200).json();
    assert_eq!((&again(&world)["seq"], &again(&world)["repeat"]), (&first["seq"], &json!(true)));
    send(&world, &ana, chat, &media).problem(409, "media.used");
    let remove = ask(&world, "DELETE", &ana, &format!("/v1/media/{media}"));
    remove.problem(409, "media.used");
    let world = world.crash();
    assert_eq!(again(&world)["seq"], first["seq"]);
    content(&world, &bob, &media, "").expect(200);
    take_back(&world, &ana, chat, &first["seq"]);
    assert_eq!(again(&world)["seq"], first["seq"], "the first answer is the answer for ever");
    let anew = send(&world, &ana, chat, &media);
    assert!([404, 409].contains(&anew.status), "{}", anew.body);
}
