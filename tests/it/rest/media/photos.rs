//! Photos of listings: whose they are, in which order they stand, and who fetches them.

use image::ImageFormat;
use serde_json::{Value, json};

use super::{
    PDF, announced_for, ask, brought, content, create, create_for, has, id_of, is_made_anew,
    key_of, link, put, read, seen, send, until, uploaded, uploaded_for,
};
use crate::support::pictures::{bomb, photo, plain};
use crate::support::socket::fresh_id;
use crate::support::{Answer, Call, Person, World};

fn offer_call(person: &Person, photos: &[&str], is_draft: bool) -> Call {
    let price = json!({ "minor": 12_000, "currency": "EUR" });
    let body = json!({ "title": "Bike", "price": price, "photos": photos, "draft": is_draft });
    Call::new("POST", "/v1/listings").token(&person.token).json(&body)
}

fn offer(world: &World, person: &Person, photos: &[&str]) -> Answer {
    world.call(offer_call(person, photos, false))
}

fn edit(world: &World, person: &Person, listing: &str, body: &Value) -> Answer {
    let path = format!("/v1/listings/{listing}");
    world.call(Call::new("PATCH", &path).token(&person.token).json(body))
}

/// The photos of a listing, by their ids.
fn ids(listing: &Value) -> Vec<String> {
    listing["photos"].as_array().expect("photos").iter().map(id_of).collect()
}

/// A photo that can be shown; gives its id.
async fn taken(world: &World, person: &Person) -> String {
    uploaded_for(world, person, "listing", "bike.jpg", &photo(400, 300)).await
}

#[tokio::test]
async fn a_listing_shows_photos_in_its_sellers_order() {
    let world = World::new();
    let ana = world.person("ana");
    let large = uploaded_for(&world, &ana, "listing", "bike.jpg", &photo(1_600, 1_200)).await;
    let (second, third) = (taken(&world, &ana).await, taken(&world, &ana).await);
    let made = offer(&world, &ana, &[&third, &large]).expect(201).json();
    let id = id_of(&made);
    let expected = json!([
        { "id": third, "width": 300, "height": 400 },
        { "id": large, "width": 1_200, "height": 1_600 },
    ]);
    assert_eq!((&made["photos"], &made["external"]), (&expected, &Value::Null));
    let path = format!("/v1/listings/{id}");
    assert_eq!(world.get(&path).expect(200).json(), made);
    let sellers = world.get(&format!("/v1/accounts/{}/listings", ana.id)).expect(200).json();
    assert_eq!(sellers["listings"][0]["photos"], expected);

    let order = json!({ "photos": [large, second, third] });
    let turned = edit(&world, &ana, &id, &order).expect(200).json();
    assert_eq!(ids(&turned), [&*large, &second, &third]);
    assert_eq!(edit(&world, &ana, &id, &order).expect(200).json(), turned, "that is no change");
    let renamed = edit(&world, &ana, &id, &json!({ "title": "Red bike" })).expect(200).json();
    assert_eq!(renamed["photos"], turned["photos"], "what is left out stays");
    edit(&world, &ana, &id, &json!({ "photos": null })).problem(400, "request.invalid");
    let world = world.crash();
    assert_eq!(ids(&world.get(&path).expect(200).json()), ids(&turned));
    let bare = edit(&world, &ana, &id, &json!({ "photos": [] })).expect(200).json();
    assert_eq!(bare["photos"], json!([]));
}

