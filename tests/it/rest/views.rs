//! How often listings are looked at

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Call, Person, World};

/// As long as a busy machine may take until a look is told.
const PATIENCE: Duration = Duration::from_mins(1);

fn looks(world: &World, person: &Person, listing: &str) {
    let call = Call::new("GET", &format!("/v1/listings/{listing}")).token(&person.token);
    world.call(call).expect(200);
}

/// Waits until so many looks are told, and never more. While they are added to the store, there may be fewer.
fn are(world: &World, listing: &str, wanted: u64) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let stats = world.get(&format!("/v1/listings/{listing}/stats")).expect(200).json();
        let views = stats["views"].as_u64().expect("a number");
        assert!(views <= wanted, "{views}, not {wanted}");
        if views == wanted {
            return;
        }
        assert!(Instant::now() < deadline, "{views}, not {wanted}");
        thread::yield_now();
    }
}

#[test]
fn whoever_looks_at_a_listing_counts_once_and_its_seller_never() {
    let world = World::new();
    let (ana, bob, seller) = (world.person("ana"), world.person("bob"), world.person("seller"));
    let (bike, boat) = (world.listing(&seller), world.listing(&seller));
    are(&world, &bike, 0);
    for _ in 0..2 {
        looks(&world, &ana, &bike);
        looks(&world, &seller, &bike);
    }
    are(&world, &bike, 1);
    looks(&world, &bob, &bike);
    for _ in 0..2 {
        world.get(&format!("/v1/listings/{bike}")).expect(200);
    }
    are(&world, &bike, 3);
    // Neither in a list, nor by what was not sent.
    world.get(&format!("/v1/accounts/{}/listings", seller.id)).expect(200);
    let tag = Call::new("GET", &format!("/v1/listings/{boat}")).header("if-none-match", "*");
    world.call(tag).expect(304);
    are(&world, &boat, 0);
}

#[test]
fn looks_outlast_a_server_that_is_asked_to_stop() {
    let world = World::new();
    let (ana, seller) = (world.person("ana"), world.person("seller"));
    let bike = world.listing(&seller);
    looks(&world, &ana, &bike);
    looks(&world, &seller, &bike);
    let world = world.restart();
    are(&world, &bike, 1);
    // Who looked is written down nowhere.
    looks(&world, &ana, &bike);
    are(&world, &bike, 2);
}

#[test]
fn of_a_draft_nobody_learns_how_often_it_is_looked_at() {
    let world = World::new();
    let (ana, seller) = (world.person("ana"), world.person("seller"));
    let draft = json!({
        "title": "Bike", "price": { "minor": 1, "currency": "EUR" }, "draft": true,
    });
    let draft = world.call(Call::new("POST", "/v1/listings").token(&seller.token).json(&draft));
    let draft = draft.expect(201).json()["id"].as_str().expect("an id").to_owned();
    let stats = |person: &Person| {
        let call = Call::new("GET", &format!("/v1/listings/{draft}/stats"));
        world.call(call.token(&person.token))
    };
    looks(&world, &seller, &draft);
    stats(&ana).problem(404, "listing.not_found");
    assert_eq!(stats(&seller).expect(200).json(), json!({ "favourites": 0, "views": 0 }));
}
