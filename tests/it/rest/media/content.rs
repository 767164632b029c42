//! How files are served: whole and in parts, to whom, under which name, and for how long.

use std::fs;

use image::ImageFormat;
use serde_json::json;

use super::{
    PDF, announced, ask, brought, content, create, files, has, id_of, is_made_anew, link, read,
    send, until, uploaded,
};
use crate::support::pictures::{photo, plain, transparent};
use crate::support::{Answer, Call, Person, World};

/// A thousand bytes of a film, each known by its place.
fn film() -> Vec<u8> {
    let mut film = b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2".to_vec();
    film.extend((film.len()..1_000).map(|n| (n % 251) as u8));
    film
}

fn part(world: &World, person: &Person, media: &str, range: &str) -> Answer {
    let call = Call::new("GET", &format!("/v1/media/{media}/content")).token(&person.token);
    world.call(call.header("range", range))
}

#[tokio::test]
async fn parts_of_a_file_are_fetched_and_nothing_beyond_its_end() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let film = film();
    let media = uploaded(&world, &ana, chat, "film.mp4", &film).await;
    send(&world, &ana, chat, &media).expect(201);
    let whole = content(&world, &bob, &media, "").expect(200);
    assert_eq!((&whole.bytes, &*whole.headers["content-type"]), (&film, "video/mp4"));
    assert_eq!(whole.headers["accept-ranges"], "bytes");
    for (range, from, to) in [
        ("bytes=0-9", 0, 10),
        ("bytes=990-", 990, 1_000),
        ("bytes=-10", 990, 1_000),
        ("bytes=-5000", 0, 1_000),
        ("bytes=995-18446744073709551615", 995, 1_000),
        ("bytes=999-999", 999, 1_000),
    ] {
        let answer = part(&world, &bob, &media, range).expect(206);
        assert_eq!(answer.bytes, film[from..to], "{range}");
        let told = format!("bytes {from}-{}/1000", to - 1);
        assert_eq!(answer.headers["content-range"], told);
        assert_eq!(answer.headers["content-length"], (to - from).to_string());
    }
    for range in ["bytes=1000-", "bytes=1000-2000", "bytes=-0"] {
        let answer = part(&world, &bob, &media, range);
        assert_eq!(answer.headers["content-range"], "bytes */1000", "{range}");
        answer.problem(416, "media.range");
    }
    // What is no range, or several, is none.
    for range in ["bytes=9-5", "bytes=x-y", "pages=1-2", "bytes=0-1,5-6", "bytes=", "0-9"] {
        assert_eq!(part(&world, &bob, &media, range).expect(200).bytes, film, "{range}");
    }
    let head = ask(&world, "HEAD", &bob, &format!("/v1/media/{media}/content")).expect(200);
    assert_eq!((&*head.headers["content-length"], head.bytes.len()), ("1000", 0));
}

#[tokio::test]
async fn who_has_a_file_is_not_sent_it_again() {
    let world = World::new();
    let (ana, _, chat) = world.chat().await;
    let media = uploaded(&world, &ana, chat, "bike.jpg", &photo(800, 600)).await;
    let path = format!("/v1/media/{media}/content");
    let tag = |query: &str| {
        let answer = content(&world, &ana, &media, query).expect(200);
        assert!(answer.headers["cache-control"].starts_with("private"), "{:?}", answer.headers);
        // Somebody else at the same browser asks anew.
        let varies = answer.headers["vary"].to_lowercase();
        assert!(varies.contains("authorization"), "{varies}");
        answer.headers["etag"].clone()
    };
    let (full, thumb) = (tag(""), tag("?size=thumb"));
    assert_eq!(full, tag("?size=full"));
    assert_ne!(full, thumb, "another size is another");
    assert!(full.starts_with('"') && full.ends_with('"'), "a strong one: {full}");
    let asked = |name: &str, value: &str| {
        let call = Call::new("GET", &path).token(&ana.token).header(name, value);
        world.call(call.header("range", "bytes=0-9"))
    };
    let known = Call::new("GET", &path).token(&ana.token);
    let answer = world.call(known.header("if-none-match", &full)).expect(304);
    assert_eq!((answer.bytes.len(), &answer.headers["etag"]), (0, &full));
    asked("if-none-match", &format!("\"x\", {full}")).expect(304);
    asked("if-none-match", &thumb).expect(206);
    // A part of what was there before does not fit what is there now.
    assert_eq!(asked("if-range", &full).expect(206).bytes.len(), 10);
    assert!(asked("if-range", &thumb).expect(200).bytes.len() > 10);
}