#[tokio::test]
async fn a_photo_of_what_is_for_sale_is_for_anybody() {
    let world = World::new();
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    let media = uploaded_for(&world, &ana, "listing", "bike.jpg", &photo(1_600, 1_200)).await;
    let file = read(&world, &ana, &media).expect(200).json();
    assert_eq!((&file["purpose"], &file["chat"]), (&json!("listing"), &Value::Null));
    assert_eq!(file["sent"], false);
    let sizes = [("full", 1_200, 1_600), ("medium", 960, 1_280), ("thumb", 240, 320)];
    is_made_anew(&world, &ana, &media, &sizes);
    // Nothing shows it yet.
    seen(&world, &media, "").problem(404, "media.not_found");
    content(&world, &bob, &media, "").problem(404, "media.not_found");
    let before = content(&world, &ana, &media, "").expect(200);
    assert!(before.headers["cache-control"].starts_with("private"), "{:?}", before.headers);

    let listing = id_of(&offer(&world, &ana, &[&media]).expect(201).json());
    let shown = seen(&world, &media, "?size=thumb").expect(200);
    assert_eq!(shown.headers["cache-control"], "public, max-age=300");
    let varies = shown.headers.get("vary").map_or(String::new(), |told| told.to_lowercase());
    assert!(!varies.contains("authorization"), "{varies}");
    assert_eq!(shown.headers["x-content-type-options"], "nosniff");
    let path = format!("/v1/media/{media}/content?size=thumb");
    let known = Call::new("GET", &path).header("if-none-match", &shown.headers["etag"]);
    world.call(known).expect(304);
    let part = world.call(Call::new("GET", &path).header("range", "bytes=0-9")).expect(206);
    assert_eq!(part.bytes, shown.bytes[..10]);
    let nothing_but_chats = key_of(&world, &bob, &["chats:write"]);
    for person in [&ana, &bob, &nothing_but_chats] {
        assert_eq!(content(&world, person, &media, "?size=thumb").expect(200).bytes, shown.bytes);
    }
    assert_eq!(read(&world, &ana, &media).expect(200).json()["sent"], true);
    // What is shown beside it has to be good all the same.
    let call = Call::new("GET", &path).token("x");
    world.call(call).problem(401, "token.invalid");
    let by_link = world.get(&link(&world, &ana, &media)).expect(200);
    assert!(by_link.headers["cache-control"].starts_with("private"), "{:?}", by_link.headers);
    // What was sold is shown as it was.
    edit(&world, &ana, &listing, &json!({ "status": "sold" })).expect(200);
    seen(&world, &media, "").expect(200);
    let world = world.crash();
    assert_eq!(seen(&world, &media, "?size=thumb").expect(200).bytes, shown.bytes);
}

#[tokio::test]
async fn photos_of_a_draft_are_its_sellers_until_it_is_for_sale() {
    let world = World::new();
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    let media = taken(&world, &ana).await;
    let draft = id_of(&world.call(offer_call(&ana, &[&media], true)).expect(201).json());
    let nowhere = "00000000-0000-7000-8000-000000000000";
    let of_nobody = seen(&world, nowhere, "").problem(404, "media.not_found");
    assert_eq!(seen(&world, &media, "").problem(404, "media.not_found"), of_nobody);
    for path in ["", "/content", "/content?size=thumb"] {
        let answer = ask(&world, "GET", &bob, &format!("/v1/media/{media}{path}"));
        answer.problem(404, "media.not_found");
    }
    ask(&world, "POST", &bob, &format!("/v1/media/{media}/link")).problem(404, "media.not_found");
    let own = content(&world, &ana, &media, "").expect(200);
    assert!(own.headers["cache-control"].starts_with("private"), "{:?}", own.headers);
    let link = link(&world, &ana, &media);
    world.get(&link).expect(200);
    edit(&world, &ana, &draft, &json!({ "status": "active" })).expect(200);
    seen(&world, &media, "").expect(200);
    world.get(&link).expect(200);

    // What is given up before anybody saw it nobody sees.
    let media = taken(&world, &ana).await;
    let draft = id_of(&world.call(offer_call(&ana, &[&media], true)).expect(201).json());
    edit(&world, &ana, &draft, &json!({ "status": "withdrawn" })).expect(200);
    seen(&world, &media, "").problem(404, "media.not_found");
}

#[tokio::test]
async fn a_photo_that_was_taken_out_nobody_else_sees() {
    let world = World::new();
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    let (kept, gone) = (taken(&world, &ana).await, taken(&world, &ana).await);
    let listing = id_of(&offer(&world, &ana, &[&kept, &gone]).expect(201).json());
    let link = link(&world, &bob, &gone);
    world.get(&link).expect(200);
    ask(&world, "DELETE", &ana, &format!("/v1/media/{gone}")).problem(409, "media.used");
    seen(&world, &gone, "").expect(200);

    edit(&world, &ana, &listing, &json!({ "photos": [kept] })).expect(200);
    seen(&world, &gone, "").problem(404, "media.not_found");
    content(&world, &bob, &gone, "").problem(404, "media.not_found");
    world.get(&link).problem(404, "media.not_found");
    seen(&world, &kept, "").expect(200);
    // It was of that listing, and of no other; there it may come back for a while.
    offer(&world, &ana, &[&gone]).problem(409, "listing.photo_used");
    edit(&world, &ana, &listing, &json!({ "photos": [gone, kept] })).expect(200);
    seen(&world, &gone, "").expect(200);
}

