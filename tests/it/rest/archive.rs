//! /v1/accounts/me/archive

use barterline_protocol::Encoding;
use serde_json::{Value, json};

use crate::support::{Answer, Call, Person, World};

fn archive(world: &World, person: &Person) -> Answer {
    let call = Call::new("POST", "/v1/accounts/me/archive").token(&person.token);
    world.call(call.json(&json!({ "password": "correct horse" })))
}

/// The lines of an answer in chunks.
fn lines(answer: &Answer) -> Vec<Value> {
    let line = |line: &str| serde_json::from_str(line).ok();
    answer.body.lines().filter(|line| line.starts_with('{')).filter_map(line).collect()
}

fn of<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["line"] == kind).collect()
}

#[tokio::test]
async fn g6_an_archive_has_all_that_is_ones_own_and_nothing_else() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let mut buyer = world.device(&ana, Encoding::MsgPack).await;
    let mut seller = world.device(&bob, Encoding::MsgPack).await;
    for n in 0..120 {
        buyer.tells(chat, &format!("word {n}")).await;
    }
    seller.tells(chat, "an answer").await;
    world.listing(&ana);
    let eve = world.person("eve");
    let mut stranger = world.device(&eve, Encoding::MsgPack).await;
    let other = stranger.opens(&world.listing(&bob)).await.chat;
    stranger.tells(other, "a secret of others").await;

    let answer = archive(&world, &ana).expect(200);
    assert_eq!(answer.headers["content-type"], "application/x-ndjson");
    assert_eq!(answer.headers["cache-control"], "no-store");
    let lines = lines(&answer);
    assert_eq!(lines[0]["line"], "archive");
    let end = json!({ "line": "end", "lines": lines.len() - 1 });
    assert_eq!(lines.last(), Some(&end));
    let counted = ["account", "session", "second_factor", "settings", "listing", "chat", "event"]
        .map(|kind| of(&lines, kind).len());
    assert_eq!(counted, [1, 1, 1, 1, 1, 1, 121]);
    assert_eq!(of(&lines, "log_in")[0]["email"], json!(world.email("ana").to_lowercase()));
    assert_eq!(of(&lines, "event")[119]["text"], "word 119");
    assert_eq!(of(&lines, "event")[120]["text"], "an answer");
    let whole = answer.body;
    for hidden in ["a secret of others", "correct horse", &ana.refresh_token, &world.email("bob")] {
        assert!(!whole.contains(hidden), "{hidden}");
    }
    assert!(!whole.contains("argon2"), "no hash");
}

#[test]
fn an_archive_comes_to_its_end_compressed_as_well() {
    let world = World::new();
    let ana = world.person("ana");
    for encoding in ["gzip", "br", "identity"] {
        let call = Call::new("POST", "/v1/accounts/me/archive").token(&ana.token);
        let call = call.header("accept-encoding", encoding);
        let answer = world.call(call.json(&json!({ "password": "correct horse" }))).expect(200);
        let told = answer.headers.get("content-encoding").map_or("identity", String::as_str);
        assert_eq!(told, encoding);
        // The last chunk, without which it was cut off (RFC 9112, section 7.1).
        assert!(answer.body.ends_with("\r\n0\r\n\r\n"), "{encoding}: {}", answer.body);
    }
}

#[test]
fn an_archive_is_made_for_who_logged_in() {
    let world = World::new();
    let ana = world.person("ana");
    let scopes = json!(["profile:read", "chats:read", "listings:read"]);
    let key = json!({ "name": "a bot", "scopes": scopes, "password": "correct horse" });
    let key = world.call(Call::new("POST", "/v1/api-keys").token(&ana.token).json(&key));
    let key = key.expect(201).json()["secret"].as_str().expect("a key").to_owned();
    let ask = |token: &str, password: &str| {
        let call = Call::new("POST", "/v1/accounts/me/archive").token(token);
        world.call(call.json(&json!({ "password": password })))
    };
    ask(&key, "correct horse").problem(403, "key.log_in_only");
    ask("", "correct horse").problem(401, "token.invalid");
    ask(&ana.token, "another horse").problem(403, "password.wrong");
    // One after the other, and the one before has ended when its last line is read.
    for _ in 0..3 {
        assert_eq!(of(&lines(&archive(&world, &ana).expect(200)), "api_key").len(), 1);
    }
}