#[tokio::test]
async fn a_file_is_what_is_in_it_and_runs_nothing() {
    let world = World::new();
    let (ana, _, chat) = world.chat().await;
    let gif = plain(40, 30, ImageFormat::Gif);
    // Much that could be compressed.
    let pages = [PDF, &b" ".repeat(8 << 10)[..]].concat();
    for (name, bytes, media_type, shown, ending) in [
        ("page.html", photo(40, 30), "image/jpeg", "inline", ".jpg"),
        ("script.js", gif, "image/jpeg", "inline", ".jpg"),
        ("photo.jpg", pages.clone(), "application/pdf", "attachment", ".pdf"),
        ("program.exe", film(), "video/mp4", "inline", ".mp4"),
        ("voice", b"OggS\0\x02 and what is said".to_vec(), "audio/ogg", "inline", ".ogg"),
    ] {
        let media = uploaded(&world, &ana, chat, name, &bytes).await;
        assert_eq!(read(&world, &ana, &media).expect(200).json()["type"], media_type, "{name}");
        let call = Call::new("GET", &format!("/v1/media/{media}/content")).token(&ana.token);
        let answer = world.call(call.header("accept-encoding", "gzip, br")).expect(200);
        let headers = &answer.headers;
        assert_eq!(headers["content-type"], media_type, "{name}");
        let disposition = &headers["content-disposition"];
        assert!(disposition.starts_with(&format!("{shown}; ")), "{disposition}");
        assert!(disposition.contains(&format!("filename=\"{name}{ending}\"")), "{disposition}");
        assert!(headers["content-security-policy"].contains("sandbox"), "{headers:?}");
        assert!(headers["content-security-policy"].contains("default-src 'none'"), "{headers:?}");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["cross-origin-resource-policy"], "same-origin");
        assert!(!headers.contains_key("content-encoding"), "{headers:?}");
        assert_eq!(headers["content-length"], answer.bytes.len().to_string());
        assert!(media_type != "application/pdf" || answer.bytes == pages, "{name} as it was");
        content(&world, &ana, &media, "?size=huge").problem(400, "request.invalid");
    }
}

#[tokio::test]
async fn what_hides_behind_a_picture_or_in_it_does_not_come_along() {
    const HIDDEN: &[u8] = b"<script>alert('hidden')</script>";
    let world = World::new();
    let (ana, _, chat) = world.chat().await;
    let png = plain(400, 300, ImageFormat::Png);
    let (gif, webp) = (plain(40, 30, ImageFormat::Gif), plain(40, 30, ImageFormat::WebP));
    // An archive behind each; in the JPEG a comment besides.
    let tail = [&b"PK\x03\x04"[..], HIDDEN, &b"PK\x05\x06"[..]].concat();
    let jpeg = photo(400, 300);
    let length = u16::try_from(HIDDEN.len() + 2).expect("a short comment").to_be_bytes();
    let jpeg = [&jpeg[..2], &[0xff, 0xfe][..], &length[..], HIDDEN, &jpeg[2..]].concat();
    for bytes in [jpeg, png, gif, webp] {
        let bytes = [bytes, tail.clone()].concat();
        let media = uploaded(&world, &ana, chat, "picture.jpg", &bytes).await;
        for size in ["full", "thumb"] {
            let served = content(&world, &ana, &media, &format!("?size={size}")).expect(200);
            assert!(!has(&served.bytes, b"script") && !has(&served.bytes, b"PK\x03"), "{size}");
        }
    }
    let is_clean = |file| !has(&fs::read(file).unwrap_or_default(), b"script");
    until("what was uploaded to go", || files(&world).into_iter().all(is_clean)).await;
}

#[tokio::test]
async fn a_small_picture_has_few_sizes_and_what_is_seen_through_stays_so() {
    let world = World::new();
    let (ana, _, chat) = world.chat().await;
    let media = uploaded(&world, &ana, chat, "small.jpg", &photo(200, 100)).await;
    is_made_anew(&world, &ana, &media, &[("full", 100, 200)]);
    let small = content(&world, &ana, &media, "?size=thumb").expect(200);
    assert_eq!(small.bytes, content(&world, &ana, &media, "").expect(200).bytes);
    let media = uploaded(&world, &ana, chat, "logo.png", &transparent(400, 300)).await;
    let logo = content(&world, &ana, &media, "?size=thumb").expect(200);
    let logo = image::load_from_memory(&logo.bytes).expect("a picture").to_rgba8();
    assert_eq!((logo.get_pixel(5, 5).0[3], logo.get_pixel(300, 5).0[3]), (0, 255));
}

