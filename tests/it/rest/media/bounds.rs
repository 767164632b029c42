//! What is not taken: by what is in it, by how much it is, and by how much there is already.

use std::fs;

use image::ImageFormat;
use rustix::process::{Resource, Rlimit, prlimit};
use serde_json::json;

use super::{
    PDF, announced, ask, brought, content, create, files, id_of, key, put, read, send, state,
    until, uploaded,
};
use crate::support::pictures::{bomb, photo, plain};
use crate::support::{Call, World};

const MIB: usize = 1_024 * 1_024;

/// A picture that says of itself that it is as large as any can be.
fn inflated() -> Vec<u8> {
    let mut picture = plain(40, 30, ImageFormat::Jpeg);
    let frame = picture.windows(2).position(|marker| marker == [0xff, 0xc0]).expect("a frame");
    picture[frame + 5..frame + 9].fill(0xff);
    picture
}

/// The most that a server had in memory, in MiB.
fn most_memory(world: &World) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", world.pid())).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line");
    let kib: usize = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib / 1_024
}

#[tokio::test]
async fn what_is_not_taken_is_refused_whatever_it_is_called() {
    let world = World::new();
    let (ana, _, chat) = world.chat().await;
    let (jpeg, png) = (photo(800, 600), plain(800, 600, ImageFormat::Png));
    let cut = |bytes: &[u8]| bytes[..bytes.len() / 2].to_vec();
    let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";
    for (what, bytes, reason) in [
        ("SVG", svg.as_bytes().to_vec(), "unsupported"),
        ("XML", format!("<?xml version=\"1.0\"?>{svg}").into_bytes(), "unsupported"),
        ("a page", b"<!DOCTYPE html><script>alert(1)</script>".to_vec(), "unsupported"),
        ("an archive", b"PK\x03\x04\x14\0\0\0\x08\0".repeat(100), "unsupported"),
        ("a program", b"\x7fELF\x02\x01\x01\0".to_vec(), "unsupported"),
        ("another program", b"MZ\x90\0\x03\0\0\0".to_vec(), "unsupported"),
        ("a script", b"#!/bin/sh\nrm -rf /\n".to_vec(), "unsupported"),
        ("words", b"Is the bike still for sale?".to_vec(), "unsupported"),
        ("pages behind a page", b"<html>%PDF-1.7".to_vec(), "unsupported"),
        ("half a JPEG", cut(&jpeg), "damaged"),
        ("half a PNG", cut(&png), "damaged"),
        ("the beginning of a JPEG", b"\xff\xd8\xff\xe0".to_vec(), "damaged"),
        ("no pixel", bomb(0, 0), "damaged"),
        (
            "a script that begins as a GIF",
            b"GIF89a=1;alert(1)//".to_vec(),
            "too_many_pixels or damaged",
        ),
        ("a bomb", bomb(60_000, 60_000), "too_many_pixels"),
        ("a little too much", bomb(8_000, 7_000), "too_many_pixels"),
        ("a JPEG that is a bomb", inflated(), "too_many_pixels"),
    ] {
        let media = announced(&world, &ana, chat, "bike.jpg", bytes.len());
        let problem = put(&world, &ana, &media, &bytes).problem(422, "media.refused");
        assert!(
            reason.split(" or ").any(|reason| problem["reason"] == reason),
            "{what}: {problem}"
        );
        let file = read(&world, &ana, &media).expect(200).json();
        assert_eq!(
            (&file["state"], &file["reason"]),
            (&json!("refused"), &problem["reason"]),
            "{what}"
        );
        content(&world, &ana, &media, "").problem(422, "media.refused");
        send(&world, &ana, chat, &media).problem(404, "media.not_found");
        ask(&world, "DELETE", &ana, &format!("/v1/media/{media}")).expect(204);
    }
    let most = most_memory(&world);
    assert!(most < 400, "{most} MiB for pictures that nobody decoded");
    until("what was refused to go", || files(&world).is_empty()).await;
    // And the server goes on.
    uploaded(&world, &ana, chat, "bike.jpg", &jpeg).await;
}

#[tokio::test]
async fn each_kind_of_file_has_a_size_that_it_may_have() {
    let world = World::with_settings(&[
        ("BARTERLINE_MEDIA__PICTURE_MIB", "1"),
        ("BARTERLINE_MEDIA__VIDEO_MIB", "3"),
        ("BARTERLINE_MEDIA__AUDIO_MIB", "1"),
        ("BARTERLINE_MEDIA__DOCUMENT_MIB", "2"),
    ]);
    let (ana, _, chat) = world.chat().await;
    create(&world, &ana, chat, "x", 3 * MIB + 1).problem(413, "media.too_large");
    create(&world, &ana, chat, "x", 0).problem(400, "request.invalid");
    let filled = |head: &[u8], size: usize| {
        let mut bytes = head.to_vec();
        bytes.resize(size, 0);
        bytes
    };
    let film = b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2";
    for (head, size) in
        [(&photo(40, 30)[..], MIB + 1), (&b"OggS\0\x02"[..], MIB + 1), (PDF, 2 * MIB + 1)]
    {
        let media = announced(&world, &ana, chat, "x", size);
        let problem = put(&world, &ana, &media, &filled(head, size)).problem(422, "media.refused");
        assert_eq!(problem["reason"], "too_large");
    }
    for (head, size) in [(PDF, 2 * MIB), (&film[..], 3 * MIB)] {
        uploaded(&world, &ana, chat, "x", &filled(head, size)).await;
    }
    // What nobody announced is not read.
    let media = announced(&world, &ana, chat, "x", 10);
    put(&world, &ana, &media, &filled(PDF, 4 * MIB)).problem(413, "media.too_large");
    put(&world, &ana, &media, &filled(PDF, MIB)).problem(413, "media.too_large");
    assert_eq!(state(&world, &ana, &media), "waiting");
}

