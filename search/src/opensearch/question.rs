//! A search as it is asked. What is wanted narrows everything; what is asked for of something that is
//! counted narrows the hits, and the counts of the others.

use std::time::Duration;

use barterline_domain::catalogue::attribute::AttributeKey;
use barterline_domain::clock::Timestamp;
use barterline_domain::listing::ListingStatus;
use serde::Serialize;
use serde_json::{Value, json};

use crate::cursor::{Cursor, Digest, Rank};
use crate::embedded::Language;
use crate::embedded::relevance::Lookup;
use crate::embedded::schema::{STATUSES, said};
use crate::embedded::text::fold;
use crate::near::Near;
use crate::page::{FACET_VALUES_MAX, Page};
use crate::query::{AttributeFilter, Facet, Filter, PriceRange, Query, QueryError, Sort};

use super::answer::{self, Unreadable};
use super::document::number;
use super::{SPELLINGS_MAX, words};

/// A search that makes sense, and how its answer is read.
#[derive(Debug)]
pub struct Question {
    /// What is asked.
    pub body: Value,
    /// Of which search this is a page: the same copy of the index answers all of them, as each copy
    /// scores a little differently.
    pub preference: String,
    /// What its answer is read by.
    pub(super) sort: Sort,
    pub(super) near: Option<Near>,
    pub(super) facets: Vec<Facet>,
    pub(super) limit: usize,
    pub(super) digest: [u8; 8],
}

/// What a listing has to be.
struct Test {
    query: Value,
    /// The facets that are counted as if it were not asked for.
    lifted_for: Vec<usize>,
}

/// A float is not exactly what a person wrote: 0.3 · 1000 is below 300 by less than this.
const SLACK: f64 = 1e-3;

impl Question {
    pub(super) fn new(query: Query, languages: &[Language]) -> Result<Self, QueryError> {
        query.check()?;
        let digest = digest(&query);
        let lookup = query.text.as_ref().map(|words| Lookup::new(words, languages));
        let (narrow, wide): (Vec<_>, Vec<_>) =
            wanted(&query).into_iter().partition(|test| test.lifted_for.is_empty());
        let mut body = json!({
            "size": query.limit + 1,
            "track_total_hits": true,
            // Scores are asked for where they are the order.
            "track_scores": false,
            "_source": if query.filter.near.is_some() { json!(["place"]) } else { json!(false) },
            "query": narrowed(lookup.as_ref(), query.sort, &narrow),
            "post_filter": {"bool": {"filter": queries(&wide, None)}},
            "sort": order(query.sort, query.filter.near),
        });
        let counted = query.facets.iter().enumerate().map(|(at, facet)| {
            let values = counted(facet, &query.filter, query.now);
            let filter = json!({"bool": {"filter": queries(&wide, Some(at))}});
            (at.to_string(), json!({"filter": filter, "aggs": {"values": values}}))
        });
        let counted: serde_json::Map<_, _> = counted.collect();
        if !counted.is_empty() {
            body["aggs"] = Value::Object(counted);
        }
        if let Some(after) = &query.after {
            body["search_after"] = behind(after, digest, query.sort)?;
        }
        Ok(Self {
            body,
            preference: data_encoding::HEXLOWER.encode(&digest),
            sort: query.sort,
            near: query.filter.near,
            facets: query.facets,
            limit: query.limit,
            digest,
        })
    }

    /// Has the index give up after so long.
    #[must_use]
    pub fn within(mut self, time: Duration) -> Self {
        self.body["timeout"] = json!(format!("{}ms", time.as_millis()));
        self
    }

    /// Reads its answer; `None`: the index gave up.
    pub fn read(self, answer: &[u8]) -> Result<Option<Page>, Unreadable> {
        answer::page(&self, answer)
    }
}

/// Which search it is. A cursor of the engine in the process is none of this one: its scores are others.
fn digest(query: &Query) -> [u8; 8] {
    let mut digest = Digest::new();
    digest.bytes(b"opensearch");
    digest.bytes(&query.digest());
    digest.end()
}

fn narrowed(lookup: Option<&Lookup>, sort: Sort, narrow: &[Test]) -> Value {
    let mut filter = queries(narrow, None);
    // The document of the position is no listing.
    filter.push(json!({"exists": {"field": "id"}}));
    match lookup {
        Some(lookup) if sort == Sort::Relevance => {
            json!({"bool": {"must": words::scored(lookup), "filter": filter}})
        }
        Some(lookup) => {
            filter.push(words::all(lookup));
            json!({"bool": {"filter": filter}})
        }
        None => json!({"bool": {"filter": filter}}),
    }
}

