//! /v1/listings

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::world::{barterline, run};
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

fn post(world: &World, person: &Person, more: &Value) -> Answer {
    let mut body = json!({ "title": "Bike", "price": { "minor": 12_000, "currency": "EUR" } });
    let fields = more.as_object().expect("fields").clone();
    body.as_object_mut().expect("fields").extend(fields);
    world.call(Call::new("POST", "/v1/listings").token(&person.token).json(&body))
}

#[test]
fn the_catalogue_says_what_is_said_of_each_kind_of_thing() {
    let world = World::new();
    let answer = world.get("/v1/catalogue").expect(200);
    let tag = answer.headers["etag"].clone();
    let tree = answer.json();
    let categories = tree["categories"].as_array().expect("categories");
    let bicycles = categories.iter().find(|it| it["id"] == "vehicles/bicycles").expect("bicycles");
    assert_eq!(bicycles["names"]["en"], "Bicycles");
    let attributes = bicycles["attributes"].as_array().expect("attributes");
    let kind = attributes.iter().find(|it| it["key"] == "type").expect("a type");
    assert_eq!(kind["kind"]["of"]["city"]["en"], "City");
    let known = Call::new("GET", "/v1/catalogue").header("if-none-match", &tag);
    world.call(known).expect(304);

    let ana = world.person("ana");
    let said = json!({
        "category": "vehicles/bicycles", "condition": "like_new",
        "attributes": { "type": "city", "frame": 56.5, "wheel": 28, "brand": " Trek " },
    });
    let made = post(&world, &ana, &said).expect(201).json();
    assert_eq!(made["category"], "vehicles/bicycles");
    assert_eq!(made["condition"], "like_new");
    let kept = json!({ "type": "city", "frame": 56.5, "wheel": 28.0, "brand": "Trek" });
    assert_eq!(made["attributes"], kept);
    let id = made["id"].as_str().expect("an id");
    assert_eq!(world.get(&format!("/v1/listings/{id}")).expect(200).json(), made);

    let refused = |more: Value, code: &str| post(&world, &ana, &more).problem(422, code);
    refused(json!({ "category": "vehicles/tanks" }), "listing.category_unknown");
    refused(json!({ "category": "Bikes!" }), "listing.category_unknown");
    refused(json!({ "attributes": { "brand": "Trek" } }), "listing.attributes_invalid");
    for wrong in [
        json!({ "brand": null }),
        json!({ "brand": { "name": "Trek" } }),
        json!({ "type": "boat" }),
        json!({ "frame": "large" }),
        json!({ "frame": 56.55 }),
        json!({ "wings": 2 }),
        json!({ "brand": "\u{202e}Trek" }),
        json!({ "type": ["city"] }),
    ] {
        let more = json!({ "category": "vehicles/bicycles", "attributes": wrong });
        refused(more, "listing.attributes_invalid");
    }
    let make = refused(json!({ "category": "vehicles/cars" }), "listing.attributes_invalid");
    assert_eq!(make["detail"], "make is missing");
    // Taken away, both together.
    let change = |body: Value| patch(&world, &ana, id, &body);
    change(json!({ "categroy": null })).problem(400, "request.invalid");
    let bare = json!({ "category": null, "condition": null });
    let bare = change(bare).expect(200).json();
    assert_eq!((&bare["category"], &bare["condition"]), (&Value::Null, &Value::Null));
    assert_eq!(bare["attributes"], json!({}));
}

#[test]
fn a_place_is_as_coarse_for_everybody() {
    let world = World::new();
    let ana = world.person("ana");
    let exact = json!({ "place": { "lat": 52.516_275, "lon": 13.377_704, "name": "Berlin" } });
    let made = post(&world, &ana, &exact).expect(201).json();
    let (cell, name) = (&made["place"]["cell"], &made["place"]["name"]);
    assert_eq!((cell, name), (&json!("u33db"), &json!("Berlin")));
    let shown = world.get(&format!("/v1/listings/{}", made["id"].as_str().expect("an id")));
    let shown = shown.expect(200);
    assert!(!shown.body.contains("52.516") && !shown.body.contains("13.3777"), "{}", shown.body);
    let near = json!({ "place": { "cell": "u33db" } });
    let near = post(&world, &ana, &near).expect(201).json();
    assert_eq!(near["place"]["lat"], made["place"]["lat"], "the middle of the cell, whoever asks");
    for place in [
        json!({ "lat": 91, "lon": 0 }),
        json!({ "lat": 0 }),
        json!({ "cell": "u33da" }),
        json!({}),
        json!({ "lat": 1, "lon": 1, "cell": "u33db" }),
        json!({ "cell": "u33db", "name": "" }),
    ] {
        post(&world, &ana, &json!({ "place": place })).problem(422, "listing.place_invalid");
    }
}

