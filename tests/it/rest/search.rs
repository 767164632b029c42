//! GET /v1/listings and /v1/suggestions

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::rest::erasure::until_erased;
use crate::support::world::{barterline, run, serve};
use crate::support::{Answer, Call, Person, World};

/// As long as a busy machine may take until something is found.
const PATIENCE: Duration = Duration::from_mins(1);

/// Looks at what changed all the time, and lets tests ask until something is found.
const QUICK: [(&str, &str); 2] =
    [("BARTERLINE_SEARCH__INTERVAL_MS", "10"), ("BARTERLINE_LIMITS__ENABLED", "false")];

/// A server that searches so.
fn quick() -> World {
    World::with_settings(&QUICK)
}

/// Kills a server.
fn kill(world: &mut World) {
    world.signal(Signal::KILL);
    world.ended();
}

fn path(asked: &[(&str, &str)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(asked).finish();
    format!("/v1/listings?{query}")
}

fn search(world: &World, asked: &[(&str, &str)]) -> Answer {
    world.get(&path(asked))
}

/// What is found of a seller's, by title.
fn titles(answer: &Value) -> Vec<String> {
    let hits = answer["listings"].as_array().expect("listings").iter();
    hits.map(|hit| hit["listing"]["title"].as_str().expect("a title").to_owned()).collect()
}

/// The first answer that is as wanted. Until an index is there, nothing is found at all.
fn until(world: &World, asked: &[(&str, &str)], wanted: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = search(world, asked);
        if answer.status == 200 {
            let found = answer.json();
            if wanted(&found) {
                return found;
            }
            assert!(Instant::now() < deadline, "{asked:?}: {found}");
        } else {
            answer.problem(503, "server.unavailable");
        }
        thread::yield_now();
    }
}

fn offer(world: &World, seller: &Person, body: &Value) -> String {
    let made = world.call(Call::new("POST", "/v1/listings").token(&seller.token).json(body));
    made.expect(201).json()["id"].as_str().expect("an id").to_owned()
}

fn bicycle(title: &str, kind: &str, frame: f64, minor: u64) -> Value {
    json!({
        "title": title, "price": { "minor": minor, "currency": "EUR" }, "condition": "good",
        "category": "vehicles/bicycles", "attributes": { "type": kind, "frame": frame },
    })
}

#[test]
fn what_is_for_sale_is_found_as_it_changes() {
    let world = quick();
    let ana = world.person("ana");
    let of_ana = ("seller", ana.id.as_str());
    let price = json!({ "minor": 9_000, "currency": "EUR" });
    let lamp = offer(&world, &ana, &json!({ "title": "Reading lamps", "price": price }));
    let draft = json!({ "title": "Reading lamp, a draft", "price": price, "draft": true });
    let draft = offer(&world, &ana, &draft);
    let found = until(&world, &[of_ana, ("text", "reding lamp")], |it| it["total"] == 1);
    assert_eq!(found["listings"][0]["listing"]["id"], lamp.as_str());
    assert_eq!(
        (&found["listings"][0]["distance_km"], &found["next"]),
        (&json!(null), &json!(null))
    );
    assert!(found.get("facets").is_none());

    let patch = |id: &str, body: &Value| {
        let call = Call::new("PATCH", &format!("/v1/listings/{id}")).token(&ana.token);
        world.call(call.json(body)).expect(200)
    };
    patch(&lamp, &json!({ "title": "Desk light" }));
    until(&world, &[of_ana, ("text", "lamp")], |it| it["total"] == 0);
    patch(&draft, &json!({ "status": "active" }));
    let found = until(&world, &[of_ana, ("text", "lamp")], |it| it["total"] == 1);
    assert_eq!(titles(&found), ["Reading lamp, a draft"]);
    // What is sold is found by who asks for it.
    patch(&draft, &json!({ "status": "sold" }));
    let found = until(&world, &[of_ana], |it| it["total"] == 1);
    assert_eq!(titles(&found), ["Desk light"]);
    let found = search(&world, &[of_ana, ("status", "sold,withdrawn")]).expect(200).json();
    assert_eq!(titles(&found), ["Reading lamp, a draft"]);
}