#[tokio::test]
async fn nobody_has_more_files_under_way_than_a_few() {
    let world = World::with_setting("BARTERLINE_MEDIA__UNFINISHED_MAX", "2");
    let (ana, bob, chat) = world.chat().await;
    let first = announced(&world, &ana, chat, "one.pdf", PDF.len());
    let second = announced(&world, &ana, chat, "two.pdf", PDF.len());
    create(&world, &ana, chat, "three.pdf", 9).problem(409, "media.too_many");
    // What is sent is finished, and what is taken back.
    brought(&world, &ana, &first, PDF).await;
    send(&world, &ana, chat, &first).expect(201);
    announced(&world, &ana, chat, "three.pdf", 9);
    create(&world, &ana, chat, "four.pdf", 9).problem(409, "media.too_many");
    ask(&world, "DELETE", &ana, &format!("/v1/media/{second}")).expect(204);
    announced(&world, &ana, chat, "four.pdf", 9);
    // Others have as many.
    announced(&world, &bob, chat, "mine.pdf", 9);
}

#[tokio::test]
async fn nobody_begins_more_uploads_in_an_hour_than_they_may() {
    let world = World::with_setting("BARTERLINE_MEDIA__UPLOADS_PER_HOUR", "3");
    let (ana, bob, chat) = world.chat().await;
    let mut tries = (0..4).map(|_| {
        let answer = create(&world, &ana, chat, "one.pdf", 9);
        if answer.status == 201 {
            let media = id_of(&answer.json());
            ask(&world, "DELETE", &ana, &format!("/v1/media/{media}")).expect(204);
        }
        answer
    });
    let refused = tries.find(|answer| answer.status != 201).expect("a limit");
    let wait: u64 = refused.headers["retry-after"].parse().expect("seconds");
    assert!(wait > 0);
    refused.problem(429, "rate.limited");
    create(&world, &bob, chat, "mine.pdf", 9).expect(201);
}

#[tokio::test]
async fn nobody_begins_to_upload_more_bytes_in_a_day_than_they_may() {
    let world = World::with_setting("BARTERLINE_MEDIA__UPLOADS_MIB_PER_DAY", "4");
    let (ana, bob, chat) = world.chat().await;
    let two_and_more = (2 << 20) + 1;
    create(&world, &ana, chat, "large.mp4", two_and_more).expect(201);
    // One is left: the last may go beyond.
    create(&world, &ana, chat, "larger.mp4", two_and_more).expect(201);
    let refused = create(&world, &ana, chat, "one.pdf", 9);
    let wait: u64 = refused.headers["retry-after"].parse().expect("seconds");
    assert!(wait > 3_600, "a quarter of a day brings one back: {wait}");
    refused.problem(429, "rate.limited");
    create(&world, &bob, chat, "mine.pdf", 9).expect(201);
}

#[tokio::test]
async fn files_leave_room_on_the_disk_for_what_people_say() {
    // More than there is.
    let world = World::with_setting("BARTERLINE_MEDIA__KEEP_FREE_MIB", "1048576");
    let (ana, _, chat) = world.chat().await;
    let media = announced(&world, &ana, chat, "papers.pdf", PDF.len());
    put(&world, &ana, &media, PDF).problem(507, "media.no_room");
    let part = Call::new("PATCH", &format!("/v1/uploads/{media}")).token(&ana.token);
    let part = part.header("tus-resumable", "1.0.0").header("upload-offset", "0");
    let part = part.header("content-type", "application/offset+octet-stream");
    world.call(part.body(PDF)).problem(507, "media.no_room");
    assert_eq!((&*state(&world, &ana, &media), files(&world).len()), ("waiting", 0));
    let words = json!({ "kind": "text", "text": "Is it still for sale?" });
    world.send(&ana, chat, &key(), &words).expect(201);
    // And they go on when there is room again.
    let world = world.restart();
    brought(&world, &ana, &media, PDF).await;
    send(&world, &ana, chat, &media).expect(201);
}

#[tokio::test]
async fn a_disk_that_takes_no_more_is_told_and_nothing_is_half_there() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let mut pages = PDF.to_vec();
    pages.resize(24 * MIB, 7);
    let media = announced(&world, &ana, chat, "papers.pdf", pages.len());
    // From here on no file grows beyond that.
    let limit = |bytes: Option<u64>| {
        let limit = Rlimit { current: bytes, maximum: None };
        prlimit(Some(world.process()), Resource::Fsize, limit).expect("a limit");
    };
    limit(Some(16 * MIB as u64));
    put(&world, &ana, &media, &pages).problem(507, "media.no_room");
    assert_eq!(state(&world, &ana, &media), "waiting");
    until("what was half written to go", || files(&world).is_empty()).await;
    // What is small is still taken, and people talk.
    let small = uploaded(&world, &bob, chat, "small.pdf", PDF).await;
    send(&world, &bob, chat, &small).expect(201);
    limit(None);
    brought(&world, &ana, &media, &pages).await;
    assert!(content(&world, &ana, &media, "").expect(200).bytes == pages);
}
