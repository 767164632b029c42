use barterline_domain::catalogue::attribute::AttributeValue;
use barterline_domain::clock::Timestamp;
use barterline_domain::listing::ListingStatus;
use barterline_domain::listing::details::Condition;
use barterline_domain::money::Currency;
use barterline_domain::place::Point;
use barterline_search::near::Near;
use barterline_search::{AttributeFilter, Facet, Filter, PriceRange, Query, QueryError, Sort};
use barterline_search::{SearchEngine as _, SearchError};

use crate::world::{NOW, Thing, World, category, eur, everything, filtered, key, user, words};

fn near(lat: f64, lon: f64, km: Option<f64>) -> Filter {
    let near = Near { point: Point::new(lat, lon).expect("a point"), km };
    Filter { near: Some(near), ..Filter::default() }
}

fn price(min: Option<u64>, max: Option<u64>) -> Filter {
    Filter { price: Some(PriceRange { currency: eur(), min, max }), ..Filter::default() }
}

fn attribute(name: &str, wanted: AttributeFilter) -> Filter {
    Filter { attributes: [(key(name), wanted)].into(), ..Filter::default() }
}

#[tokio::test]
async fn categories_hold_what_is_below_them() {
    let world = World::with([
        Thing::new(1, "a").is("vehicles/cars"),
        Thing::new(2, "b").is("vehicles"),
        Thing::new(3, "c").is("vehicles-old"),
        Thing::new(4, "d"),
    ])
    .await;
    let of = |id| filtered(Filter { category: Some(category(id)), ..Filter::default() });
    assert_eq!(world.found(of("vehicles")).await, [2, 1]);
    assert_eq!(world.found(of("vehicles/cars")).await, [1]);
    assert_eq!(world.found(of("boats")).await, [0; 0]);
}

#[tokio::test]
async fn prices_are_those_of_one_currency() {
    let world = World::with([
        Thing::new(1, "a").costs(100, "EUR"),
        Thing::new(2, "b").costs(200, "EUR"),
        Thing::new(3, "c").costs(150, "USD"),
        Thing::new(4, "d").costs(100, "EUR"),
    ])
    .await;
    assert_eq!(world.found(filtered(price(None, None))).await, [4, 2, 1]);
    assert_eq!(world.found(filtered(price(Some(101), None))).await, [2]);
    assert_eq!(world.found(filtered(price(Some(100), Some(100)))).await, [4, 1]);
    let sorted = |sort| Query { sort, ..filtered(price(None, None)) };
    assert_eq!(world.found(sorted(Sort::PriceUp)).await, [4, 1, 2]);
    assert_eq!(world.found(sorted(Sort::PriceDown)).await, [2, 4, 1]);
    let pounds = Currency::parse("GBP").expect("a currency");
    let pounds = PriceRange { currency: pounds, min: None, max: None };
    let query = filtered(Filter { price: Some(pounds), ..Filter::default() });
    assert_eq!(world.found(query).await, [0; 0]);
}

#[tokio::test]
async fn attributes_are_chosen_typed_or_counted() {
    let text = |text: &str| AttributeValue::Text(text.to_owned());
    let world = World::with([
        Thing::new(1, "a").chosen("colour", "red").has("make", text("Škoda")),
        Thing::new(2, "b").chosen("colour", "blue").has("make", text("SKODA")),
        Thing::new(3, "c")
            .has("colour", AttributeValue::Many(vec![key("blue"), key("red")]))
            .has("make", text("Skoda Plus")),
        Thing::new(4, "d")
            .has("weight", AttributeValue::Number(3, 1))
            .has("abs", AttributeValue::Flag(true)),
        Thing::new(5, "e")
            .has("weight", AttributeValue::Number(-2, 0))
            .has("abs", AttributeValue::Flag(false)),
    ])
    .await;
    let any_of = |values: &[&str]| {
        AttributeFilter::AnyOf(values.iter().map(|value| (*value).to_owned()).collect())
    };
    let range = |min, max| AttributeFilter::Range { min, max };
    for (name, wanted, expected) in [
        ("colour", any_of(&["red"]), &[3, 1][..]),
        ("colour", any_of(&["red", "blue"]), &[3, 2, 1]),
        ("colour", any_of(&["green"]), &[]),
        ("make", any_of(&["skoda"]), &[2, 1]),
        ("make", any_of(&["ŠKODA plus"]), &[3]),
        ("weight", range(Some(0.3), Some(0.3)), &[4]),
        ("weight", range(None, Some(0.0)), &[5]),
        ("weight", range(Some(0.301), None), &[]),
        ("weight", range(Some(-1e300), Some(1e300)), &[5, 4]),
        ("size", range(None, None), &[]),
        ("abs", AttributeFilter::Flag(true), &[4]),
        ("abs", AttributeFilter::Flag(false), &[5]),
    ] {
        let found = world.found(filtered(attribute(name, wanted.clone()))).await;
        assert_eq!(found, expected, "{name} {wanted:?}");
    }
}

