//! /v1/saved-searches

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::rest::erasure::until_erased;
use crate::support::{Answer, Call, Person, World};

/// As long as a busy machine may take until there is an index.
const PATIENCE: Duration = Duration::from_mins(1);
const NOTHING: &str = "00000000-0000-7000-8000-000000000000";

fn ask(world: &World, method: &str, person: &Person, path: &str) -> Answer {
    world.call(Call::new(method, &format!("/v1/saved-searches{path}")).token(&person.token))
}

fn say(world: &World, method: &str, person: &Person, path: &str, body: &Value) -> Answer {
    let call = Call::new(method, &format!("/v1/saved-searches{path}")).token(&person.token);
    world.call(call.json(body))
}

fn keep(world: &World, person: &Person, name: &str, query: &str) -> Answer {
    say(world, "POST", person, "", &json!({ "name": name, "query": query }))
}

fn kept(world: &World, person: &Person, name: &str, query: &str) -> String {
    let search = keep(world, person, name, query).expect(201).json();
    search["id"].as_str().expect("an id").to_owned()
}

fn names(world: &World, person: &Person) -> Vec<String> {
    let page = ask(world, "GET", person, "").expect(200).json();
    let searches = page["saved_searches"].as_array().expect("searches").iter();
    searches.map(|search| search["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn searches_are_kept_changed_and_forgotten() {
    let world = World::new();
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    assert_eq!(names(&world, &ana), [""; 0]);
    let bikes = "text=city%20bike&category=vehicles/bicycles&attributes={\"type\":\"city\"}";
    let search = keep(&world, &ana, " City bikes ", bikes).expect(201).json();
    let ordered =
        "attributes=%7B%22type%22%3A%22city%22%7D&category=vehicles%2Fbicycles&text=city+bike";
    assert_eq!((&search["name"], &search["query"]), (&json!("City bikes"), &json!(ordered)));
    assert!(search["created_at"].as_u64() > Some(0));
    kept(&world, &ana, "Everything", "");
    kept(&world, &bob, "Near me", "near=52.52,13.405&within_km=5&sort=distance");
    assert_eq!(names(&world, &ana), ["Everything", "City bikes"], "the newest first");
    assert_eq!(names(&world, &bob), ["Near me"], "nobody sees what others look for");

    let id = search["id"].as_str().expect("an id");
    let one = format!("/{id}");
    let other = json!({ "name": "Road bikes", "query": ordered.replace("city+", "road+") });
    let changed = say(&world, "PUT", &ana, &one, &other).expect(200).json();
    assert_eq!((&changed["name"], &changed["query"]), (&other["name"], &other["query"]));
    assert_eq!((&changed["id"], &changed["created_at"]), (&search["id"], &search["created_at"]));
    assert_eq!(names(&world, &ana), ["Everything", "Road bikes"]);

    say(&world, "PUT", &bob, &one, &other).problem(404, "saved_search.not_found");
    ask(&world, "DELETE", &bob, &one).problem(404, "saved_search.not_found");
    say(&world, "PUT", &ana, &format!("/{NOTHING}"), &other).problem(404, "saved_search.not_found");
    ask(&world, "DELETE", &ana, "/bikes").problem(400, "request.invalid");
    ask(&world, "DELETE", &ana, &one).expect(204);
    ask(&world, "DELETE", &ana, &one).problem(404, "saved_search.not_found");
    assert_eq!(names(&world, &ana), ["Everything"]);
    world.get("/v1/saved-searches").problem(401, "token.invalid");
}

#[test]
fn what_is_kept_can_be_asked_for() {
    let world = World::new();
    let ana = world.person("ana");
    let asked = format!("text=bike&seller={}&status=active&sort=price_up&currency=EUR", ana.id);
    kept(&world, &ana, "My own", &asked);
    let search = ask(&world, "GET", &ana, "").expect(200).json()["saved_searches"][0].clone();
    let path = format!("/v1/listings?{}", search["query"].as_str().expect("a query"));
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = world.get(&path);
        if found.status == 200 {
            return assert!(found.json()["listings"].is_array(), "{}", found.body);
        }
        found.problem(503, "server.unavailable");
        assert!(Instant::now() < deadline, "there is no index");
        thread::yield_now();
    }
}

#[test]
fn what_makes_no_sense_is_not_kept() {
    // The rules are the same where nothing is searched.
    for enabled in ["true", "false"] {
        let world = World::with_setting("BARTERLINE_SEARCH__ENABLED", enabled);
        let ana = world.person("ana");
        let long = format!("text={}", "%20".repeat(1_000));
        let of_one_look = ["after=x", "text=bike&limit=5", "facets=true", "facets=false"];
        let none = ["?text=bike", "colour=red", "price_min=cheap", "text=a&text=b", "seller=ana"];
        for wrong in of_one_look.iter().chain(&none) {
            keep(&world, &ana, "Bikes", wrong).problem(422, "saved_search.invalid");
        }
        let none = [
            "text=+",
            &long,
            "sort=relevance",
            "sort=distance",
            "price_min=1",
            "currency=EURO",
            "near=Berlin",
            "condition=shiny",
            "status=draft",
            "attributes=[]",
        ];
        for wrong in none {
            keep(&world, &ana, "Bikes", wrong).problem(422, "search.invalid");
        }
        keep(&world, &ana, "Bikes", "category=nowhere").problem(422, "listing.category_unknown");
        let wings = "category=vehicles/bicycles&attributes={\"wings\":true}";
        keep(&world, &ana, "Bikes", wings).problem(422, "listing.attributes_invalid");
        // Sound, and too long.
        let conditions = format!("condition={}", ["new"; 1_000].join(","));
        keep(&world, &ana, "Bikes", &conditions).problem(422, "saved_search.invalid");
        let long_name = "x".repeat(121);
        for wrong in ["", " ", "Bi\u{202e}kes", "Bi\nkes", &long_name] {
            keep(&world, &ana, wrong, "text=bike").problem(422, "saved_search.invalid");
        }
        say(&world, "POST", &ana, "", &json!({ "name": "Bikes" })).problem(400, "request.invalid");
        assert_eq!(names(&world, &ana), [""; 0]);

        let id = kept(&world, &ana, &"x".repeat(120), "text=bike");
        let wrong = json!({ "name": "Bikes", "query": "limit=5" });
        say(&world, "PUT", &ana, &format!("/{id}"), &wrong).problem(422, "saved_search.invalid");
        assert_eq!(names(&world, &ana), ["x".repeat(120)]);
    }
}

#[test]
fn nobody_keeps_more_than_a_hundred() {
    let world = World::new();
    let ana = world.person("ana");
    for n in 0..100 {
        kept(&world, &ana, &format!("Search {n}"), "text=bike");
    }
    keep(&world, &ana, "One more", "text=bike").problem(409, "saved_search.full");
    let all = names(&world, &ana);
    assert_eq!((all.len(), all[0].as_str(), all[99].as_str()), (100, "Search 99", "Search 0"));
    let page = ask(&world, "GET", &ana, "").expect(200).json();
    let last = page["saved_searches"][99]["id"].as_str().expect("an id");
    let other = json!({ "name": "Another", "query": "" });
    say(&world, "PUT", &ana, &format!("/{last}"), &other).expect(200);
    ask(&world, "DELETE", &ana, &format!("/{last}")).expect(204);
    keep(&world, &ana, "One more", "text=bike").expect(201);
}

#[test]
fn a_key_reads_and_changes_searches_by_its_scopes() {
    let world = World::new();
    let ana = world.person("ana");
    let id = kept(&world, &ana, "Bikes", "text=bike");
    let bearer = |scope: &str| {
        let key = json!({ "name": "robot", "scopes": [scope], "password": "correct horse" });
        let made = world.call(Call::new("POST", "/v1/api-keys").token(&ana.token).json(&key));
        let secret = made.expect(201).json()["secret"].as_str().expect("a secret").to_owned();
        Person { id: ana.id.clone(), token: secret, refresh_token: String::new() }
    };
    let (reader, writer) = (bearer("listings:read"), bearer("listings:write"));
    let one = format!("/{id}");
    let other = json!({ "name": "Boats", "query": "text=boat" });
    assert_eq!(names(&world, &reader), ["Bikes"]);
    keep(&world, &reader, "Boats", "").problem(403, "key.out_of_scope");
    say(&world, "PUT", &reader, &one, &other).problem(403, "key.out_of_scope");
    ask(&world, "DELETE", &reader, &one).problem(403, "key.out_of_scope");
    ask(&world, "GET", &writer, "").problem(403, "key.out_of_scope");
    say(&world, "PUT", &writer, &one, &other).expect(200);
    assert_eq!(names(&world, &ana), ["Boats"]);
    ask(&world, "DELETE", &writer, &one).expect(204);
}

#[test]
fn saved_searches_are_taken_along_and_erased() {
    let world = World::new();
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    kept(&world, &ana, "A secret wish", "text=bike");
    kept(&world, &bob, "Another's wish", "text=boat");
    let proof = json!({ "password": "correct horse" });
    let leave = |what: &str| {
        let path = format!("/v1/accounts/me/{what}");
        world.call(Call::new("POST", &path).token(&ana.token).json(&proof))
    };
    let lines = leave("archive").expect(200).body;
    let line = lines.lines().find(|line| line.contains(r#""line":"saved_search""#));
    let is_whole = |line: &str| line.contains("A secret wish") && line.contains("text=bike");
    assert!(line.is_some_and(is_whole) && !lines.contains("Another's wish"), "{lines}");
    until_erased(|| leave("erasure"));
    assert_eq!(names(&world, &bob), ["Another's wish"]);
}
