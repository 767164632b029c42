//! /v1/sources: things for sale that other systems keep

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use barterline_domain::ids::ChatId;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use parking_lot::Mutex;
use serde_json::{Value, json};
use sha2::Sha256;

use super::erasure::until_erased;
use crate::support::provider::{Provider, seconds};
use crate::support::socket::fresh_id;
use crate::support::{Answer, Call, Person, World};

const SECRET: (&str, &str) =
    ("BARTERLINE_SOURCES__SHOP__SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
const TEXT: &str = "hunter2, and a text that is long enough";
const OTHER: (&str, &str) = ("BARTERLINE_SOURCES__OTHER__SECRET", TEXT);
const TOKEN: (&str, &str) = ("BARTERLINE_SOURCES__SHOP__PULL_TOKEN", "hunter2");

fn key() -> Vec<u8> {
    STANDARD.decode(SECRET.1.trim_start_matches("whsec_")).expect("a key")
}

/// What a webhook is signed as.
struct Signed<'a> {
    source: &'a str,
    key: &'a [u8],
    id: &'a str,
    time: i64,
}

impl Signed<'_> {
    fn call(&self, body: &str) -> Call {
        let Self { key, id, time, .. } = self;
        let mac = Hmac::<Sha256>::new_from_slice(key).expect("a key");
        let mac = mac.chain_update(format!("{id}.{time}.{body}")).finalize().into_bytes();
        self.with(&format!("v1,{}", STANDARD.encode(mac)), body).header("webhook-id", id)
    }

    /// The same without a name, and with any signature.
    fn with(&self, signature: &str, body: &str) -> Call {
        Call::new("POST", &format!("/v1/sources/{}/listings", self.source))
            .header("content-type", "application/json")
            .header("webhook-timestamp", &self.time.to_string())
            .header("webhook-signature", signature)
            .body(body)
    }
}

fn send(world: &World, items: &[Value]) -> Answer {
    let body = json!({ "listings": items }).to_string();
    let signed = Signed { source: "shop", key: &key(), id: "msg_1", time: seconds(0) };
    world.call(signed.call(&body))
}

/// What became of one thing.
fn sent(world: &World, item: &Value) -> Value {
    let answer = send(world, std::slice::from_ref(item)).expect(200).json();
    assert_eq!(answer["results"].as_array().map(Vec::len), Some(1), "{answer}");
    answer["results"][0].clone()
}

/// A thing that is nobody's on another server, which may have the same store.
fn thing(world: &World, name: &str, seller: &Person, revision: u64) -> Value {
    json!({
        "id": world.email(name), "revision": revision, "seller": { "account": seller.id },
        "title": "Bike", "price": { "minor": 12_000, "currency": "EUR" },
    })
}

fn with(mut item: Value, more: &Value) -> Value {
    let more = more.as_object().expect("fields").clone();
    item.as_object_mut().expect("fields").extend(more);
    item
}

/// Where a thing is found.
fn path(name: &str) -> String {
    let encoded: Vec<_> = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
    format!("/v1/sources/shop/listings/{}", encoded.concat())
}

fn open(world: &World, person: &Person, body: &Value) -> Answer {
    world.call(Call::new("POST", "/v1/chats").token(&person.token).json(body))
}

/// A system that is asked for its things.
struct Shop {
    at: SocketAddr,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    /// By path: what is written back, whatever that is. Of what there is not: 404.
    answers: HashMap<String, Vec<u8>>,
    /// Paths, with what was shown.
    asked: Vec<(String, String)>,
}

