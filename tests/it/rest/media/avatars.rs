//! Pictures of people: who shows which, and who fetches it.

use serde_json::{Value, json};

use super::{
    announced_for, ask, brought, content, create_for, is_made_anew, key_of, read, seen, send,
    uploaded, uploaded_for,
};
use crate::support::pictures::photo;
use crate::support::socket::fresh_id;
use crate::support::{Answer, Call, Person, World};

fn change(world: &World, person: &Person, body: &Value) -> Answer {
    world.call(Call::new("PATCH", "/v1/accounts/me").token(&person.token).json(body))
}

/// The picture that anybody is told of.
fn told(world: &World, person: &Person) -> Value {
    world.get(&format!("/v1/accounts/{}", person.id)).expect(200).json()["avatar"].clone()
}

/// A picture that can be shown; gives its id.
async fn taken(world: &World, person: &Person) -> String {
    uploaded_for(world, person, "avatar", "me.jpg", &photo(400, 300)).await
}

#[tokio::test]
async fn people_show_a_picture_to_anybody_until_they_show_another() {
    let world = World::new();
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    assert_eq!(told(&world, &ana), Value::Null);
    let (first, second) = (taken(&world, &ana).await, taken(&world, &ana).await);
    is_made_anew(&world, &ana, &first, &[("full", 300, 400), ("thumb", 240, 320)]);
    let file = read(&world, &ana, &first).expect(200).json();
    assert_eq!((&file["purpose"], &file["chat"]), (&json!("avatar"), &Value::Null));
    seen(&world, &first, "").problem(404, "media.not_found");
    content(&world, &bob, &first, "").problem(404, "media.not_found");

    let now = change(&world, &ana, &json!({ "avatar": first })).expect(200).json();
    assert_eq!(now["avatar"], json!(first));
    let me = ask(&world, "GET", &ana, "/v1/accounts/me").expect(200).json();
    assert_eq!((&me["avatar"], told(&world, &ana)), (&json!(first), json!(first)));
    let shown = seen(&world, &first, "?size=thumb").expect(200);
    assert_eq!(shown.headers["cache-control"], "public, max-age=300");
    assert_eq!(shown.bytes, content(&world, &bob, &first, "?size=thumb").expect(200).bytes);
    ask(&world, "DELETE", &ana, &format!("/v1/media/{first}")).problem(409, "media.used");
    // What is left out stays, and the same is no change.
    for body in [json!({ "bio": "Bicycles." }), json!({ "avatar": first })] {
        assert_eq!(change(&world, &ana, &body).expect(200).json()["avatar"], json!(first));
    }
    let world = world.crash();
    seen(&world, &first, "").expect(200);

    change(&world, &ana, &json!({ "avatar": second })).expect(200);
    assert_eq!(told(&world, &ana), json!(second));
    seen(&world, &second, "").expect(200);
    seen(&world, &first, "").problem(404, "media.not_found");
    content(&world, &bob, &first, "").problem(404, "media.not_found");
    change(&world, &ana, &json!({ "avatar": null })).expect(200);
    assert_eq!(told(&world, &ana), Value::Null);
    seen(&world, &second, "").problem(404, "media.not_found");
}

#[tokio::test]
async fn a_picture_is_ones_own_for_that_and_whole() {
    let world = World::new();
    let (ana, bob, chat) = world.chat().await;
    let sent = uploaded(&world, &ana, chat, "me.jpg", &photo(400, 300)).await;
    let of_a_thing = uploaded_for(&world, &ana, "listing", "bike.jpg", &photo(400, 300)).await;
    let theirs = taken(&world, &bob).await;
    change(&world, &bob, &json!({ "avatar": theirs })).expect(200);
    for wrong in [&sent, &of_a_thing, &theirs, &fresh_id().to_string()] {
        let body = json!({ "bio": "Changed.", "avatar": wrong });
        change(&world, &ana, &body).problem(422, "account.avatar_not_found");
    }
    let late = announced_for(&world, &ana, "avatar", "late.jpg", photo(40, 30).len());
    let body = json!({ "avatar": late });
    change(&world, &ana, &body).problem(409, "account.avatar_not_ready");
    for wrong in [json!("x"), json!(7), json!([late])] {
        change(&world, &ana, &json!({ "avatar": wrong })).problem(400, "request.invalid");
    }
    let me = ask(&world, "GET", &ana, "/v1/accounts/me").expect(200).json();
    assert_eq!((&me["avatar"], &me["bio"]), (&Value::Null, &json!("")), "nothing was changed");
    brought(&world, &ana, &late, &photo(40, 30)).await;
    send(&world, &ana, chat, &late).problem(404, "media.not_found");
    change(&world, &ana, &body).expect(200);
    seen(&world, &late, "").expect(200);
}

#[tokio::test]
async fn a_key_shows_a_picture_as_its_scopes_say() {
    let world = World::new();
    let ana = world.person("ana");
    let [talks, shows] =
        ["chats:write", "profile:write"].map(|scope| key_of(&world, &ana, &[scope]));
    create_for(&world, &talks, "avatar", "me.jpg", 9).problem(403, "key.out_of_scope");
    let media = announced_for(&world, &shows, "avatar", "me.jpg", photo(40, 30).len());
    brought(&world, &ana, &media, &photo(40, 30)).await;
    change(&world, &talks, &json!({ "avatar": media })).problem(403, "key.out_of_scope");
    change(&world, &shows, &json!({ "avatar": media })).expect(200);
    seen(&world, &media, "").expect(200);
}
