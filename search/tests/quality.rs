//! How good the first ten hits are.

use std::collections::BTreeSet;
use std::path::Path;

use barterline_domain::catalogue::category::CategoryId;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{ListingId, UserId};
use barterline_domain::listing::{Listing, ListingText};
use barterline_domain::money::{Currency, Money};
use barterline_search::embedded::{Language, Settings, open};
use barterline_search::{Change, Filter, Position, Query, SearchEngine as _, Sort, Words};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// How many of what somebody means are among the first ten hits, on average.
const RECALL_MIN: f64 = 0.9;

#[derive(Deserialize)]
struct Given {
    id: u64,
    title: String,
    description: String,
    category: Option<CategoryId>,
    price_minor: u64,
}

#[derive(Deserialize)]
struct Asked {
    text: String,
    relevant: BTreeSet<u64>,
    category: Option<CategoryId>,
}

fn read<T: DeserializeOwned>(name: &str) -> Vec<T> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/quality").join(name);
    let lines = std::fs::read_to_string(path).expect("a file");
    lines.lines().map(|line| serde_json::from_str(line).expect("a line")).collect()
}

fn listing(given: Given) -> Listing {
    let id = ListingId::from_bytes(u128::from(given.id).to_be_bytes());
    let text = ListingText::parse(&given.title, given.description).expect("a text");
    let currency = Currency::parse("EUR").expect("a currency");
    let price = Money::new(given.price_minor, currency).expect("an amount");
    let seller = UserId::from_bytes([1; 16]);
    let mut listing = Listing::offered(id, seller, text, price, Timestamp::from_millis(given.id));
    listing.details.category = given.category;
    listing
}

fn number(id: ListingId) -> u64 {
    u128::from_be_bytes(*id.as_bytes()) as u64
}

#[expect(clippy::cast_precision_loss, reason = "small counts")]
#[tokio::test]
async fn the_first_ten_hits_are_what_was_meant() {
    let dir = tempfile::tempdir().expect("a directory");
    let languages = ["en", "de"].map(|code| Language::parse(code).expect("a language"));
    let engine = open(Settings::new(dir.path().into(), languages.into())).expect("open").engine;
    let listings: Vec<Given> = read("listings.jsonl");
    let changes = listings.into_iter().map(|given| Change::Put(Box::new(listing(given))));
    engine.apply(changes.collect(), Position(vec![1])).await.expect("applied");
    let queries: Vec<Asked> = read("queries.jsonl");
    let mut sum = 0.0;
    for asked in &queries {
        let query = Query {
            text: Some(Words::parse(&asked.text).expect("words")),
            filter: Filter { category: asked.category.clone(), ..Filter::default() },
            sort: Sort::Relevance,
            facets: Vec::new(),
            after: None,
            limit: 10,
            now: Timestamp::from_millis(1_000),
        };
        let page = engine.search(query).await.expect("a page");
        let found: BTreeSet<_> = page.hits.iter().map(|hit| number(hit.listing)).collect();
        let recall =
            found.intersection(&asked.relevant).count() as f64 / asked.relevant.len() as f64;
        if recall < 1.0 {
            let missing: Vec<_> = asked.relevant.difference(&found).collect();
            println!("{recall:.2} {}: not found {missing:?}", asked.text);
        }
        sum += recall;
    }
    let mean = sum / queries.len() as f64;
    println!("mean recall@10: {mean:.3} over {} queries", queries.len());
    assert!(mean >= RECALL_MIN, "{mean}");
}