#[test]
fn drafts_are_for_their_seller_and_nobody_talks_about_them() {
    let world = World::new();
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    for misspelt in [json!({ "darft": true }), json!({ "status": "draft" })] {
        post(&world, &ana, &misspelt).problem(400, "request.invalid");
    }
    let draft = post(&world, &ana, &json!({ "draft": true, "category": "vehicles/cars" }));
    let draft = draft.expect(201).json();
    assert_eq!((&draft["status"], &draft["expires_at"]), (&json!("draft"), &Value::Null));
    let id = draft["id"].as_str().expect("an id");
    let path = format!("/v1/listings/{id}");
    let see = |path: &str, token: &str| world.call(Call::new("GET", path).token(token));
    see(&path, &ana.token).expect(200);
    for path in [&path, &format!("{path}/history")] {
        world.get(path).problem(404, "listing.not_found");
        see(path, &bob.token).problem(404, "listing.not_found");
    }
    see(&path, "expired").problem(401, "token.invalid");
    let list = format!("/v1/accounts/{}/listings", ana.id);
    let shown = |answer: Answer| answer.expect(200).json()["listings"].as_array().map(Vec::len);
    assert_eq!(shown(see(&list, &ana.token)), Some(1));
    assert_eq!(shown(see(&list, &bob.token)), Some(0));
    assert_eq!(shown(world.get(&list)), Some(0));
    let open = Call::new("POST", "/v1/chats").token(&bob.token).json(&json!({ "listing": id }));
    world.call(open).problem(404, "listing.not_found");
    for path in [&path, &format!("{path}/renewal")] {
        let method = if path.ends_with("renewal") { "POST" } else { "PATCH" };
        let call = Call::new(method, path).token(&bob.token).json(&json!({ "title": "Mine" }));
        world.call(call).problem(404, "listing.not_found");
    }
    let given_up = post(&world, &ana, &json!({ "draft": true })).expect(201).json();
    let given_up = given_up["id"].as_str().expect("an id");
    patch(&world, &ana, given_up, &json!({ "status": "withdrawn" })).expect(200);
    world.get(&format!("/v1/listings/{given_up}")).problem(404, "listing.not_found");
    assert_eq!(shown(world.get(&list)), Some(0));
    let publish = json!({ "status": "active" });
    patch(&world, &ana, id, &publish).problem(422, "listing.attributes_invalid");
    let whole = json!({ "status": "active", "attributes": { "make": "Skoda" } });
    let listing = patch(&world, &ana, id, &whole).expect(200).json();
    assert!(listing["expires_at"].is_u64(), "{listing}");
    world.get(&path).expect(200);
}

#[test]
fn a_listing_has_an_end_a_reason_and_a_history() {
    let world = World::new();
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    let id = world.listing(&ana);
    let change = |body: Value| patch(&world, &ana, &id, &body);
    let now = change(json!({})).expect(200).json();
    let end = now["expires_at"].as_u64().expect("an end");
    change(json!({ "expires_at": 1 })).problem(422, "listing.expiry_invalid");
    change(json!({ "expires_at": end + 86_400_000 })).problem(422, "listing.expiry_invalid");
    let soon = change(json!({ "expires_at": end - 86_400_000 })).expect(200).json();
    assert_eq!(soon["expires_at"], end - 86_400_000);
    let renew = |person: &Person| {
        world.call(Call::new("POST", &format!("/v1/listings/{id}/renewal")).token(&person.token))
    };
    renew(&bob).problem(403, "listing.not_yours");
    assert!(renew(&ana).expect(200).json()["expires_at"].as_u64() >= Some(end));
    change(json!({ "reason": "here" })).problem(422, "listing.reason_invalid");
    change(json!({ "status": "expired" })).problem(409, "listing.status_final");
    change(json!({ "price": { "minor": 9_000, "currency": "EUR" } })).expect(200);
    let sold = change(json!({ "status": "sold", "reason": "here" })).expect(200).json();
    assert_eq!((&sold["status"], &sold["reason"]), (&json!("sold"), &json!("here")));
    renew(&ana).problem(409, "listing.status_final");
    let history = world.get(&format!("/v1/listings/{id}/history")).expect(200).json();
    let changes = history["changes"].as_array().expect("changes").iter();
    let changes: Vec<_> = changes
        .map(|change| (change["price"]["minor"].clone(), change["status"].clone()))
        .collect();
    let expected = [(12_000, "active"), (9_000, "active"), (9_000, "sold")];
    assert_eq!(changes, expected.map(|(minor, status)| (json!(minor), json!(status))));
}