#[tokio::test]
async fn a_photo_is_ones_own_for_listings_and_whole() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let sent = uploaded(&world, &ana, chat, "bike.jpg", &photo(400, 300)).await;
    let face = uploaded_for(&world, &ana, "avatar", "me.jpg", &photo(400, 300)).await;
    let theirs = taken(&world, &bob).await;
    let nothing = fresh_id().to_string();
    let good = taken(&world, &ana).await;
    let listing = id_of(&offer(&world, &ana, &[]).expect(201).json());
    for wrong in [&sent, &face, &theirs, &nothing] {
        let problem = offer(&world, &ana, &[wrong]).problem(422, "listing.photo_not_found");
        assert!(problem["detail"].to_string().contains(&**wrong), "{problem}");
        let body = json!({ "photos": [wrong] });
        edit(&world, &ana, &listing, &body).problem(422, "listing.photo_not_found");
    }
    let path = format!("/v1/listings/{listing}");
    assert_eq!(world.get(&path).expect(200).json()["photos"], json!([]));
    send(&world, &ana, chat, &good).problem(404, "media.not_found");

    let late = announced_for(&world, &ana, "listing", "late.jpg", photo(40, 30).len());
    let body = json!({ "photos": [late] });
    edit(&world, &ana, &listing, &body).problem(409, "listing.photo_not_ready");
    brought(&world, &ana, &late, &photo(40, 30)).await;
    edit(&world, &ana, &listing, &body).expect(200);
    for body in [json!({ "photos": "x" }), json!({ "photos": ["x"] }), json!({ "photos": [7] })] {
        edit(&world, &ana, &listing, &body).problem(400, "request.invalid");
    }
}

#[tokio::test]
async fn a_photo_is_a_picture_and_nothing_hides_in_it() {
    const HIDDEN: &[u8] = b"<script>alert('hidden')</script>";
    let world = World::new();
    let ana = world.person("ana");
    let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";
    let film = b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2 and what moves";
    let whole = photo(400, 300);
    for (what, bytes, reason) in [
        ("pages", PDF, "unsupported"),
        ("a film", &film[..], "unsupported"),
        ("a sound", &b"OggS\0\x02 and what is said"[..], "unsupported"),
        ("SVG", &svg[..], "unsupported"),
        ("half a JPEG", &whole[..whole.len() / 2], "damaged"),
        ("a bomb", &bomb(60_000, 60_000)[..], "too_many_pixels"),
    ] {
        for purpose in ["listing", "avatar"] {
            let media = announced_for(&world, &ana, purpose, "bike.jpg", bytes.len());
            let problem = put(&world, &ana, &media, bytes).problem(422, "media.refused");
            assert_eq!(problem["reason"], reason, "{what} as {purpose}");
            offer(&world, &ana, &[&media]).problem(422, "listing.photo_not_found");
            seen(&world, &media, "").problem(404, "media.not_found");
        }
    }
    for picture in [photo(400, 300), plain(400, 300, ImageFormat::Png)] {
        let bytes = [&picture[..], b"PK\x03\x04", HIDDEN].concat();
        let media = uploaded_for(&world, &ana, "listing", "bike.jpg", &bytes).await;
        offer(&world, &ana, &[&media]).expect(201);
        for size in ["full", "thumb"] {
            let shown = seen(&world, &media, &format!("?size={size}")).expect(200);
            assert!(!has(&shown.bytes, b"script") && !has(&shown.bytes, b"Exif"), "{size}");
        }
    }
}

#[tokio::test]
async fn a_listing_has_twenty_photos_each_once() {
    let world = World::new();
    let ana = world.person("ana");
    let mut photos = Vec::new();
    for _ in 0..20 {
        let media = uploaded_for(&world, &ana, "listing", "bike.jpg", &photo(16, 12)).await;
        photos.push(media);
    }
    // As many as one shows, and no more before one does; what is for a profile is counted for itself.
    create_for(&world, &ana, "listing", "more.jpg", 9).problem(409, "media.too_many");
    create_for(&world, &ana, "avatar", "me.jpg", 9).expect(201);
    let mut asked: Vec<_> = photos.iter().map(String::as_str).collect();
    let listing = id_of(&offer(&world, &ana, &[]).expect(201).json());
    let more = fresh_id().to_string();
    let too_many: Vec<_> = asked.iter().copied().chain([&*more]).collect();
    let twice = [asked[0], asked[1], asked[0]];
    for wrong in [&too_many[..], &twice[..]] {
        offer(&world, &ana, wrong).problem(422, "listing.photos_invalid");
        let body = json!({ "photos": wrong });
        edit(&world, &ana, &listing, &body).problem(422, "listing.photos_invalid");
    }
    // What was refused took none of them.
    asked.reverse();
    let made = offer(&world, &ana, &asked).expect(201).json();
    assert_eq!(ids(&made), asked);
    let path = format!("/v1/listings/{listing}");
    assert_eq!(world.get(&path).expect(200).json()["photos"], json!([]));
    announced_for(&world, &ana, "listing", "more.jpg", 9);
}