#[tokio::test]
async fn a_name_is_no_path_and_no_header() {
    let world = World::new();
    let (ana, _, chat) = world.chat().await;
    for (given, kept) in [
        ("../../../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/", "file"),
        ("", "file"),
        ("a\r\nSet-Cookie: x=1\r\n\r\n<html>.pdf", "html.pdf"),
        ("bill\u{202e}fdp.exe", "billfdp.exe"),
        ("\"; filename=evil.exe", " filename=evil.exe"),
        ("Grüße 🚲.pdf", "Grüße 🚲.pdf"),
    ] {
        let media = uploaded(&world, &ana, chat, given, PDF).await;
        let name = read(&world, &ana, &media).expect(200).json()["name"].clone();
        let name = name.as_str().expect("a name").to_owned();
        assert!(name.trim() == kept.trim() || name.ends_with(kept), "{given:?} became {name:?}");
        let headers = content(&world, &ana, &media, "").expect(200).headers;
        assert!(!headers.contains_key("set-cookie"), "{headers:?}");
        let disposition = &headers["content-disposition"];
        assert!(disposition.is_ascii() && disposition.matches("filename=\"").count() == 1);
        ask(&world, "DELETE", &ana, &format!("/v1/media/{media}")).expect(204);
    }
    let body = json!({ "chat": chat, "name": 7, "size": 1 });
    let call = Call::new("POST", "/v1/media").token(&ana.token).json(&body);
    world.call(call).problem(400, "request.invalid");
    for id in ["..%2F..%2Fetc%2Fpasswd", "x", "%00"] {
        let answer = ask(&world, "GET", &ana, &format!("/v1/media/{id}/content"));
        answer.problem(400, "request.invalid");
    }
}

#[tokio::test]
async fn a_link_opens_one_file_without_a_token_and_for_whom_it_was_made() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let first = uploaded(&world, &ana, chat, "first.pdf", PDF).await;
    let second = uploaded(&world, &ana, chat, "second.pdf", PDF).await;
    for media in [&first, &second] {
        send(&world, &ana, chat, media).expect(201);
    }
    let answer = ask(&world, "POST", &bob, &format!("/v1/media/{first}/link")).expect(201);
    assert_eq!(answer.headers["cache-control"], "no-store");
    let made = answer.json();
    let (path, ends) = (made["path"].as_str().expect("a path"), made["expires_at"].as_u64());
    assert!(ends.is_some());
    let opened = world.get(path).expect(200);
    assert_eq!(opened.bytes, PDF);
    let kept = &opened.headers["cache-control"];
    assert!(kept.contains("private") && !kept.contains("public"), "{kept}");
    let kept_for = kept.split(", ").find_map(|part| part.strip_prefix("max-age="));
    let kept_for: u64 = kept_for.and_then(|age| age.parse().ok()).expect("seconds");
    assert!(kept_for <= 600, "no longer than the link is good: {kept}");
    assert_eq!(opened.headers["cross-origin-resource-policy"], "same-origin");
    let ranged = Call::new("GET", path).header("range", "bytes=0-3");
    assert_eq!(world.call(ranged).expect(206).bytes, b"%PDF");
    // Of another file, changed, cut, of a token, none.
    let token = path.split("link=").nth(1).expect("a link");
    let (mut changed, middle) = (token.to_owned(), token.len() / 2);
    let letter = if changed[middle..].starts_with('A') { "B" } else { "A" };
    changed.replace_range(middle..=middle, letter);
    let cut = &token[..token.len() - 9];
    for (media, token) in [
        (&second, token),
        (&first, &*changed),
        (&first, cut),
        (&first, &*bob.token),
        (&first, "x"),
        (&first, ""),
    ] {
        let answer = world.get(&format!("/v1/media/{media}/content?link={token}"));
        answer.problem(404, "media.not_found");
    }
    // It opens what it is for and nothing else.
    let call = Call::new("GET", "/v1/accounts/me").token(token);
    world.call(call).problem(401, "token.invalid");
    let eve = world.person("eve");
    let link_of_eve = ask(&world, "POST", &eve, &format!("/v1/media/{first}/link"));
    link_of_eve.problem(404, "media.not_found");
    assert_eq!(world.get(&link(&world, &ana, &second)).expect(200).bytes, PDF);
}

