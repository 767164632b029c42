//! What becomes of files whose messages, owners or uploads go.

use serde_json::{Value, json};

use super::{
    PDF, announced, ask, content, files, has, id_of, put, read, seen, send, state, take_back,
    until, uploaded, uploaded_for,
};
use crate::support::pictures::photo;
use crate::support::{Call, World, embedded_only};

#[tokio::test]
async fn what_is_taken_back_leaves_no_byte_behind() {
    embedded_only!("files in the directory of one server go by any server of the database");
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let picture = uploaded(&world, &ana, chat, "bike.jpg", &photo(400, 300)).await;
    let pages = uploaded(&world, &ana, chat, "papers.pdf", PDF).await;
    let [of_picture, of_pages] = [&picture, &pages]
        .map(|media| send(&world, &ana, chat, media).expect(201).json()["seq"].clone());
    let kept = uploaded(&world, &bob, chat, "kept.pdf", PDF).await;
    send(&world, &bob, chat, &kept).expect(201);
    let unsent = uploaded(&world, &ana, chat, "unsent.jpg", &photo(400, 300)).await;
    let unfinished = announced(&world, &ana, chat, "unfinished.pdf", 1_000);
    let part = Call::new("PATCH", &format!("/v1/uploads/{unfinished}")).token(&ana.token);
    let part = part.header("tus-resumable", "1.0.0").header("upload-offset", "0");
    let part = part.header("content-type", "application/offset+octet-stream");
    world.call(part.body(&PDF[..10])).expect(204);
    let refused = announced(&world, &ana, chat, "page.jpg", 6);
    put(&world, &ana, &refused, b"<html>").problem(422, "media.refused");
    let of = |media: &str| {
        files(&world).iter().filter(|file| file.to_string_lossy().contains(media)).count()
    };
    for media in [&picture, &pages, &unsent, &unfinished] {
        assert!(of(media) > 0, "{media} is somewhere");
    }

    for media in [&unsent, &unfinished] {
        ask(&world, "DELETE", &ana, &format!("/v1/media/{media}")).expect(204);
    }
    for seq in [&of_picture, &of_pages] {
        take_back(&world, &ana, chat, seq);
    }
    for media in [&picture, &pages, &unsent, &unfinished] {
        read(&world, &ana, media).problem(404, "media.not_found");
    }
    for media in [&picture, &pages, &unsent, &unfinished, &refused] {
        until("the bytes to go", || of(media) == 0).await;
    }
    assert!(of(&kept) > 0);
    assert_eq!(content(&world, &ana, &kept, "").expect(200).bytes, PDF);
}

#[tokio::test]
async fn files_are_taken_along_and_go_with_their_owner() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let sent = uploaded(&world, &ana, chat, "sent.pdf", PDF).await;
    let unsent = uploaded(&world, &ana, chat, "unsent.pdf", PDF).await;
    let theirs = uploaded(&world, &bob, chat, "theirs.pdf", PDF).await;
    for (person, media) in [(&ana, &sent), (&bob, &theirs)] {
        send(&world, person, chat, media).expect(201);
    }
    let proof = json!({ "password": "correct horse" });
    let leave = |what: &str| {
        let path = format!("/v1/accounts/me/{what}");
        world.call(Call::new("POST", &path).token(&ana.token).json(&proof)).expect(200)
    };
    let archive = leave("archive").body;
    for (media, name) in [(&sent, "sent.pdf"), (&unsent, "unsent.pdf")] {
        let lines = archive.lines().filter(|line| line.contains(r#""line":"media""#));
        let mut lines = lines.filter(|line| line.contains(media.as_str()) && line.contains(name));
        assert!(lines.next().is_some(), "{archive}");
    }
    assert!(!archive.contains("theirs.pdf"), "{archive}");

    content(&world, &bob, &sent, "").expect(200);
    crate::rest::erasure::until_erased(|| leave("erasure"));
    read(&world, &bob, &sent).problem(404, "media.not_found");
    content(&world, &bob, &sent, "").problem(404, "media.not_found");
    assert_eq!(content(&world, &bob, &theirs, "").expect(200).bytes, PDF);
    let page = ask(&world, "GET", &bob, &format!("/v1/chats/{chat}/events")).expect(200).body;
    assert!(!page.contains(&sent) && page.contains(&theirs), "{page}");
}

#[tokio::test]
async fn what_is_erased_leaves_no_byte_behind() {
    embedded_only!("files in the directory of one server go by any server of the database");
    let world = World::new();
    let (ana, _, chat) = world.chat().await;
    let sent = uploaded(&world, &ana, chat, "sent.pdf", PDF).await;
    let shown = uploaded_for(&world, &ana, "listing", "bike.jpg", &photo(400, 300)).await;
    let price = json!({ "minor": 5, "currency": "EUR" });
    let offer = json!({ "title": "Bike", "price": price, "photos": [shown] });
    let offer = Call::new("POST", "/v1/listings").token(&ana.token).json(&offer);
    let listing = id_of(&world.call(offer).expect(201).json());
    let face = uploaded_for(&world, &ana, "avatar", "me.jpg", &photo(400, 300)).await;
    let me = Call::new("PATCH", "/v1/accounts/me").token(&ana.token);
    world.call(me.json(&json!({ "avatar": face }))).expect(200);
    for media in [&shown, &face] {
        seen(&world, media, "").expect(200);
    }
    uploaded(&world, &ana, chat, "unsent.jpg", &photo(400, 300)).await;
    send(&world, &ana, chat, &sent).expect(201);
    assert!(!files(&world).is_empty());
    let body = json!({ "password": "correct horse" });
    let path = "/v1/accounts/me/erasure";
    crate::rest::erasure::until_erased(|| {
        world.call(Call::new("POST", path).token(&ana.token).json(&body))
    });
    for media in [&shown, &face] {
        seen(&world, media, "").problem(404, "media.not_found");
    }
    let left = world.get(&format!("/v1/listings/{listing}")).expect(200).json();
    assert_eq!(left["photos"], json!([]));
    let left = world.get(&format!("/v1/accounts/{}", ana.id)).expect(200).json();
    assert_eq!(left["avatar"], Value::Null);
    until("the bytes to go", || files(&world).is_empty()).await;
}

#[tokio::test]
async fn what_is_there_stays_when_a_server_is_killed() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let media = uploaded(&world, &ana, chat, "bike.jpg", &photo(800, 600)).await;
    send(&world, &ana, chat, &media).expect(201);
    let before = content(&world, &bob, &media, "?size=thumb").expect(200).bytes;
    assert!(has(&before, b"JFIF"));
    let world = world.crash();
    assert_eq!(content(&world, &bob, &media, "?size=thumb").expect(200).bytes, before);
    assert_eq!(state(&world, &ana, &media), "ready");
}