impl Shop {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let at = listener.local_addr().expect("an address");
        let inner = Arc::<Mutex<Inner>>::default();
        let shared = Arc::clone(&inner);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || answer(&stream, &shared));
            }
        });
        Self { at, inner }
    }

    fn url(&self) -> String {
        format!("http://{}/things/{{id}}", self.at)
    }

    /// Has it answer of a thing.
    fn tell(&self, name: &str, status: u16, body: &str) {
        let head = format!(
            "HTTP/1.1 {status} x\r\nlocation: /things/elsewhere\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        self.inner.lock().answers.insert(at(name), format!("{head}{body}").into_bytes());
    }

    /// Has it take a request for a thing, and say nothing.
    fn hold(&self, name: &str) {
        self.inner.lock().answers.insert(at(name), Vec::new());
    }

    /// How often it was asked for a path.
    fn asked(&self, path: &str) -> usize {
        self.inner.lock().asked.iter().filter(|(asked, _)| asked == path).count()
    }
}

/// Where a shop has a thing.
fn at(name: &str) -> String {
    format!("/things/{}", name.replace('@', "%40"))
}

fn answer(stream: &TcpStream, shared: &Mutex<Inner>) -> Option<()> {
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let path = lines.first()?.split(' ').nth(1)?.to_owned();
    let mut shown = lines.iter().filter_map(|line| line.split_once(": "));
    let shown = shown.find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    let shown = shown.map(|(_, value)| value.to_owned()).unwrap_or_default();
    let answer = {
        let mut inner = shared.lock();
        inner.asked.push((path.clone(), shown));
        inner.answers.get(&path).cloned()
    };
    let nothing = b"HTTP/1.1 404 x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec();
    let answer = answer.unwrap_or(nothing);
    let mut stream = stream;
    if answer.is_empty() {
        // Until the other side has had enough.
        let _ = reader.read_line(&mut String::new());
        return None;
    }
    stream.write_all(&answer).ok()
}

fn with_shop(more: &[(&str, &str)]) -> (World, Shop) {
    let shop = Shop::new();
    let url = shop.url();
    let settings = [SECRET, TOKEN, ("BARTERLINE_SOURCES__SHOP__PULL_URL", url.as_str())];
    let settings: Vec<_> = settings.iter().chain(more).copied().collect();
    (World::with_settings(&settings), shop)
}

#[test]
fn what_is_sent_counts_once_and_in_the_order_of_its_revisions() {
    let world = World::with_settings(&[SECRET]);
    let ana = world.person("ana");
    let page = "https://shop.example/things/1";
    let more = json!({
        "description": "Steel", "category": "vehicles/bicycles", "attributes": { "type": "city" },
        "condition": "good", "place": { "lat": 52.516_275, "lon": 13.377_704 }, "url": page,
    });
    let first = with(thing(&world, "bike", &ana, 5), &more);
    let created = sent(&world, &first);
    assert_eq!((&created["id"], &created["outcome"]), (&first["id"], &json!("created")));
    let name = world.email("bike");
    let listing = world.get(&path(&name)).expect(200).json();
    assert_eq!(listing["id"], created["listing"]);
    assert_eq!((&listing["seller"], &listing["status"]), (&json!(ana.id), &json!("active")));
    assert_eq!(listing["external"], json!({ "source": "shop", "id": name, "url": page }));
    assert_eq!(
        (&listing["expires_at"], &listing["place"]["cell"]),
        (&Value::Null, &json!("u33db"))
    );
    let by_id = format!("/v1/listings/{}", listing["id"].as_str().expect("an id"));
    assert_eq!(world.get(&by_id).expect(200).json(), listing);

    let said = |revision: u64, more: Value| {
        sent(&world, &with(thing(&world, "bike", &ana, revision), &more))["outcome"].clone()
    };
    let price = |minor: u64| json!({ "price": { "minor": minor, "currency": "EUR" } });
    assert_eq!(sent(&world, &first)["outcome"], "unchanged");
    assert_eq!(said(5, price(1)), "unchanged");
    assert_eq!(said(4, price(1)), "stale");
    assert_eq!(said(7, price(9_000)), "changed");
    assert_eq!(said(6, price(1)), "stale");
    assert_eq!(said(8, json!({ "status": "sold" })), "changed");
    assert_eq!(said(9, json!({ "status": "active" })), "changed");
    let world = world.restart_with(&[SECRET]);
    assert_eq!(sent(&world, &first)["outcome"], "stale");
    let listing = world.get(&by_id).expect(200).json();
    assert_eq!((&listing["status"], &listing["version"]), (&json!("active"), &json!(4)));
    assert_eq!(listing["external"]["url"], Value::Null, "as it was said last");
    let history = world.get(&format!("{by_id}/history")).expect(200).json();
    let changes = history["changes"].as_array().expect("changes").iter();
    let stood: Vec<_> = changes.map(|change| change["status"].clone()).collect();
    assert_eq!(stood, ["active", "active", "sold", "active"]);
}

