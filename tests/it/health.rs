//! The operators' port.

use std::fs;

use serde_json::{Value, json};

use crate::support::world::{barterline, run};
use crate::support::{Call, World};

#[test]
fn a_running_server_is_live_and_ready() {
    let world = World::new();
    for path in ["/health/live", "/health/ready"] {
        Call::new("GET", path).send(world.admin).expect(200);
    }
    // The two ports do not mix.
    world.get("/health/live").problem(404, "route.not_found");
    Call::new("GET", "/v1/accounts/me").send(world.admin).problem(404, "route.not_found");
    Call::new("POST", "/health/live").send(world.admin).problem(405, "route.method_not_allowed");
}

#[test]
fn metrics_count_requests_by_route() {
    let world = World::new();
    let nobody = "00000000-0000-4000-8000-000000000000";
    world.get(&format!("/v1/accounts/{nobody}")).expect(404);
    world.get("/nowhere").expect(404);
    let metrics = Call::new("GET", "/metrics").send(world.admin).expect(200).body;
    for line in [
        "barterline_http_requests_total{route=\"/v1/accounts/{id}\",method=\"GET\",status=\"404\"} 1",
        "barterline_http_requests_total{route=\"none\",method=\"GET\",status=\"404\"} 1",
        "barterline_hub_connections 0",
    ] {
        assert!(metrics.contains(line), "{line} in:\n{metrics}");
    }
    assert!(metrics.contains("barterline_process_resident_bytes "), "{metrics}");
}

#[test]
fn commands_ask_for_the_token_of_the_data_directory() {
    let world = World::new();
    Call::new("GET", "/status").send(world.admin).problem(401, "admin.token_invalid");
    Call::new("GET", "/status").token("x").send(world.admin).problem(401, "admin.token_invalid");
    let token = fs::read_to_string(world.data().join("admin-token")).expect("a token");
    let status = Call::new("GET", "/status").token(&token).send(world.admin).expect(200).json();
    assert_eq!(status["pid"], world.pid());
    assert_eq!(status["ready"], true);
}

#[test]
fn staff_work_from_the_command_line() {
    let world = World::new();
    let ana = world.person("ana");
    let staff = |arguments: &[&str]| {
        let mut command = barterline();
        command.args(arguments).arg("--data").arg(world.data());
        run(command)
    };
    let (code, out, _) = staff(&["reports"]);
    let list: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, list["reports"].is_array()), (0, true), "{list}");
    let nothing = "5b2f9c1e-7a34-4d68-8f05-c19be2a07d31";
    let (code, _, err) = staff(&["reports", nothing]);
    assert!(code == 1 && err.contains("report.not_found"), "{code}: {err}");
    assert_eq!(staff(&["reports", "x"]).0, 2, "no id");
    let inbox = || world.call(Call::new("GET", "/v1/chats").token(&ana.token));
    assert_eq!(staff(&["suspend", &ana.id]), (0, String::new(), String::new()));
    inbox().problem(403, "account.suspended");
    assert_eq!(staff(&["suspend", &ana.id, "--lift"]), (0, String::new(), String::new()));
    inbox().problem(401, "token.invalid");
    world.log_in("ana");
    let (code, _, err) = staff(&["suspend", nothing]);
    assert!(code == 1 && err.contains("account.not_found"), "{code}: {err}");
}

#[test]
fn load_test_routes_are_there_on_demand_only() {
    let world = World::new();
    let call = || Call::new("POST", "/load-test/accounts").json(&json!({ "count": 1 }));
    call().send(world.admin).problem(404, "route.not_found");
}

#[test]
fn load_tests_get_accounts_and_rooms() {
    let world = World::with(&["--load-test"]);
    let ask_for = |path: &str, body| Call::new("POST", path).json(&body).send(world.admin);
    let made = ask_for("/load-test/accounts", json!({ "count": 2 })).expect(200).json();
    assert_eq!(made["accounts"].as_array().map(Vec::len), Some(2));
    let token = made["accounts"][0]["token"].as_str().expect("a token");
    let me = world.call(Call::new("GET", "/v1/accounts/me").token(token)).expect(200).json();
    assert_eq!(me["id"], made["accounts"][0]["user"]);

    let made = ask_for("/load-test/rooms", json!({ "count": 1_000 })).expect(200).json();
    let rooms = made["rooms"].as_array().expect("rooms");
    assert_eq!(rooms.len(), 1_000);
    let room = &rooms[999];
    let token = room["seller"]["token"].as_str().expect("a token");
    let chat = format!("/v1/chats/{}", room["chat"].as_str().expect("an id"));
    let row = world.call(Call::new("GET", &chat).token(token)).expect(200).json();
    assert_eq!(row["role"], "seller");
    assert_eq!(row["peer"], room["buyer"]["user"]);

    let price = json!({ "minor": 7, "currency": "JPY" });
    let about = json!({ "count": 1, "listing": { "title": "Tea", "price": price } });
    let room = ask_for("/load-test/rooms", about).expect(200).json()["rooms"][0].clone();
    let listing = format!("/v1/listings/{}", room["listing"].as_str().expect("an id"));
    let listing = world.get(&listing).expect(200).json();
    assert_eq!((&listing["title"], &listing["price"]), (&json!("Tea"), &price));

    for count in [0, 1_001] {
        ask_for("/load-test/rooms", json!({ "count": count })).problem(400, "request.invalid");
    }
}

#[test]
fn a_command_asks_the_running_server() {
    let mut world = World::new();
    let mut status = barterline();
    status.args(["status", "--data"]).arg(world.data());
    let (code, out, err) = run(status);
    assert_eq!((code, &*err), (0, ""));
    let answer: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((&answer["ready"], &answer["pid"]), (&true.into(), &world.pid().into()));
    assert!(world.stop().success());
    for data in [world.data(), "/nowhere".into()] {
        let mut status = barterline();
        status.args(["status", "--data"]).arg(&data);
        let (code, out, err) = run(status);
        assert_eq!((code, &*out), (1, ""));
        assert!(err.contains(&data.display().to_string()), "{err}");
    }
}