#[tokio::test]
async fn a_photo_is_shown_by_one_listing_however_many_ask_at_once() {
    let world = World::new();
    let ana = world.person("ana");
    let media = taken(&world, &ana).await;
    let copies: Vec<_> = (0..8).map(|_| world.begin(offer_call(&ana, &[&media], false))).collect();
    let answers = copies.into_iter().map(|copy| copy.join().expect("an answer"));
    let (made, others): (Vec<_>, Vec<_>) = answers.partition(|answer| answer.status == 201);
    for other in others {
        other.problem(409, "listing.photo_used");
    }
    let [made] = &made[..] else { panic!("{made:?}") };
    assert_eq!(ids(&made.json()), [&*media]);
    seen(&world, &media, "").expect(200);
}

#[tokio::test]
async fn an_edit_that_is_refused_takes_no_photo() {
    let world = World::new();
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    let listing = id_of(&offer(&world, &ana, &[]).expect(201).json());
    edit(&world, &ana, &listing, &json!({ "title": "Red bike" })).expect(200);
    let (hers, his) = (taken(&world, &ana).await, taken(&world, &bob).await);
    let path = format!("/v1/listings/{listing}");
    let stale = Call::new("PATCH", &path).token(&ana.token).header("if-match", "\"v1\"");
    let stale = world.call(stale.json(&json!({ "photos": [hers] })));
    stale.problem(412, "listing.version_changed");
    let body = json!({ "photos": [his] });
    edit(&world, &bob, &listing, &body).problem(403, "listing.not_yours");
    for (person, media) in [(&ana, &hers), (&bob, &his)] {
        offer(&world, person, &[media]).expect(201);
    }
}

#[tokio::test]
async fn a_key_uploads_photos_as_its_scopes_say() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let [sells, talks] =
        ["listings:write", "chats:write"].map(|scope| key_of(&world, &ana, &[scope]));
    create_for(&world, &talks, "listing", "x.jpg", 9).problem(403, "key.out_of_scope");
    create_for(&world, &sells, "avatar", "x.jpg", 9).problem(403, "key.out_of_scope");
    create(&world, &sells, chat, "x.jpg", 9).problem(403, "key.out_of_scope");
    let picture = photo(400, 300);
    let media = announced_for(&world, &sells, "listing", "bike.jpg", picture.len());
    let theirs = announced_for(&world, &bob, "listing", "bike.jpg", picture.len());
    put(&world, &sells, &theirs, &picture).problem(404, "media.not_found");
    let answer = put(&world, &sells, &media, &picture);
    assert!([200, 202].contains(&answer.status), "{}", answer.body);
    let is_ready = || read(&world, &ana, &media).expect(200).json()["state"] == "ready";
    until("the photo to be ready", is_ready).await;
    offer(&world, &sells, &[&media]).expect(201);
    seen(&world, &media, "").expect(200);
}

#[tokio::test]
async fn who_shows_nothing_fetches_photos_at_the_rate_of_an_address() {
    let world = World::with_settings(&[
        ("BARTERLINE_LIMITS__DOWNLOADS_BURST", "2"),
        ("BARTERLINE_LIMITS__DOWNLOADS_PER_MINUTE", "1"),
    ]);
    let ana = world.person("ana");
    let media = taken(&world, &ana).await;
    offer(&world, &ana, &[&media]).expect(201);
    for _ in 0..2 {
        seen(&world, &media, "").expect(200);
    }
    let refused = seen(&world, &media, "").problem(429, "rate.limited");
    assert_eq!(refused["scope"], "downloads");
    // Who logged in has as many of their own.
    content(&world, &ana, &media, "").expect(200);
}