#[test]
fn what_expires_is_for_sale_no_more() {
    let world = World::with_setting("BARTERLINE_LIMITS__ENABLED", "false");
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    let made = post(&world, &ana, &json!({})).expect(201).json();
    let id = made["id"].as_str().expect("an id");
    let path = format!("/v1/listings/{id}");
    // The shortest that is still in the future when it arrives.
    let ends_soon = [20, 200, 2_000, 20_000].into_iter().any(|ms| {
        let now = patch(&world, &ana, id, &json!({ "description": ms.to_string() })).expect(200);
        let end = now.json()["changed_at"].as_u64().expect("a time") + ms;
        patch(&world, &ana, id, &json!({ "expires_at": end })).status == 200
    });
    assert!(ends_soon);
    let version = world.get(&path).expect(200).json()["version"].clone();
    let tag = format!("\"v{version}\"");
    let patience = Instant::now() + Duration::from_mins(1);
    let expired = loop {
        let answer = world.call(Call::new("GET", &path).header("if-none-match", &tag));
        if answer.status == 200 {
            break answer.json();
        }
        assert!(Instant::now() < patience, "it goes on");
        thread::yield_now();
    };
    assert_eq!((&expired["status"], &expired["version"]), (&json!("expired"), &version));
    let open = || {
        let call = Call::new("POST", "/v1/chats").token(&bob.token);
        world.call(call.json(&json!({ "listing": id })))
    };
    open().problem(409, "listing.closed");
    let back = patch(&world, &ana, id, &json!({ "status": "active" })).expect(200).json();
    assert_eq!(back["status"], "active");
    open().expect(201);
}

#[test]
fn an_operator_has_categories_of_their_own() {
    let dir = TempDir::new().expect("a directory");
    let file = dir.path().join("kinds.json");
    let tree = json!({ "categories": [{ "id": "stamps", "names": { "en": "Stamps" }, "attributes": [
        { "key": "perforated", "names": { "en": "Perforated" }, "kind": { "type": "flag" } },
    ] }] });
    fs::write(&file, tree.to_string()).expect("a file");
    let path = file.to_str().expect("UTF-8");
    let world = World::with_setting("BARTERLINE_LISTINGS__CATALOGUE", path);
    let shown = world.get("/v1/catalogue").expect(200).json();
    assert_eq!(shown["categories"].as_array().map(Vec::len), Some(1));
    let ana = world.person("ana");
    let stamp = json!({ "category": "stamps", "attributes": { "perforated": true } });
    post(&world, &ana, &stamp).expect(201);
    post(&world, &ana, &json!({ "category": "vehicles" })).problem(422, "listing.category_unknown");
}

#[test]
fn an_operator_puts_up_what_a_file_has() {
    let world = World::new();
    let ana = world.person("ana");
    let price = json!({ "minor": 5, "currency": "EUR" });
    let lines = [
        json!({ "title": "Bike", "price": price }).to_string(),
        json!({ "title": "", "price": price }).to_string(),
        String::new(),
        "{\"title\":".to_owned(),
        json!({ "title": "Bike", "price": price, "colour": "red" }).to_string(),
        json!({ "title": "Lamp", "price": price, "condition": "new" }).to_string(),
    ];
    let file = world.data().with_file_name("listings.jsonl");
    fs::write(&file, lines.join("\n")).expect("a file");
    let import = |seller: &str, more: &[&str]| {
        let mut command = barterline();
        command.args(["listings", "import", "--data"]).arg(world.data()).arg(&file);
        run(command_with(command, &[&["--seller", seller], more].concat()))
    };
    let (code, said, complaint) = import(&ana.id, &[]);
    assert_eq!((code, said.as_str()), (1, ""), "{complaint}");
    for told in ["line 2: ", "line 4: ", "line 5: ", "put up for sale: 2; refused: 3"] {
        assert!(complaint.contains(told), "{told}: {complaint}");
    }
    let (code, said, complaint) = import(&ana.id, &["--from-line", "6"]);
    assert_eq!((code, said.trim()), (0, "put up for sale: 1"), "{complaint}");
    let all = world.get(&format!("/v1/accounts/{}/listings", ana.id)).expect(200).json();
    let titles = all["listings"].as_array().expect("listings").iter();
    let titles: Vec<_> = titles.map(|it| it["title"].as_str().expect("a title")).collect();
    assert_eq!(titles, ["Lamp", "Lamp", "Bike"]);
    assert_eq!(world.noted(&ana.id).iter().filter(|note| note.1 == "listings.import").count(), 2);

    let (code, _, complaint) = import("01a20741-33b3-7000-a03f-60e573858ff7", &[]);
    assert!(code == 1 && complaint.contains("account"), "{complaint}");
    let (code, _, _) = import("ana", &[]);
    assert_eq!(code, 2);
}

fn command_with(mut command: Command, arguments: &[&str]) -> Command {
    command.args(arguments);
    command
}
