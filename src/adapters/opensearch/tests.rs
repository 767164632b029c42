use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method, Response, Uri};
use barterline_domain::clock::ManualClock;
use barterline_domain::ids::{ListingId, UserId};
use barterline_domain::listing::{Listing, ListingText};
use barterline_domain::money::{Currency, Money};
use barterline_search::{Filter, QueryError, Sort};
use serde_json::json;
use tokio::net::TcpListener;

use super::*;
use crate::ids::SystemIds;

const INDEX: &str = "shop-0000000000000001";
const OTHER: &str = "shop-0000000000000002";
/// An answer that is longer than any.
const ENDLESS: usize = 9 << 20;

/// What is answered where.
#[derive(Clone)]
enum Reply {
    Says(u16, String),
    Hangs,
}

/// An OpenSearch that says what it is told to.
#[derive(Clone, Default)]
struct Fake(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// By part of method and path; the last that fits.
    replies: Vec<(&'static str, Reply)>,
    asked: Vec<String>,
}

impl Fake {
    /// One with an index, and an engine that knows it.
    async fn with_index() -> (Self, OpenSearch) {
        let fake = Self::default();
        fake.has(INDEX, &[7]);
        let engine = fake.engine(Duration::from_secs(30)).await;
        engine.look().await.expect("an index");
        assert_eq!(engine.position(), Some(Position(vec![7])));
        (fake, engine)
    }

    async fn engine(&self, search_timeout: Duration) -> OpenSearch {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let fake = self.clone();
        let answer = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            // Of ana, whose password is `secret`.
            assert_eq!(headers[AUTHORIZATION], "Basic YW5hOnNlY3JldA==");
            let fake = fake.clone();
            async move { fake.answer(method, uri, body).await }
        };
        tokio::spawn(axum::serve(listener, Router::new().fallback(answer)).into_future());
        let settings = Settings {
            url: format!("http://{address}"),
            index: "shop".to_owned(),
            login: Some(("ana".to_owned(), "secret".to_owned())),
            languages: Vec::new(),
            clock: Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000))),
            ids: Arc::new(SystemIds),
        };
        OpenSearch::over(settings, search_timeout).expect("an engine")
    }

    async fn answer(&self, method: Method, uri: Uri, body: Bytes) -> Response<Body> {
        let asked = format!("{method} {uri}");
        let reply = {
            let mut state = self.0.lock();
            state.asked.push(format!("{asked} {}", String::from_utf8_lossy(&body)));
            let fits = state.replies.iter().rev().find(|(part, _)| asked.contains(part));
            fits.map_or(Reply::Says(404, "{}".to_owned()), |(_, reply)| reply.clone())
        };
        match reply {
            Reply::Says(status, text) => {
                Response::builder().status(status).body(Body::from(text)).expect("an answer")
            }
            Reply::Hangs => std::future::pending().await,
        }
    }

    fn says(&self, part: &'static str, status: u16, text: &Value) {
        self.0.lock().replies.push((part, Reply::Says(status, text.to_string())));
    }

    /// Searches go to an index that is there up to a position.
    fn has(&self, index: &'static str, position: &[u8]) {
        let made = Translator::new(Vec::new()).index("gate");
        let (named, mapped) = (json!({index: {}}), json!({index: {"mappings": made["mappings"]}}));
        let position = Translator::position(&Position(position.to_vec()));
        self.says("GET /_alias/shop", 200, &named);
        self.says("/_mapping", 200, &mapped);
        self.says("/_doc/position", 200, &json!({"_source": position}));
        self.says("/_refresh", 200, &json!({}));
        self.says("/_bulk", 200, &json!({"errors": false, "items": [{"index": {"status": 201}}]}));
        self.says("PUT /shop-", 200, &json!({}));
    }

    fn asked(&self, part: &str) -> usize {
        self.0.lock().asked.iter().filter(|asked| asked.contains(part)).count()
    }
}

fn query() -> Query {
    Query {
        text: None,
        filter: Filter::default(),
        sort: Sort::Newest,
        facets: Vec::new(),
        after: None,
        limit: 10,
        now: Timestamp::from_millis(1),
    }
}

fn put() -> Vec<Change> {
    let text = ListingText::parse("City bike", String::new()).expect("a text");
    let price = Money::new(5, Currency::parse("EUR").expect("a currency")).expect("a price");
    let (id, seller) = (ListingId::from_bytes([1; 16]), UserId::from_bytes([2; 16]));
    vec![Change::Put(Box::new(Listing::offered(
        id,
        seller,
        text,
        price,
        Timestamp::from_millis(1),
    )))]
}

/// What a search comes to.
fn outcome(answer: &Result<Page, SearchError>) -> &'static str {
    match answer {
        Ok(_) => "found",
        Err(SearchError::Busy) => "busy",
        Err(SearchError::TooSlow) => "too slow",
        Err(SearchError::Failed { .. }) => "failed",
        Err(_) => "other",
    }
}