#[tokio::test]
async fn a_link_dies_with_its_makers_log_in_or_key() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let media = uploaded(&world, &ana, chat, "papers.pdf", PDF).await;
    send(&world, &ana, chat, &media).expect(201);
    let phone = world.log_in("bob");
    let body = json!({ "name": "a bot", "scopes": ["chats:read"], "password": "correct horse" });
    let key = world.call(Call::new("POST", "/v1/api-keys").token(&bob.token).json(&body));
    let key = key.expect(201).json();
    let secret = key["secret"].as_str().expect("a key").to_owned();
    let bot = Person { id: bob.id.clone(), token: secret, refresh_token: String::new() };
    let [by_phone, by_bot, by_bob] =
        [&phone, &bot, &bob].map(|person| link(&world, person, &media));
    for link in [&by_phone, &by_bot, &by_bob] {
        assert_eq!(world.get(link).expect(200).bytes, PDF);
    }
    ask(&world, "DELETE", &phone, "/v1/sessions/current").expect(204);
    world.get(&by_phone).problem(404, "media.not_found");
    let key = format!("/v1/api-keys/{}", key["id"].as_str().expect("an id"));
    ask(&world, "DELETE", &bob, &key).expect(204);
    world.get(&by_bot).problem(404, "media.not_found");
    // Another log-in of theirs stands.
    assert_eq!(world.get(&by_bob).expect(200).bytes, PDF);
    world.staff("PUT", &format!("/accounts/{}/suspension", bob.id)).expect(204);
    world.get(&by_bob).problem(404, "media.not_found");
    content(&world, &ana, &media, "").expect(200);
}

#[tokio::test]
async fn pages_that_are_listed_read_what_a_link_opens() {
    const SHOP: &str = "https://shop.example";
    let world = World::with_setting("BARTERLINE_SERVER__ORIGINS", SHOP);
    let (ana, _, chat) = world.chat().await;
    let media = uploaded(&world, &ana, chat, "papers.pdf", PDF).await;
    let link = link(&world, &ana, &media);
    let opened = |origin: &str| {
        let answer = world.call(Call::new("GET", &link).header("origin", origin)).expect(200);
        answer.headers.get("access-control-allow-origin").cloned()
    };
    assert_eq!(opened(SHOP).as_deref(), Some(SHOP));
    assert_eq!(opened("https://evil.example"), None);
}

#[tokio::test]
async fn what_is_not_ready_has_nothing_to_fetch() {
    let world = World::new();
    let (ana, _, chat) = world.chat().await;
    let media = announced(&world, &ana, chat, "late.pdf", PDF.len());
    content(&world, &ana, &media, "").problem(409, "media.not_ready");
    let link = ask(&world, "POST", &ana, &format!("/v1/media/{media}/link"));
    link.problem(409, "media.not_ready");
    let direct = ask(&world, "POST", &ana, &format!("/v1/media/{media}/direct"));
    direct.problem(409, "media.direct_off");
    let complete = ask(&world, "POST", &ana, &format!("/v1/media/{media}/complete"));
    complete.problem(409, "media.incomplete");
    brought(&world, &ana, &media, PDF).await;
    assert_eq!(content(&world, &ana, &media, "").expect(200).bytes, PDF);
    let complete = ask(&world, "POST", &ana, &format!("/v1/media/{media}/complete"));
    complete.expect(200);
}

#[tokio::test]
async fn the_bytes_of_files_have_requests_of_their_own() {
    let world = World::with_settings(&[
        ("BARTERLINE_LIMITS__DOWNLOADS_BURST", "2"),
        ("BARTERLINE_LIMITS__DOWNLOADS_PER_MINUTE", "1"),
    ]);
    let (ana, bob, chat) = world.chat().await;
    let media = uploaded(&world, &ana, chat, "papers.pdf", PDF).await;
    let link = link(&world, &ana, &media);
    for left in ["1", "0"] {
        let answer = content(&world, &ana, &media, "").expect(200);
        let told = &answer.headers["ratelimit"];
        assert!(told.starts_with(&format!("\"downloads\";r={left};t=")), "{told}");
    }
    let answer = content(&world, &ana, &media, "");
    assert!(answer.headers.contains_key("retry-after"));
    assert_eq!(answer.problem(429, "rate.limited")["scope"], "downloads");
    read(&world, &ana, &media).expect(200);
    content(&world, &bob, &media, "").problem(404, "media.not_found");
    // Whoever comes by a link comes from an address.
    world.get(&link).expect(200);
    id_of(&create(&world, &ana, chat, "more.pdf", 9).expect(201).json());
}