/// What all tests want, but for those that a facet is counted without.
fn queries(tests: &[Test], facet: Option<usize>) -> Vec<Value> {
    let counts = |test: &&Test| facet.is_none_or(|at| !test.lifted_for.contains(&at));
    tests.iter().filter(counts).map(|test| test.query.clone()).collect()
}

/// What is asked for beside words.
fn wanted(query: &Query) -> Vec<Test> {
    let Filter { category, price, attributes, near, conditions, statuses, seller } = &query.filter;
    let mut tests = Vec::new();
    let mut add = |asked: Value, is_own: &dyn Fn(&Facet) -> bool| {
        let own = query.facets.iter().enumerate().filter(|(_, facet)| is_own(facet));
        let lifted_for = own.map(|(at, _)| at).collect();
        tests.push(Test { query: asked, lifted_for });
    };
    let never = |_: &Facet| false;
    if let Some(category) = category {
        add(json!({"term": {"category": category.as_str()}}), &never);
    }
    if let Some(seller) = seller {
        add(json!({"term": {"seller": seller.to_string()}}), &never);
    }
    if let Some(PriceRange { currency, min, max }) = price {
        add(json!({"term": {"currency": currency.code()}}), &never);
        if min.is_some() || max.is_some() {
            add(json!({"range": {"price": between(whole(*min), whole(*max))}}), &never);
        }
    }
    for (key, wanted) in attributes {
        let is_own = |facet: &Facet| matches!(facet, Facet::Attribute(other) if other == key);
        add(attribute(key, wanted), &is_own);
    }
    if !conditions.is_empty() {
        add(json!({"terms": {"condition": conditions}}), &|it| *it == Facet::Condition);
    }
    if !statuses.is_empty() {
        let any: Vec<_> = statuses.iter().map(|status| stands(*status, query.now)).collect();
        let any = json!({"bool": {"should": any, "minimum_should_match": 1}});
        add(any, &|it| *it == Facet::Status);
    }
    if let Some(Near { point, km: Some(km) }) = near {
        let within = json!({
            "distance": format!("{km}km"),
            "place": {"lat": point.lat, "lon": point.lon},
        });
        add(json!({"geo_distance": within}), &never);
    }
    tests
}

/// What somebody types may be beyond what a price can be.
fn whole(number: Option<u64>) -> Option<i64> {
    number.map(|number| i64::try_from(number).unwrap_or(i64::MAX))
}

/// Both ends included.
fn between<T: Serialize>(min: Option<T>, max: Option<T>) -> Value {
    let ends = [("gte", min), ("lte", max)];
    let ends = ends.into_iter().filter_map(|(name, end)| Some((name.to_owned(), json!(end?))));
    Value::Object(ends.collect())
}

fn attribute(key: &AttributeKey, wanted: &AttributeFilter) -> Value {
    match wanted {
        AttributeFilter::Flag(flag) => json!({"term": {"said": said(key, &flag.to_string())}}),
        AttributeFilter::AnyOf(values) => {
            let any: Vec<_> = values.iter().map(|value| said(key, &fold(value))).collect();
            json!({"terms": {"said": any}})
        }
        AttributeFilter::Range { min, max } => {
            // Floats beyond the range of integers stop at its ends.
            let min = min.map_or(i64::MIN, |min| (min * 1_000.0 - SLACK).ceil() as i64);
            let max = max.map_or(i64::MAX, |max| (max * 1_000.0 + SLACK).floor() as i64);
            json!({"range": {"number": between(Some(number(key, min)), Some(number(key, max)))}})
        }
    }
}

/// What stands so at `now`: see [`barterline_domain::listing::Listing::status_at`].
pub(super) fn stands(status: ListingStatus, now: Timestamp) -> Value {
    let is_over = json!({"range": {"expires_at": {"lte": now.as_millis()}}});
    let active = json!({"term": {"status": ListingStatus::Active}});
    match status {
        ListingStatus::Active => json!({"bool": {"filter": active, "must_not": is_over}}),
        ListingStatus::Expired => {
            let kept = json!({"term": {"status": status}});
            let over = json!({"bool": {"filter": [active, is_over]}});
            json!({"bool": {"should": [kept, over], "minimum_should_match": 1}})
        }
        ListingStatus::Draft
        | ListingStatus::Reserved
        | ListingStatus::Sold
        | ListingStatus::Withdrawn => json!({"term": {"status": status}}),
    }
}