#[test]
fn what_is_not_signed_by_the_source_now_is_not_taken() {
    let world = World::with_settings(&[SECRET, OTHER]);
    let ana = world.person("ana");
    let body = json!({ "listings": [thing(&world, "bike", &ana, 1)] }).to_string();
    let refused = |call: Call| {
        let answer = world.call(call);
        assert!(answer.headers.contains_key("www-authenticate"));
        let problem = answer.problem(401, "source.signature_invalid");
        assert!(!problem.to_string().contains("hunter2"), "{problem}");
    };
    let (key, now) = (key(), seconds(0));
    let good = Signed { source: "shop", key: &key, id: "msg_1", time: now };
    // By another key, for another source, at another time.
    refused(Signed { key: b"another secret of another shop", ..good }.call(&body));
    refused(Signed { key: b"", ..good }.call(&body));
    refused(Signed { source: "other", ..good }.call(&body));
    for time in [now - 400, now + 400, 0, -1] {
        refused(Signed { time, ..good }.call(&body));
    }
    for id in ["", "a.b", "a b"] {
        refused(Signed { id, ..good }.call(&body));
    }
    // Of another body, by no signature, by none at all, by a log-in.
    let mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key");
    let mac = mac.chain_update(format!("msg_1.{now}.{body}")).finalize().into_bytes();
    let signature = format!("v1,{}", STANDARD.encode(mac));
    refused(good.with(&signature, &body.replace("12000", "1")).header("webhook-id", "msg_1"));
    refused(good.with(&signature, &body).header("webhook-id", "msg_2"));
    refused(good.with(&signature, &body));
    for wrong in ["", "v1,", "v1", &signature.replace("v1", "v1a"), &signature[..20]] {
        refused(good.with(wrong, &body).header("webhook-id", "msg_1"));
    }
    let call = Call::new("POST", "/v1/sources/shop/listings").token(&ana.token);
    refused(call.header("content-type", "application/json").body(body.clone()));
    // Nothing in it is looked at before.
    refused(Signed { key: b"", ..good }.call("hunter2"));
    world.get(&path(&world.email("bike"))).problem(404, "listing.not_found");
    world.call(Signed { source: "nobody", ..good }.call(&body)).problem(404, "source.not_found");
    world.call(Signed { source: "Shop", ..good }.call(&body)).problem(404, "source.not_found");

    let several = format!("v1,{} v1a,AAAA {signature}", STANDARD.encode([0; 32]));
    world.call(good.with(&several, &body).header("webhook-id", "msg_1")).expect(200);
    let other = Signed { source: "other", key: TEXT.as_bytes(), ..good };
    let answer = world.call(other.call(&body)).expect(200).json();
    assert_eq!(answer["results"][0]["outcome"], "created", "the same name, in another system");
    let ours = world.get(&path(&world.email("bike"))).expect(200).json();
    assert_ne!(answer["results"][0]["listing"], ours["id"]);
}

