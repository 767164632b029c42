//! /v1/favourites

use serde_json::{Value, json};

use crate::support::{Answer, Call, Person, World};

fn ask(world: &World, method: &str, person: &Person, path: &str) -> Answer {
    world.call(Call::new(method, &format!("/v1/favourites{path}")).token(&person.token))
}

fn liked(world: &World, person: &Person) -> Vec<String> {
    let page = ask(world, "GET", person, "").expect(200).json();
    let page = page["favourites"].as_array().expect("favourites").iter();
    page.map(|it| it["listing"]["id"].as_str().expect("an id").to_owned()).collect()
}

fn count(world: &World, listing: &str) -> Value {
    let stats = world.get(&format!("/v1/listings/{listing}/stats")).expect(200).json();
    stats["favourites"].clone()
}

#[test]
fn what_somebody_likes_is_theirs_and_counted() {
    let world = World::new();
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    let seller = world.person("seller");
    let (bike, boat) = (world.listing(&seller), world.listing(&seller));
    assert_eq!(count(&world, &bike), 0);
    for listing in [&bike, &boat, &bike] {
        ask(&world, "PUT", &ana, &format!("/{listing}")).expect(204);
    }
    ask(&world, "PUT", &bob, &format!("/{bike}")).expect(204);
    assert_eq!((count(&world, &bike), count(&world, &boat)), (json!(2), json!(1)));
    assert_eq!(liked(&world, &bob), std::slice::from_ref(&bike), "nobody sees what others like");
    let mut all = liked(&world, &ana);
    all.sort_unstable();
    let mut both = vec![bike.clone(), boat.clone()];
    both.sort_unstable();
    assert_eq!(all, both);
    let first = ask(&world, "GET", &ana, "?limit=1").expect(200).json();
    let next = first["next"].as_str().expect("more");
    let second = ask(&world, "GET", &ana, &format!("?limit=1&after={next}")).expect(200).json();
    assert!(second["next"].is_null());
    assert_ne!(first["favourites"][0]["listing"], second["favourites"][0]["listing"]);
    for _ in 0..2 {
        ask(&world, "DELETE", &ana, &format!("/{bike}")).expect(204);
    }
    assert_eq!((liked(&world, &ana), count(&world, &bike)), (vec![boat], json!(1)));
}

#[test]
fn nobody_likes_what_they_cannot_see() {
    let world = World::new();
    let (ana, seller) = (world.person("ana"), world.person("seller"));
    let draft = json!({
        "title": "Bike", "price": { "minor": 1, "currency": "EUR" }, "draft": true,
    });
    let draft = world.call(Call::new("POST", "/v1/listings").token(&seller.token).json(&draft));
    let draft = draft.expect(201).json()["id"].as_str().expect("an id").to_owned();
    let nothing = "00000000-0000-7000-8000-000000000000";
    for listing in [&draft[..], nothing] {
        ask(&world, "PUT", &ana, &format!("/{listing}")).problem(404, "listing.not_found");
        let stats = world.get(&format!("/v1/listings/{listing}/stats"));
        stats.problem(404, "listing.not_found");
    }
    ask(&world, "PUT", &ana, "/bike").problem(400, "request.invalid");
    world.get("/v1/favourites").problem(401, "token.invalid");
    assert_eq!(liked(&world, &ana), [""; 0]);
}

#[test]
fn favourites_are_taken_along_and_erased() {
    let world = World::new();
    let (ana, seller) = (world.person("ana"), world.person("seller"));
    let bike = world.listing(&seller);
    ask(&world, "PUT", &ana, &format!("/{bike}")).expect(204);
    let proof = json!({ "password": "correct horse" });
    let leave = |what: &str| {
        let path = format!("/v1/accounts/me/{what}");
        world.call(Call::new("POST", &path).token(&ana.token).json(&proof)).expect(200)
    };
    let lines = leave("archive").body;
    let line = lines.lines().find(|line| line.contains(r#""line":"favourite""#));
    assert!(line.is_some_and(|line| line.contains(&bike)), "{lines}");
    leave("erasure");
    assert_eq!(count(&world, &bike), 0);
}