/// What is counted of a facet.
fn counted(facet: &Facet, filter: &Filter, now: Timestamp) -> Value {
    match facet {
        // Categories and keys have no sign in them that means something in a pattern.
        Facet::Category => {
            let above = filter.category.as_ref();
            let above = above.map(|above| format!("{}/", above.as_str())).unwrap_or_default();
            let below = format!("{above}[^/]+");
            json!({"terms": {"field": "category", "include": below, "size": FACET_VALUES_MAX}})
        }
        Facet::Attribute(key) => {
            let values = format!("{}.*", said(key, ""));
            json!({"terms": {"field": "counted", "include": values, "size": SPELLINGS_MAX}})
        }
        Facet::Condition => json!({"terms": {"field": "condition", "size": FACET_VALUES_MAX}}),
        Facet::Status => {
            let each = STATUSES.map(|status| stands(status, now));
            let names =
                STATUSES.map(|status| json!(status).as_str().unwrap_or_default().to_owned());
            let each: serde_json::Map<_, _> = names.into_iter().zip(each).collect();
            json!({"filters": {"filters": each}})
        }
    }
}

/// In which order, ties by id: the newer first.
fn order(sort: Sort, near: Option<Near>) -> Value {
    let by = match sort {
        Sort::Relevance => json!({"_score": "desc"}),
        Sort::Newest => json!({"created_at": "desc"}),
        Sort::PriceUp => json!({"price": "asc"}),
        Sort::PriceDown => json!({"price": "desc"}),
        Sort::Distance => {
            let from = near.map(|near| json!({"lat": near.point.lat, "lon": near.point.lon}));
            json!({"_geo_distance": {"place": from, "order": "asc", "unit": "m"}})
        }
    };
    json!([by, {"id": "desc"}])
}

/// Where to go on.
fn behind(after: &Cursor, digest: [u8; 8], sort: Sort) -> Result<Value, QueryError> {
    let Cursor { digest: of, last: Rank { key, listing }, statistics } = after;
    if *of != digest || statistics.is_some() {
        return Err(QueryError::Cursor);
    }
    let value = from_key(sort, *key).ok_or(QueryError::Cursor)?;
    Ok(json!([value, listing.to_string()]))
}

/// The key of what a hit is sorted by: the greater the earlier. Bits of floats that are not below 0 sort
/// as they do.
pub(super) fn to_key(sort: Sort, value: &Value) -> Option<u64> {
    match sort {
        Sort::Relevance => {
            let score = value.as_f64().filter(|score| *score >= 0.0)?;
            Some(u64::from((score as f32).to_bits()))
        }
        Sort::Newest | Sort::PriceDown => value.as_u64(),
        Sort::PriceUp => Some(u64::MAX - value.as_u64()?),
        Sort::Distance => {
            let metres = match value.as_str() {
                Some("Infinity") => f64::INFINITY,
                Some(_) => return None,
                None => value.as_f64().filter(|metres| *metres >= 0.0)?,
            };
            Some(u64::MAX - metres.to_bits())
        }
    }
}