#[test]
fn each_thing_is_taken_or_refused_for_itself() {
    let world = World::with_settings(&[SECRET]);
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    let nobody = json!({ "seller": { "account": "01a20741-33b3-7000-a03f-60e573858ff7" } });
    let item = |name: &str, more: Value| with(thing(&world, name, &ana, 1), &more);
    let items = [
        item("one", json!({})),
        item("two", json!({ "title": "" })),
        item("three", json!({ "category": "vehicles/tanks" })),
        item("four", nobody),
        item("five", json!({ "seller": { "subject": "ana" } })),
        item("six", json!({ "id": "a\u{202e}b" })),
        item("one", json!({ "revision": 3, "title": "Three" })),
        item("one", json!({ "revision": 2, "title": "Two" })),
        item("one", json!({ "revision": 4, "seller": { "account": bob.id } })),
        item("seven", json!({ "status": "withdrawn" })),
    ];
    let results = send(&world, &items).expect(200).json()["results"].clone();
    let results = results.as_array().expect("results").iter();
    let told: Vec<_> = results
        .map(|result| {
            let code = result["code"].as_str().unwrap_or_default();
            (result["outcome"].as_str().expect("an outcome"), code.to_owned())
        })
        .collect();
    let expected = [
        ("created", ""),
        ("refused", "listing.title_invalid"),
        ("refused", "listing.category_unknown"),
        ("refused", "source.seller_unknown"),
        ("refused", "request.invalid"),
        ("refused", "request.invalid"),
        ("changed", ""),
        ("stale", ""),
        ("refused", "source.seller_changed"),
        ("created", ""),
    ];
    assert_eq!(told, expected.map(|(outcome, code)| (outcome, code.to_owned())));
    let one = world.get(&path(&world.email("one"))).expect(200).json();
    assert_eq!((&one["title"], &one["seller"]), (&json!("Three"), &json!(ana.id)));
    let seven = world.get(&path(&world.email("seven"))).expect(200).json();
    assert_eq!(seven["status"], "withdrawn");

    send(&world, &[]).problem(400, "request.invalid");
    let many: Vec<_> = (0..101).map(|_| item("one", json!({}))).collect();
    send(&world, &many).problem(400, "request.invalid");
    for wrong in
        [json!({ "stauts": "sold" }), json!({ "status": "draft" }), json!({ "revision": -1 })]
    {
        send(&world, &[item("eight", json!({})), item("nine", wrong)])
            .problem(400, "request.invalid");
    }
    world.get(&path(&world.email("eight"))).problem(404, "listing.not_found");
    let large = item("ten", json!({ "description": "x".repeat(256 * 1024) }));
    send(&world, &[large]).problem(413, "request.too_large");
}

#[tokio::test]
async fn a_thing_of_elsewhere_is_changed_there_and_talked_about_here() {
    let world = World::with_settings(&[SECRET]);
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    let said = |revision: u64, status: &str| {
        sent(&world, &with(thing(&world, "bike", &ana, revision), &json!({ "status": status })))
    };
    let id = said(1, "active")["listing"].as_str().expect("an id").to_owned();
    let change = |person: &Person, method: &str, path: &str| {
        let call = Call::new(method, &format!("/v1/listings/{id}{path}")).token(&person.token);
        world.call(call.json(&json!({ "title": "Mine" })))
    };
    change(&ana, "PATCH", "").problem(409, "listing.external");
    change(&ana, "POST", "/renewal").problem(409, "listing.external");
    change(&bob, "PATCH", "").problem(403, "listing.not_yours");

    let name = world.email("bike");
    let named = json!({ "source": "shop", "external_id": name });
    for neither in [
        json!({}),
        json!({ "source": "shop" }),
        json!({ "external_id": name }),
        json!({ "listing": id, "source": "shop", "external_id": name }),
        json!({ "listing": id, "source": "shop" }),
    ] {
        open(&world, &bob, &neither).problem(400, "request.invalid");
    }
    open(&world, &ana, &named).problem(409, "chat.own_listing");
    let unknown = json!({ "source": "nobody", "external_id": name });
    open(&world, &bob, &unknown).problem(404, "source.not_found");
    for missing in ["", "nothing", "a\nb", &"x".repeat(201)] {
        let missing = json!({ "source": "shop", "external_id": missing });
        open(&world, &bob, &missing).problem(404, "listing.not_found");
    }
    let chat = open(&world, &bob, &named).expect(201).json();
    let again = open(&world, &bob, &json!({ "listing": id })).expect(200).json();
    assert_eq!(chat["chat"], again["chat"]);
    // A chat in which nobody said anything has nothing to hear of.
    let talk: ChatId = chat["chat"].as_str().expect("an id").parse().expect("an id");
    let words = json!({ "kind": "text", "text": "hello" });
    world.send(&bob, talk, &fresh_id().to_string(), &words).expect(201);

    said(2, "sold");
    let carol = world.person("carol");
    open(&world, &carol, &named).problem(409, "listing.closed");
    said(3, "active");
    open(&world, &carol, &named).expect(201);
    said(4, "reserved");
    let told = told_of(&world, &bob, talk, "reserved").await;
    assert_eq!(told["listing"]["version"], 4);
}

