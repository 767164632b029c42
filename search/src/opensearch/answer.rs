//! What the answers mean. They come from outside: nothing in them is taken for granted.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use barterline_domain::ids::ListingId;
use barterline_domain::place::Point;
use serde::Deserialize;
use serde_json::Value;

use crate::cursor::{Cursor, Rank};
use crate::embedded::schema::said;
use crate::near::Near;
use crate::page::{Counted, FACET_VALUES_MAX, FacetValue, Hit, Page};
use crate::query::Facet;

use super::question::{Question, to_key};

/// An answer that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an answer that means nothing: {0}")]
pub struct Unreadable(String);

impl From<serde_json::Error> for Unreadable {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

/// What a search answers.
#[derive(Deserialize)]
struct Answer {
    timed_out: bool,
    hits: Hits,
    #[serde(default)]
    aggregations: HashMap<String, Aggregation>,
}

#[derive(Deserialize)]
struct Hits {
    total: Total,
    hits: Vec<Found>,
}

#[derive(Deserialize)]
struct Total {
    value: u64,
}

#[derive(Deserialize)]
struct Found {
    sort: (Value, ListingId),
    #[serde(rename = "_source")]
    source: Option<Source>,
}

#[derive(Deserialize)]
struct Source {
    place: Option<Place>,
}

#[derive(Deserialize)]
struct Place {
    lat: f64,
    lon: f64,
}

#[derive(Deserialize)]
struct Aggregation {
    values: Values,
}

#[derive(Deserialize)]
struct Values {
    buckets: Buckets,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Buckets {
    Listed(Vec<Bucket>),
    Named(BTreeMap<String, Count>),
}

#[derive(Deserialize)]
struct Bucket {
    key: String,
    doc_count: u64,
}

#[derive(Deserialize)]
struct Count {
    doc_count: u64,
}

/// Reads a page; `None`: the index gave up.
pub(super) fn page(question: &Question, answer: &[u8]) -> Result<Option<Page>, Unreadable> {
    let Answer { timed_out, hits, mut aggregations } = serde_json::from_slice(answer)?;
    if timed_out {
        return Ok(None);
    }
    let total = hits.total.value;
    let is_more = hits.hits.len() > question.limit;
    let found = hits.hits.into_iter().take(question.limit);
    let ranked = found.map(|found| ranked(question, found)).collect::<Result<Vec<_>, _>>()?;
    let last = ranked.last().filter(|_| is_more).map(|(rank, _)| *rank);
    let next = last.map(|last| Cursor { digest: question.digest, last, statistics: None });
    let facets = question.facets.iter().enumerate().map(|(at, facet)| {
        let missing = || Unreadable(format!("facet {at} is not there"));
        let counted = aggregations.remove(&at.to_string()).ok_or_else(missing)?;
        Ok(values(facet, counted.values.buckets))
    });
    let facets = facets.collect::<Result<_, Unreadable>>()?;
    let hits = ranked.into_iter().map(|(_, hit)| hit).collect();
    Ok(Some(Page { hits, total, facets, next }))
}

fn ranked(question: &Question, found: Found) -> Result<(Rank, Hit), Unreadable> {
    let Found { sort: (value, listing), source } = found;
    let key = to_key(question.sort, &value)
        .ok_or_else(|| Unreadable(format!("a hit is sorted by {value}")))?;
    let place = source.and_then(|source| source.place);
    let distance = |(Near { point, .. }, Place { lat, lon }): (Near, Place)| {
        point.distance_km(Point { lat, lon })
    };
    let distance_km = question.near.zip(place).map(distance);
    Ok((Rank { key, listing }, Hit { listing, distance_km }))
}

/// The values of a facet: of a text all spellings together, called as most sellers write it.
fn values(facet: &Facet, buckets: Buckets) -> Counted {
    let buckets: Vec<_> = match buckets {
        Buckets::Listed(all) => all.into_iter().map(|it| (it.key, it.doc_count)).collect(),
        Buckets::Named(all) => all.into_iter().map(|(key, it)| (key, it.doc_count)).collect(),
    };
    let prefix = match facet {
        Facet::Attribute(key) => said(key, ""),
        Facet::Category | Facet::Condition | Facet::Status => String::new(),
    };
    let mut spellings: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for (key, count) in buckets.into_iter().filter(|(_, count)| *count > 0) {
        let name = key.strip_prefix(&prefix).unwrap_or(&key);
        let (value, written) = name.split_once('\0').unwrap_or((name, name));
        let ways = spellings.entry(value.to_owned()).or_default();
        *ways.entry(written.to_owned()).or_default() += count;
    }
    let mut values: Vec<_> = spellings
        .into_values()
        .filter_map(|ways| {
            let count = ways.values().sum();
            let (value, _) = ways.into_iter().rev().max_by_key(|(_, count)| *count)?;
            Some(FacetValue { value, count })
        })
        .collect();
    // Stable: what comes first by name stays first.
    values.sort_by_key(|value| Reverse(value.count));
    values.truncate(FACET_VALUES_MAX);
    Counted { facet: facet.clone(), values }
}

/// Which versions an index has of listings, as it answers who asks for several.
#[derive(Deserialize)]
pub struct Versions {
    docs: Vec<Version>,
}

#[derive(Deserialize)]
struct Version {
    #[serde(rename = "_id")]
    id: ListingId,
    #[serde(rename = "_version")]
    number: Option<u64>,
    #[serde(default)]
    found: bool,
    error: Option<Cause>,
}

impl Versions {
    /// Reads an answer: what is there, in which version.
    pub fn read(answer: &[u8]) -> Result<Vec<(ListingId, u64)>, Unreadable> {
        let Self { docs } = serde_json::from_slice(answer)?;
        let there = docs.into_iter().filter_map(|it| match (it.error, it.number) {
            (Some(error), _) => {
                Some(Err(Unreadable(format!("{} is not read: {}", it.id, error.kind))))
            }
            (None, Some(version)) if it.found => Some(Ok((it.id, version))),
            (None, _) => None,
        });
        there.collect()
    }
}

/// What it is called that there is a later version.
const LATER_VERSION: &str = "version_conflict_engine_exception";

/// What became of the lines of a bulk request.
#[derive(Deserialize)]
struct Done {
    errors: bool,
    #[serde(default)]
    items: Vec<HashMap<String, Item>>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(rename = "_id", default)]
    id: String,
    status: u16,
    error: Option<Cause>,
}

#[derive(Deserialize)]
struct Cause {
    #[serde(rename = "type")]
    kind: String,
}

/// The first of the lines of a bulk request that was refused, and why. That the index has a later version is
/// no refusal, nor that there is nothing to take out, which is no error over there.
pub fn refused(answer: &[u8], lines: usize) -> Result<Option<String>, Unreadable> {
    let Done { errors, items } = serde_json::from_slice(answer)?;
    if items.len() != lines {
        return Err(Unreadable(format!("of {lines} lines it tells of {}", items.len())));
    }
    if !errors {
        return Ok(None);
    }
    let mut items = items.into_iter().flat_map(HashMap::into_values);
    let wrong = items.find_map(|Item { id, status, error }| {
        let Cause { kind } = error?;
        (kind != LATER_VERSION).then(|| format!("{id}: {status} {kind}"))
    });
    Ok(wrong)
}

#[cfg(test)]
mod tests {
    use barterline_domain::catalogue::attribute::AttributeKey;
    use barterline_domain::clock::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::query::{Filter, Query, Sort};