#[tokio::test]
async fn what_is_no_answer_is_none() {
    let (fake, engine) = Fake::with_index().await;
    let empty = |timed_out: bool| {
        let hits = json!({"total": {"value": 0}, "hits": []});
        json!({"timed_out": timed_out, "hits": hits})
    };
    let refusal = json!({"error": {"type": "all_shards_failed", "reason": "city bike"}});
    for (status, text, expected) in [
        (200, empty(false), "found"),
        (200, empty(true), "too slow"),
        (429, refusal.clone(), "busy"),
        (503, refusal.clone(), "failed"),
        (404, refusal.clone(), "failed"),
        (302, json!({}), "failed"),
        (200, json!("<html>"), "failed"),
        (200, json!({"hits": 7}), "failed"),
        (200, json!(" ".repeat(ENDLESS)), "failed"),
    ] {
        fake.says("_search", status, &text);
        let answer = engine.search(query()).await;
        assert_eq!(outcome(&answer), expected, "{status} {:.40}", text.to_string());
    }
    fake.says("_search", 503, &refusal);
    let SearchError::Failed { source, .. } = engine.search(query()).await.expect_err("a failure")
    else {
        panic!("another failure");
    };
    assert_eq!(source.to_string(), "it answers with 503 all_shards_failed");
    let wrong = engine.search(Query { limit: 0, ..query() }).await;
    assert!(matches!(wrong, Err(SearchError::Query(QueryError::Limit))));
}

#[tokio::test]
async fn nobody_waits_for_an_engine_that_hangs() {
    let fake = Fake::default();
    fake.0.lock().replies.push(("_search", Reply::Hangs));
    let engine = fake.engine(Duration::from_millis(50)).await;
    assert_eq!(outcome(&engine.search(query()).await), "failed");
}

#[tokio::test]
async fn what_is_written_is_noted_when_all_of_it_is_there() {
    let (fake, engine) = Fake::with_index().await;
    engine.apply(put(), Position(vec![8])).await.expect("written");
    assert_eq!(engine.position(), Some(Position(vec![8])));
    let gate = format!("POST /{INDEX}-gate/_bulk?require_alias=true");
    assert_eq!((fake.asked(&gate), fake.asked("_refresh")), (1, 1));
    let refused = json!({"index": {"_id": "x", "status": 400, "error": {"type": "full"}}});
    for answer in [
        json!({"errors": true, "items": [refused]}),
        json!({"errors": false, "items": []}),
        json!({}),
    ] {
        fake.says("_bulk", 200, &answer);
        engine.apply(put(), Position(vec![9])).await.expect_err("refused");
        assert_eq!(fake.asked("/_doc/position?require_alias"), 1, "{answer}");
    }
    fake.says("_bulk", 503, &json!({}));
    engine.apply(put(), Position(vec![9])).await.expect_err("it is down");
    // It was looked at again, and says what it is told to.
    assert_eq!(engine.position(), Some(Position(vec![7])));
}

#[tokio::test]
async fn an_index_that_another_server_made_is_gone_on_with() {
    let (fake, engine) = Fake::with_index().await;
    fake.has(OTHER, &[3]);
    let error = json!({"type": "index_not_found_exception"});
    let gone = json!({"index": {"_id": "x", "status": 404, "error": error}});
    fake.says("_bulk", 200, &json!({"errors": true, "items": [gone]}));
    engine.apply(put(), Position(vec![8])).await.expect_err("it is gone");
    assert_eq!(engine.position(), Some(Position(vec![3])));
    fake.has(OTHER, &[3]);
    engine.apply(put(), Position(vec![4])).await.expect("written");
    assert_eq!(fake.asked(&format!("POST /{OTHER}-gate/_bulk")), 1);
    // Of other languages it is none.
    let mapped = json!({OTHER: {"mappings": {"_meta": {"barterline": {"format": 0}}}}});
    fake.says("/_mapping", 200, &mapped);
    assert_eq!(engine.look().await.expect("an answer"), None);
    engine.apply(put(), Position(vec![5])).await.expect_err("there is none");
}

#[tokio::test]
async fn what_is_not_finished_is_removed() {
    let (fake, engine) = Fake::with_index().await;
    let rebuild = engine.rebuild().await.expect("an index");
    assert!(matches!(engine.rebuild().await, Err(SearchError::Rebuilding)));
    drop(rebuild);
    engine.apply(put(), Position(vec![8])).await.expect("written");
    assert_eq!(fake.asked("DELETE /shop-"), 1);
    let mut rebuild = engine.rebuild().await.expect("an index");
    rebuild.apply(put()).await.expect("written");
    fake.says("POST /_aliases", 200, &json!({}));
    rebuild.finish(Position(vec![9])).await.expect("in use");
    assert_eq!(engine.position(), Some(Position(vec![9])));
    assert_eq!(fake.asked(&format!(r#"{{"remove_index":{{"index":"{INDEX}"}}}}"#)), 1);
    engine.apply(Vec::new(), Position(vec![10])).await.expect("noted");
    assert_eq!(fake.asked("DELETE /shop-"), 1);
}