/// The event that tells a chat that its listing stands so, once it is there.
async fn told_of(world: &World, person: &Person, chat: ChatId, status: &str) -> Value {
    let patience = Instant::now() + Duration::from_secs(20);
    loop {
        // Whoever looks has it told, and finds it the next time.
        let call = Call::new("GET", &format!("/v1/chats/{chat}/events")).token(&person.token);
        let page = world.call(call).expect(200).json();
        let events = page["events"].as_array().expect("events");
        let told = events.iter().find(|event| event["listing"]["status"]["new"] == status);
        if let Some(told) = told {
            return told.clone();
        }
        assert!(Instant::now() < patience, "nothing is told: {page}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn what_nobody_has_heard_of_is_asked_for() {
    let (world, shop) = with_shop(&[("BARTERLINE_SOURCES__SHOP__FRESH_FOR_S", "0")]);
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    let name = world.email("bike");
    world.get(&path(&world.email("none"))).problem(404, "listing.not_found");
    let tell = |revision: u64, more: Value| {
        let item = with(thing(&world, "bike", &ana, revision), &more);
        shop.tell(&name, 200, &item.to_string());
    };
    tell(1, json!({}));
    let listing = world.get(&path(&name)).expect(200).json();
    assert_eq!((&listing["version"], &listing["title"]), (&json!(1), &json!("Bike")));
    assert_eq!(shop.asked(&at(&name)), 1);
    let shown = shop.inner.lock().asked.iter().all(|(_, shown)| shown == "Bearer hunter2");
    assert!(shown, "and everything else is asked so, too");
    // Who looks at what is known has nobody asked; who wants to talk about it does.
    tell(2, json!({ "title": "Red bike" }));
    world.get(&path(&name)).expect(200);
    assert_eq!(shop.asked(&at(&name)), 1);
    let named = json!({ "source": "shop", "external_id": name });
    open(&world, &bob, &named).expect(201);
    assert_eq!(world.get(&path(&name)).expect(200).json()["title"], "Red bike");
    // What is sent and asked for is the same thing.
    assert_eq!(sent(&world, &thing(&world, "bike", &ana, 1))["outcome"], "stale");
    shop.inner.lock().answers.clear();
    let carol = world.person("carol");
    open(&world, &carol, &named).problem(409, "listing.closed");
    assert_eq!(world.get(&path(&name)).expect(200).json()["status"], "withdrawn");
}

#[test]
fn what_is_known_does_while_a_source_is_down_or_lies() {
    let (world, shop) = with_shop(&[("BARTERLINE_SOURCES__SHOP__FRESH_FOR_S", "0")]);
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    let name = world.email("known");
    sent(&world, &thing(&world, "known", &ana, 1));
    shop.hold(&name);
    let begun = Instant::now();
    open(&world, &bob, &json!({ "source": "shop", "external_id": name })).expect(201);
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());

    let lie = |name: &str, status: u16, body: &str| {
        let name = world.email(name);
        shop.tell(&name, status, body);
        let answer = world.get(&path(&name));
        assert!(answer.headers.contains_key("retry-after"), "{}", answer.body);
        let problem = answer.problem(503, "source.unavailable");
        assert!(!problem.to_string().contains("hunter2"), "{problem}");
        assert_eq!(shop.asked(&at(&name)), 1);
        world.get(&path(&name)).problem(503, "source.unavailable");
        assert_eq!(shop.asked(&at(&name)), 1, "not at once again");
    };
    let item = |name: &str, more: Value| with(thing(&world, name, &ana, 1), &more).to_string();
    lie("a", 500, "");
    lie("b", 401, "");
    // Nobody follows it elsewhere.
    lie("c", 302, &item("c", json!({})));
    lie("d", 307, "");
    lie("e", 200, "hunter2");
    lie("f", 200, &item("known", json!({ "revision": 9, "title": "Another" })));
    lie("g", 200, &item("g", json!({ "description": "x".repeat(100_000) })));
    lie("h", 200, &item("h", json!({ "title": "" })));
    lie("i", 200, &item("i", json!({ "seller": { "subject": "ana" } })));
    lie("j", 204, "");
    lie("k", 200, &format!("[{}]", item("k", json!({}))));
    assert_eq!(shop.asked("/things/elsewhere"), 0);
    assert_eq!(world.get(&path(&name)).expect(200).json()["title"], "Bike");
    let held = world.email("held");
    shop.hold(&held);
    let begun = Instant::now();
    world.get(&path(&held)).problem(503, "source.unavailable");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}

#[test]
fn a_name_leads_nowhere_but_to_where_it_was_put() {
    let (world, shop) = with_shop(&[]);
    for (name, asked) in [
        ("../../admin", "/things/..%2F..%2Fadmin"),
        ("a/../b", "/things/a%2F..%2Fb"),
        ("%2e%2e/admin", "/things/%252e%252e%2Fadmin"),
        ("?a=b#c", "/things/%3Fa%3Db%23c"),
        ("@evil.example:80/", "/things/%40evil.example%3A80%2F"),
        ("http://169.254.169.254/", "/things/http%3A%2F%2F169.254.169.254%2F"),
        ("\\\\evil.example\\x", "/things/%5C%5Cevil.example%5Cx"),
        ("a b+c&d", "/things/a%20b%2Bc%26d"),
    ] {
        world.get(&path(name)).problem(404, "listing.not_found");
        assert_eq!(shop.asked(asked), 1, "{name}");
    }
    let before = shop.inner.lock().asked.len();
    for name in [".", "..", "a\r\nhost: evil.example", "a\u{0}b", &"x".repeat(201)] {
        world.get(&path(name)).problem(404, "listing.not_found");
    }
    assert_eq!(shop.inner.lock().asked.len(), before);
}

/// A source whose sellers are named as an issuer names them.
fn with_issuer() -> (World, Provider) {
    let issuer = Provider::new();
    let (name, keys) = (issuer.issuer(), format!("{}/keys", issuer.issuer()));
    let settings = [
        SECRET,
        ("BARTERLINE_SOURCES__SHOP__ISSUER", "own"),
        ("BARTERLINE_ISSUERS__OWN__ISSUER", name.as_str()),
        ("BARTERLINE_ISSUERS__OWN__JWKS_URL", &keys),
        ("BARTERLINE_ISSUERS__OWN__AUDIENCE", "market"),
    ];
    (World::with_settings(&settings), issuer)
}

/// The session of whom an issuer calls so.
fn exchanged(world: &World, issuer: &Provider, subject: &str) -> Value {
    let claims = json!({
        "iss": issuer.issuer(), "aud": "market", "sub": subject,
        "iat": seconds(0), "exp": seconds(300),
    });
    let token = json!({ "token": issuer.sign(&claims) });
    world.post("/v1/sessions/exchange", &token).expect(201).json()
}

#[test]
fn sellers_are_named_as_an_issuer_names_them() {
    let (world, issuer) = with_issuer();
    let bob = world.person("bob");
    let subject = world.email("ana");
    let by = |name: &str, seller: Value| {
        with(thing(&world, name, &bob, 1), &json!({ "seller": seller }))
    };
    let form = sent(&world, &by("one", json!({ "account": bob.id })));
    assert_eq!((&form["outcome"], &form["code"]), (&json!("refused"), &json!("request.invalid")));
    let named = |name: &str| by(name, json!({ "subject": subject, "name": "Ana" }));
    for name in ["one", "two"] {
        assert_eq!(sent(&world, &named(name))["outcome"], "created");
    }
    let seller = |name: &str| {
        let listing = world.get(&path(&world.email(name))).expect(200).json();
        listing["seller"].as_str().expect("an id").to_owned()
    };
    let ana = seller("one");
    assert_eq!(seller("two"), ana);
    let account = world.get(&format!("/v1/accounts/{ana}")).expect(200).json();
    assert_eq!(account["name"], "Ana");
    // It is hers when she comes.
    assert_eq!(exchanged(&world, &issuer, &subject)["user"], ana.as_str());
    let too_long = by("three", json!({ "subject": "x".repeat(256) }));
    assert_eq!(sent(&world, &too_long)["code"], "source.seller_unknown");
}

#[test]
fn who_left_is_not_brought_back() {
    let world = World::with_settings(&[SECRET]);
    let ana = world.person("ana");
    let first = thing(&world, "bike", &ana, 1);
    assert_eq!(sent(&world, &first)["outcome"], "created");
    until_erased(|| {
        let call = Call::new("POST", "/v1/accounts/me/erasure").token(&ana.token);
        world.call(call.json(&json!({ "password": "correct horse" })))
    });
    for item in [first, thing(&world, "bike", &ana, 2), thing(&world, "lamp", &ana, 1)] {
        let refused = sent(&world, &item);
        assert_eq!(refused["code"], "source.seller_gone", "{refused}");
    }
    let left = world.get(&path(&world.email("bike"))).expect(200).json();
    assert_eq!((&left["title"], &left["status"]), (&json!("Deleted listing"), &json!("withdrawn")));
    assert_eq!(left["external"], Value::Null);
    world.get(&path(&world.email("lamp"))).problem(404, "listing.not_found");
}

#[test]
fn who_left_is_not_brought_back_by_what_an_issuer_calls_them() {
    let (world, issuer) = with_issuer();
    let subject = world.email("ana");
    let said = |name: &str, revision: u64| {
        sent(
            &world,
            &json!({
                "id": world.email(name), "revision": revision, "title": "Bike",
                "seller": { "subject": subject, "name": "Ana" },
                "price": { "minor": 12_000, "currency": "EUR" },
            }),
        )
    };
    assert_eq!(said("bike", 1)["outcome"], "created");
    let first = exchanged(&world, &issuer, &subject);
    let token = first["access_token"].as_str().expect("a token");
    until_erased(|| {
        let call = Call::new("POST", "/v1/accounts/me/erasure").token(token);
        world.call(call.json(&json!({})))
    });
    for (name, revision) in [("bike", 2), ("lamp", 1)] {
        let refused = said(name, revision);
        assert_eq!(refused["code"], "source.seller_gone", "{refused}");
    }
    world.get(&path(&world.email("lamp"))).problem(404, "listing.not_found");
    let account = format!("/v1/accounts/{}", first["user"].as_str().expect("an id"));
    assert_ne!(world.get(&account).expect(200).json()["name"], "Ana");

    // Who comes back themselves is somebody new, and sells what is new.
    let again = exchanged(&world, &issuer, &subject);
    assert_ne!(again["user"], first["user"]);
    assert_eq!(said("bike", 3)["code"], "source.seller_gone");
    assert_eq!(said("lamp", 1)["outcome"], "created");
    let lamp = world.get(&path(&world.email("lamp"))).expect(200).json();
    assert_eq!(lamp["seller"], again["user"]);
}