/// What [`to_key`] was given; `None`: nothing like that.
fn from_key(sort: Sort, key: u64) -> Option<Value> {
    let whole = |number: u64| i64::try_from(number).ok().map(|number| json!(number));
    match sort {
        Sort::Relevance => {
            let score = f32::from_bits(u32::try_from(key).ok()?);
            (score.is_finite() && score >= 0.0).then(|| json!(score))
        }
        Sort::Newest | Sort::PriceDown => whole(key),
        Sort::PriceUp => whole(u64::MAX - key),
        Sort::Distance => {
            let metres = f64::from_bits(u64::MAX - key);
            let far = if metres.is_infinite() { json!("Infinity") } else { json!(metres) };
            (metres >= 0.0).then_some(far)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use barterline_domain::ids::ListingId;
    use barterline_domain::listing::details::Condition;
    use barterline_domain::money::Currency;

    use super::*;
    use crate::query::Words;

    fn query(sort: Sort) -> Query {
        Query {
            text: None,
            filter: Filter::default(),
            sort,
            facets: Vec::new(),
            after: None,
            limit: 10,
            now: Timestamp::from_millis(1_000),
        }
    }

    fn key(name: &str) -> AttributeKey {
        AttributeKey::try_from(name.to_owned()).expect("a key")
    }

    #[test]
    fn keys_say_what_they_were_made_of() {
        for (sort, value) in [
            (Sort::Relevance, json!(1_026.125)),
            (Sort::Newest, json!(1_700_000_000_000_u64)),
            (Sort::PriceUp, json!(9_007_199_254_740_991_u64)),
            (Sort::PriceDown, json!(0)),
            (Sort::Distance, json!(1_234.567_891)),
            (Sort::Distance, json!("Infinity")),
        ] {
            let key = to_key(sort, &value).expect("a key");
            assert_eq!(from_key(sort, key), Some(value.clone()), "{sort:?} {value}");
        }
        let nearer = to_key(Sort::Distance, &json!(1.5)) > to_key(Sort::Distance, &json!(2.5));
        assert!(nearer && to_key(Sort::PriceUp, &json!(1)) > to_key(Sort::PriceUp, &json!(2)));
        for (sort, wrong) in [
            (Sort::Relevance, u64::from(f32::NAN.to_bits())),
            (Sort::Relevance, u64::MAX),
            (Sort::Newest, u64::MAX),
            (Sort::Distance, u64::MAX - f64::NAN.to_bits()),
        ] {
            assert_eq!(from_key(sort, wrong), None, "{sort:?} {wrong}");
        }
    }

    #[test]
    fn a_cursor_is_that_of_one_search_of_this_engine() {
        let own = digest(&query(Sort::Newest));
        let last = Rank { key: 7, listing: ListingId::from_bytes([9; 16]) };
        let asked = |digest: [u8; 8], sort: Sort| {
            let after = Some(Cursor { digest, last, statistics: None });
            Question::new(Query { after, ..query(sort) }, &[])
                .map(|it| it.body["search_after"].clone())
        };
        let listing = ListingId::from_bytes([9; 16]).to_string();
        assert_eq!(asked(own, Sort::Newest), Ok(json!([7, listing])));
        let embedded = query(Sort::Newest).digest();
        assert_eq!(asked(embedded, Sort::Newest), Err(QueryError::Cursor));
        let mut other = query(Sort::Newest);
        other.filter.conditions = vec![Condition::New];
        assert_eq!(asked(digest(&other), Sort::Newest), Err(QueryError::Cursor));
    }

    #[test]
    fn a_facet_is_counted_without_its_own_filter() {
        let mut query = query(Sort::Newest);
        query.facets = vec![Facet::Attribute(key("frame")), Facet::Condition, Facet::Category];
        query.filter.conditions = vec![Condition::New];
        query.filter.attributes =
            BTreeMap::from([(key("frame"), AttributeFilter::AnyOf(vec!["Steel".to_owned()]))]);
        let currency = Currency::parse("EUR").expect("a currency");
        query.filter.price = Some(PriceRange { currency, min: None, max: Some(5) });
        let body = Question::new(query, &[]).expect("a question").body;
        let frame = json!({"terms": {"said": ["frame=steel"]}});
        let condition = json!({"terms": {"condition": ["new"]}});
        assert_eq!(body["post_filter"]["bool"]["filter"], json!([frame, condition]));
        let counted = |at: &str| body["aggs"][at]["filter"]["bool"]["filter"].clone();
        assert_eq!(counted("0"), json!([condition]));
        assert_eq!(counted("1"), json!([frame]));
        assert_eq!(counted("2"), json!([frame, condition]));
        let narrow = body["query"]["bool"]["filter"].to_string();
        assert!(narrow.contains("currency") && !narrow.contains("condition"), "{narrow}");
    }

    #[test]
    fn what_is_over_has_expired() {
        let now = Timestamp::from_millis(1_000);
        let active = stands(ListingStatus::Active, now);
        assert_eq!(active["bool"]["must_not"]["range"]["expires_at"]["lte"], 1_000);
        assert_eq!(stands(ListingStatus::Sold, now), json!({"term": {"status": "sold"}}));
    }

    #[test]
    fn sorted_otherwise_all_words_are_there() {
        let text = Some(Words::parse("red bike").expect("words"));
        let price = Query { text: text.clone(), ..query(Sort::Newest) };
        let body = Question::new(price, &[]).expect("a question").body;
        assert_eq!(body["query"]["bool"].get("must"), None);
        let relevance = Query { text, ..query(Sort::Relevance) };
        let body = Question::new(relevance, &[]).expect("a question").body;
        assert!(body["query"]["bool"].get("must").is_some());
        assert_eq!(body["sort"][0], json!({"_score": "desc"}));
    }
}