    #[test]
    fn a_distance_is_read_as_it_was_written() {
        // As far as these the last hit of a page was: a hair more or less misses what is as far, or finds it again.
        for written in ["207865.04375935582", "15211.410322387977"] {
            let read: Value = serde_json::from_str(written).expect("a number");
            assert_eq!(read.as_f64().map(|it| it.to_string()).as_deref(), Some(written));
            assert_eq!(read.to_string(), written);
        }
    }

    fn question(facets: Vec<Facet>, limit: usize) -> Question {
        let query = Query {
            text: None,
            filter: Filter::default(),
            sort: Sort::Newest,
            facets,
            after: None,
            limit,
            now: Timestamp::from_millis(1),
        };
        Question::new(query, &[]).expect("a question")
    }

    fn bytes(value: &Value) -> Vec<u8> {
        value.to_string().into_bytes()
    }

    fn hit(at: u8) -> Value {
        json!({"_id": "x", "sort": [at, ListingId::from_bytes([at; 16]).to_string()]})
    }

    #[test]
    fn a_page_ends_with_a_cursor_if_there_is_more() {
        let answer = |hits: Vec<Value>| {
            bytes(&json!({"timed_out": false, "hits": {"total": {"value": 3}, "hits": hits}}))
        };
        let page = page(&question(vec![], 2), &answer(vec![hit(3), hit(2), hit(1)]));
        let page = page.expect("a page").expect("in time");
        assert_eq!((page.hits.len(), page.total), (2, 3));
        let last = Rank { key: 2, listing: ListingId::from_bytes([2; 16]) };
        assert_eq!(page.next.map(|cursor| cursor.last), Some(last));
        let page = super::page(&question(vec![], 3), &answer(vec![hit(3), hit(2), hit(1)]));
        assert_eq!(page.expect("a page").expect("in time").next, None);
    }

    #[test]
    fn spellings_are_one_value() {
        let key = AttributeKey::try_from("make".to_owned()).expect("a key");
        let buckets = json!([
            {"key": "make=koga\u{0}Koga", "doc_count": 3},
            {"key": "make=gazelle\u{0}Gazelle", "doc_count": 4},
            {"key": "make=koga\u{0}KOGA", "doc_count": 2},
        ]);
        let counted =
            values(&Facet::Attribute(key), serde_json::from_value(buckets).expect("buckets"));
        let values: Vec<_> =
            counted.values.iter().map(|it| (it.value.as_str(), it.count)).collect();
        assert_eq!(values, [("Koga", 5), ("Gazelle", 4)]);
    }

    #[test]
    fn what_means_nothing_is_an_error() {
        let question = || question(vec![Facet::Condition], 2);
        let whole = json!({"timed_out": false, "hits": {"total": {"value": 0}, "hits": []}});
        for wrong in [&b""[..], b"{}", b"<html>", bytes(&whole).as_slice()] {
            assert!(page(&question(), wrong).is_err(), "{}", String::from_utf8_lossy(wrong));
        }
        let late = json!({"timed_out": true, "hits": {"total": {"value": 0}, "hits": []}});
        assert_eq!(page(&question(), &bytes(&late)), Ok(None));
    }

    #[test]
    fn a_line_that_was_refused_is_found_among_others() {
        let item = |status: u16| json!({"index": {"_id": "a", "status": status}});
        let wrong =
            |kind: &str| json!({"index": {"_id": "b", "status": 429, "error": {"type": kind}}});
        let answer = bytes(
            &json!({"errors": true, "items": [item(201), wrong(LATER_VERSION), wrong("full")]}),
        );
        let found = refused(&answer, 3).expect("an answer");
        assert_eq!(found.as_deref(), Some("b: 429 full"));
        let answer =
            bytes(&json!({"errors": true, "items": [item(201), wrong(LATER_VERSION), item(404)]}));
        assert_eq!(refused(&answer, 3), Ok(None));
        assert!(refused(&answer, 4).is_err(), "one was forgotten");
    }
}
