//! /v1/listings

use serde_json::{Value, json};

use crate::support::{Answer, Call, Person, World};

fn patch(world: &World, person: &Person, listing: &str, body: &Value) -> Answer {
    let path = format!("/v1/listings/{listing}");
    world.call(Call::new("PATCH", &path).token(&person.token).json(body))
}

#[test]
fn a_listing_is_made_read_and_changed() {
    let world = World::new();
    let ana = world.person("ana");
    let body = json!({
        "title": " Bike ", "description": "Red", "price": { "minor": 5, "currency": "EUR" },
        "unknown": "ignored",
    });
    let made = world.call(Call::new("POST", "/v1/listings").token(&ana.token).json(&body));
    let made = made.expect(201);
    assert_eq!(made.headers["etag"], "\"v1\"");
    let made = made.json();
    assert_eq!(made["title"], "Bike");
    assert_eq!(made["seller"], ana.id.as_str());
    assert_eq!((&made["status"], &made["version"]), (&json!("active"), &json!(1)));
    let id = made["id"].as_str().expect("an id");
    assert_eq!(world.get(&format!("/v1/listings/{id}")).expect(200).json(), made);

    let changed = patch(&world, &ana, id, &json!({ "status": "reserved" })).expect(200);
    assert_eq!(changed.headers["etag"], "\"v2\"");
    let changed = changed.json();
    assert_eq!((&changed["title"], &changed["status"]), (&json!("Bike"), &json!("reserved")));
}

#[test]
fn a_version_guards_an_edit() {
    let world = World::new();
    let ana = world.person("ana");
    let id = world.listing(&ana);
    let path = format!("/v1/listings/{id}");
    let edit = |tag: &str, title: &str| {
        let call = Call::new("PATCH", &path).token(&ana.token).header("if-match", tag);
        world.call(call.json(&json!({ "title": title })))
    };
    edit("\"v1\"", "Red bike").expect(200);
    let problem = edit("\"v1\"", "Blue bike").problem(412, "listing.version_changed");
    assert_eq!(problem["version"], 2);
    edit("*", "Blue bike").expect(200);
    edit("\"v1\", \"v3\"", "Bike").problem(400, "request.invalid");
    edit("v3", "Bike").problem(400, "request.invalid");

    let known = Call::new("GET", &path).header("if-none-match", "\"v3\"");
    assert_eq!(world.call(known).expect(304).body, "");
    world.call(Call::new("GET", &path).header("if-none-match", "\"v2\"")).expect(200);
}

#[test]
fn only_the_seller_changes_a_listing_and_sold_is_final() {
    let world = World::new();
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    let id = world.listing(&ana);
    patch(&world, &bob, &id, &json!({ "title": "Mine" })).problem(403, "listing.not_yours");
    patch(&world, &ana, &id, &json!({ "status": "sold" })).expect(200);
    let back = json!({ "status": "active" });
    patch(&world, &ana, &id, &back).problem(409, "listing.status_final");
}

#[test]
fn what_cannot_be_a_listing_is_named() {
    let world = World::new();
    let ana = world.person("ana");
    let post =
        |body: Value| world.call(Call::new("POST", "/v1/listings").token(&ana.token).json(&body));
    let price = json!({ "minor": 1, "currency": "EUR" });
    post(json!({ "title": "", "price": price })).problem(422, "listing.title_invalid");
    let long = "x".repeat(10_001);
    post(json!({ "title": "x", "description": long, "price": price }))
        .problem(422, "listing.description_too_long");
    for price in [
        json!({ "minor": 1, "currency": "eur" }),
        json!({ "minor": 9_007_199_254_740_992_u64, "currency": "EUR" }),
    ] {
        post(json!({ "title": "x", "price": price })).problem(422, "listing.price_invalid");
    }
    for price in [json!(1), json!({ "minor": -1, "currency": "EUR" }), json!({ "minor": 1.5 })] {
        post(json!({ "title": "x", "price": price })).problem(400, "request.invalid");
    }
    let id = world.listing(&ana);
    patch(&world, &ana, &id, &json!({ "status": "lost" })).problem(400, "request.invalid");
    patch(&world, &ana, &id, &json!({ "title": " " })).problem(422, "listing.title_invalid");
}

#[test]
fn the_longest_listing_fits() {
    let world = World::new();
    let ana = world.person("ana");
    // Every character as an escaped surrogate pair: twelve bytes each.
    let description = "\\ud83d\\ude00".repeat(10_000);
    let body = format!(
        r#"{{"title":"x","description":"{description}","price":{{"minor":1,"currency":"EUR"}}}}"#
    );
    let call = Call::new("POST", "/v1/listings").token(&ana.token);
    let call = call.header("content-type", "application/json").body(body);
    world.call(call).expect(201);
}

#[test]
fn a_listing_that_is_not_there_is_not_found() {
    let world = World::new();
    let ana = world.person("ana");
    let nothing = "00000000-0000-7000-8000-000000000000";
    world.get(&format!("/v1/listings/{nothing}")).problem(404, "listing.not_found");
    patch(&world, &ana, nothing, &json!({ "title": "x" })).problem(404, "listing.not_found");
    world.get("/v1/listings/x").problem(400, "request.invalid");
    world.post("/v1/listings", &json!({})).problem(401, "token.invalid");
}