#[test]
fn a_search_is_narrowed_sorted_and_counted() {
    let world = quick();
    let ana = world.person("ana");
    let of_ana = ("seller", ana.id.as_str());
    offer(&world, &ana, &bicycle("Blue bike", "city", 54.5, 20_000));
    offer(&world, &ana, &bicycle("Red bike", "city", 58.0, 10_000));
    offer(&world, &ana, &bicycle("Old bike", "mountain", 56.0, 5_000));
    let mut near = bicycle("Bike in Berlin", "road", 60.0, 30_000);
    near["place"] = json!({ "lat": 52.52, "lon": 13.405 });
    offer(&world, &ana, &near);
    let all = until(&world, &[of_ana, ("facets", "true")], |it| it["total"] == 4);
    assert_eq!(
        all["facets"][0],
        json!({
            "of": "category", "values": [{ "value": "vehicles", "count": 4 }],
        })
    );

    let kind = |more: &[(&str, &str)]| {
        let mut asked = vec![of_ana, ("category", "vehicles/bicycles"), ("currency", "EUR")];
        asked.extend_from_slice(more);
        search(&world, &asked).expect(200).json()
    };
    let narrowed = kind(&[
        ("attributes", r#"{"type":["city","road"],"frame":{"min":50,"max":58}}"#),
        ("sort", "price_up"),
        ("facets", "true"),
    ]);
    assert_eq!(titles(&narrowed), ["Red bike", "Blue bike"]);
    let facets = narrowed["facets"].as_array().expect("facets");
    let kinds = facets.iter().find(|facet| facet["attribute"] == "type").expect("types");
    // Counted as if no type was asked for; the frame still counts.
    let counted = json!([{ "value": "city", "count": 2 }, { "value": "mountain", "count": 1 }]);
    assert_eq!(kinds["values"], counted);
    assert_eq!(
        titles(&kind(&[("price_max", "10000"), ("sort", "price_down")])),
        ["Red bike", "Old bike"]
    );
    assert_eq!(titles(&kind(&[("condition", "new,for_parts")])), [""; 0]);

    let found = kind(&[("near", "52.5,13.4"), ("within_km", "10")]);
    assert_eq!(titles(&found), ["Bike in Berlin"]);
    let km = found["listings"][0]["distance_km"].as_f64().expect("kilometres");
    assert!((0.1..6.0).contains(&km), "{km}");
    assert_eq!(titles(&kind(&[("near", "u33db"), ("sort", "distance")]))[0], "Bike in Berlin");
}

#[test]
fn pages_follow_each_other() {
    let world = quick();
    let ana = world.person("ana");
    let of_ana = ("seller", ana.id.as_str());
    for n in 0..5 {
        offer(&world, &ana, &bicycle(&format!("Bike {n}"), "city", 50.0, 1_000));
    }
    until(&world, &[of_ana], |it| it["total"] == 5);
    let mut seen = Vec::new();
    let mut after = None::<String>;
    loop {
        let mut asked = vec![of_ana, ("limit", "2"), ("sort", "newest")];
        if let Some(after) = &after {
            asked.push(("after", after));
        }
        let page = search(&world, &asked).expect(200).json();
        seen.extend(titles(&page));
        match page["next"].as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => break,
        }
        // What comes meanwhile is before where it goes on.
        let total = page["total"].as_u64().expect("a number");
        offer(&world, &ana, &bicycle("Late bike", "city", 50.0, 1_000));
        until(&world, &[of_ana], |it| it["total"] == total + 1);
    }
    assert_eq!(seen, ["Bike 4", "Bike 3", "Bike 2", "Bike 1", "Bike 0"]);
    let after = after.expect("a cursor");
    let other = search(&world, &[of_ana, ("after", &after), ("text", "bike")]);
    other.problem(422, "search.invalid");
}