#[tokio::test]
async fn statuses_are_those_of_now() {
    let end = |millis| Timestamp::from_millis(NOW.as_millis() + millis);
    let world = World::with([
        Thing::new(1, "a").until(end(1)),
        Thing::new(2, "b").until(NOW),
        Thing::new(3, "c"),
        Thing::new(4, "d").stands(ListingStatus::Reserved).until(NOW),
        Thing::new(5, "e").stands(ListingStatus::Draft),
    ])
    .await;
    let at = |now, statuses: &[ListingStatus]| {
        let filter = Filter { statuses: statuses.to_vec(), ..Filter::default() };
        Query { now, ..filtered(filter) }
    };
    assert_eq!(world.found(at(NOW, &[ListingStatus::Active])).await, [3, 1]);
    assert_eq!(world.found(at(end(1), &[ListingStatus::Active])).await, [3]);
    assert_eq!(world.found(at(NOW, &[ListingStatus::Expired])).await, [2]);
    let some = [ListingStatus::Reserved, ListingStatus::Draft];
    assert_eq!(world.found(at(NOW, &some)).await, [5, 4]);
    assert_eq!(world.found(at(NOW, &[])).await, [5, 4, 3, 2, 1]);
}

#[tokio::test]
async fn sellers_and_conditions() {
    let world = World::with([
        Thing::new(1, "a").of(7).used(Condition::New),
        Thing::new(2, "b").of(7).used(Condition::Fair),
        Thing::new(3, "c").of(8),
    ])
    .await;
    let own = Filter { seller: Some(user(7)), ..Filter::default() };
    assert_eq!(world.found(filtered(own.clone())).await, [2, 1]);
    let fair = Filter { conditions: vec![Condition::Fair, Condition::Good], ..own };
    assert_eq!(world.found(filtered(fair)).await, [2]);
}

#[tokio::test]
async fn near_is_near_across_the_date_line_and_the_pole() {
    let world = World::with([
        Thing::new(1, "Fiji").at(-17.0, 179.95, None),
        Thing::new(2, "Fiji").at(-17.0, -179.95, None),
        Thing::new(3, "the Arctic").at(89.9, 10.0, None),
        Thing::new(4, "the Arctic").at(89.9, -170.0, None),
        Thing::new(5, "Munich").at(48.1, 11.5, None),
        Thing::new(6, "somewhere"),
    ])
    .await;
    assert_eq!(world.found(filtered(near(-17.0, 179.99, Some(20.0)))).await, [2, 1]);
    assert_eq!(world.found(filtered(near(89.95, 0.0, Some(30.0)))).await, [4, 3]);
    assert_eq!(world.found(filtered(near(48.2, 11.5, Some(5.0)))).await, [0; 0]);
    let nearest = Query { sort: Sort::Distance, ..filtered(near(48.2, 11.5, None)) };
    let page = world.page(nearest).await;
    assert_eq!(page.hits.first().map(|hit| hit.listing), Some(crate::world::id(5)));
    assert_eq!(page.hits.last().map(|hit| hit.listing), Some(crate::world::id(6)));
    let km = page.hits[0].distance_km.expect("a distance");
    assert!((8.0..15.0).contains(&km), "{km}");
    assert_eq!(page.hits[5].distance_km, None);
    assert!(page.hits.windows(2).all(|pair| pair[0].distance_km <= pair[1].distance_km
        || pair[1].distance_km.is_none()));
}

/// Also when segments whose columns are empty were merged.
#[tokio::test]
async fn of_what_nothing_is_said_nothing_is_asked_in_vain() {
    let mut world = World::new();
    for number in 1..=20 {
        world.put([Thing::new(number, "bare")]).await;
        let range = AttributeFilter::Range { min: None, max: Some(1.0) };
        let attributes = [(key("size"), range)].into();
        let point = Point::new(0.0, 0.0).expect("a point");
        for filter in [
            Filter { category: Some(category("home")), ..Filter::default() },
            Filter { attributes, ..Filter::default() },
            Filter { near: Some(Near { point, km: Some(1.0) }), ..Filter::default() },
            Filter { conditions: vec![Condition::New], ..Filter::default() },
        ] {
            let facets = vec![Facet::Category, Facet::Condition, Facet::Attribute(key("size"))];
            let page = world.page(Query { facets, ..filtered(filter) }).await;
            assert_eq!(page.total, 0);
            assert!(page.facets.iter().all(|facet| facet.values.is_empty()));
        }
        let anywhere = Filter { near: Some(Near { point, km: None }), ..Filter::default() };
        let nearest = Query { sort: Sort::Distance, ..filtered(anywhere) };
        assert_eq!(world.page(nearest).await.total, number);
    }
}

#[tokio::test]
async fn a_query_without_sense_is_refused() {
    let world = World::new();
    let nan = AttributeFilter::Range { min: Some(f64::NAN), max: None };
    let none = AttributeFilter::AnyOf(Vec::new());
    let long = AttributeFilter::AnyOf(vec!["x".repeat(201)]);
    for (query, expected) in [
        (Query { sort: Sort::Relevance, ..everything() }, QueryError::NoText),
        (Query { sort: Sort::PriceUp, ..everything() }, QueryError::NoCurrency),
        (Query { sort: Sort::Distance, ..words("lamp") }, QueryError::NoPlace),
        (Query { limit: 0, ..everything() }, QueryError::Limit),
        (Query { limit: 101, ..everything() }, QueryError::Limit),
        (filtered(price(Some(2), Some(1))), QueryError::Range),
        (filtered(attribute("a", nan)), QueryError::Range),
        (filtered(attribute("a", none)), QueryError::Attributes),
        (filtered(attribute("a", long)), QueryError::Attributes),
        (Query { facets: vec![Facet::Status; 17], ..everything() }, QueryError::Facets),
        (filtered(near(0.0, 0.0, Some(f64::NAN))), QueryError::Distance),
        (filtered(near(0.0, 0.0, Some(0.0))), QueryError::Distance),
    ] {
        let refused = world.engine.search(query).await.expect_err("a refusal");
        assert!(matches!(refused, SearchError::Query(error) if error == expected), "{expected:?}");
    }
}