#[test]
fn what_makes_no_sense_is_said() {
    let world = quick();
    until(&world, &[], |_| true);
    for wrong in [
        &[("text", " ")][..],
        &[("sort", "relevance")],
        &[("sort", "price_up")],
        &[("sort", "distance")],
        &[("price_min", "1")],
        &[("currency", "EURO")],
        &[("currency", "EUR"), ("price_min", "2"), ("price_max", "1")],
        &[("near", "Berlin")],
        &[("near", "91,0")],
        &[("near", "1,1"), ("within_km", "-1")],
        &[("within_km", "1")],
        &[("condition", "shiny")],
        &[("status", "draft")],
        &[("status", "")],
        &[("after", "xyz")],
        &[("attributes", "[]")],
        &[("attributes", "{")],
        &[("attributes", r#"{"type":null}"#)],
        &[("attributes", r#"{"frame":[50,58]}"#)],
        &[("attributes", r#"{"frame":{"least":50}}"#)],
        &[("attributes", r#"{"type":"a","type":"b"}"#)],
    ] {
        search(&world, wrong).problem(422, "search.invalid");
    }
    let in_category = |attributes: &str| {
        search(&world, &[("category", "vehicles/bicycles"), ("attributes", attributes)])
    };
    for wrong in [r#"{"wings":2}"#, r#"{"type":"flying"}"#, r#"{"frame":"56"}"#, r#"{"type":true}"#]
    {
        let code =
            if wrong.contains("2}") { "search.invalid" } else { "listing.attributes_invalid" };
        in_category(wrong).problem(422, code);
    }
    search(&world, &[("attributes", r#"{"type":"city"}"#)])
        .problem(422, "listing.attributes_invalid");
    search(&world, &[("category", "nowhere")]).problem(422, "listing.category_unknown");
    for wrong in [
        &[("limit", "0")],
        &[("limit", "101")],
        &[("facets", "1")],
        &[("colour", "red")],
        &[("seller", "ana")],
    ] {
        search(&world, wrong).problem(400, "request.invalid");
    }
    world.get("/v1/suggestions").problem(400, "request.invalid");
    world.get("/v1/suggestions?text=a&limit=21").problem(422, "search.invalid");
    // No character means anything.
    for text in ["title:bike AND (", "\"\"\"", "*", "-bike", "\u{202e}ekib", "%00", "a' OR '1'='1"]
    {
        search(&world, &[("text", text)]).expect(200);
    }
}

#[test]
fn what_is_typed_is_completed() {
    let world = quick();
    let ana = world.person("ana");
    offer(&world, &ana, &bicycle("Zweirad Kolibri", "city", 50.0, 1_000));
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = world.get("/v1/suggestions?text=zweirad%20ko");
        if answer.status == 200 {
            let found = answer.json()["suggestions"].clone();
            if found.as_array().is_some_and(|found| !found.is_empty()) {
                assert_eq!(found, json!(["zweirad kolibri"]));
                return;
            }
        }
        assert!(Instant::now() < deadline, "nothing is suggested");
        thread::yield_now();
    }
}

#[test]
fn what_an_erased_account_offered_is_found_no_more() {
    let world = quick();
    let ana = world.person("ana");
    let of_ana = ("seller", ana.id.as_str());
    offer(&world, &ana, &bicycle("Bike", "city", 50.0, 1_000));
    until(&world, &[of_ana], |it| it["total"] == 1);
    until_erased(|| {
        let erase = Call::new("POST", "/v1/accounts/me/erasure").token(&ana.token);
        world.call(erase.json(&json!({ "password": "correct horse" })))
    });
    let all = "active,reserved,sold,withdrawn,expired";
    until(&world, &[of_ana, ("status", all)], |it| it["total"] == 0);
}

#[test]
fn an_index_is_there_after_a_crash_and_made_anew_when_asked() {
    let mut world = quick();
    let ana = world.person("ana");
    let id = ana.id.clone();
    let of_ana = ("seller", id.as_str());
    offer(&world, &ana, &bicycle("Before", "city", 50.0, 1_000));
    until(&world, &[of_ana], |it| it["total"] == 1);
    offer(&world, &ana, &bicycle("Just before", "city", 50.0, 1_000));
    kill(&mut world);
    world = world.start_again_with(&QUICK);
    until(&world, &[of_ana], |it| it["total"] == 2);

    let command = |word: &str| {
        let mut command = barterline();
        command.args(["search", word, "--data"]).arg(world.data());
        run(command)
    };
    let (code, said, complaint) = command("rebuild");
    assert!(code == 0 && said.contains("listings are found"), "{said}{complaint}");
    let found = search(&world, &[of_ana]).expect(200).json();
    assert_eq!(found["total"], 2);
    let (code, state, complaint) = command("status");
    assert_eq!(code, 0, "{complaint}");
    let state: Value = serde_json::from_str(&state).expect("JSON");
    assert_eq!((&state["rebuilding"], &state["failure"]), (&json!(null), &json!(null)));
    assert!(state["done"].as_u64() >= Some(1) && state["documents"].as_u64() >= Some(2), "{state}");
    assert!(world.get("/v1/listings").expect(200).json()["total"].as_u64() >= Some(2));
}

#[test]
fn a_damaged_index_is_made_anew() {
    let mut world = quick();
    let ana = world.person("ana");
    let id = ana.id.clone();
    let of_ana = ("seller", id.as_str());
    offer(&world, &ana, &bicycle("Bike", "city", 50.0, 1_000));
    until(&world, &[of_ana], |it| it["total"] == 1);
    kill(&mut world);
    let mut damaged = 0;
    let mut look = vec![world.data().join("search")];
    while let Some(place) = look.pop() {
        for entry in std::fs::read_dir(&place).expect("a directory").flatten() {
            let path = entry.path();
            if path.is_dir() {
                look.push(path);
            } else if entry.metadata().is_ok_and(|about| about.len() > 0) {
                std::fs::write(&path, b"damage").expect("a write");
                damaged += 1;
            }
        }
    }
    assert!(damaged > 0);
    world = world.start_again_with(&QUICK);
    until(&world, &[of_ana], |it| it["total"] == 1);
}

#[test]
fn a_server_that_does_not_search_says_so() {
    let world = World::with_setting("BARTERLINE_SEARCH__ENABLED", "false");
    search(&world, &[]).problem(501, "search.off");
    world.get("/v1/suggestions?text=a").problem(501, "search.off");
    assert!(!world.data().join("search").exists());
    for (languages, said) in [("en tlh", "ISO 639-1"), ("en en", "none twice")] {
        let mut command = serve(&world.data());
        command.env("BARTERLINE_SEARCH__LANGUAGES", languages);
        let (code, _, complaint) = run(command);
        let is_told = complaint.contains("search.languages") && complaint.contains(said);
        assert!(code != 0 && is_told, "{complaint}");
    }
}
