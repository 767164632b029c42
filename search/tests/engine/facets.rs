use barterline_domain::catalogue::attribute::AttributeValue;
use barterline_domain::listing::ListingStatus;
use barterline_domain::listing::details::Condition;
use barterline_search::page::Page;
use barterline_search::{AttributeFilter, Facet, Filter, Query};

use crate::world::{Thing, World, category, counting, key, words};

fn counts(page: &Page, facet: usize) -> Vec<(&str, u64)> {
    page.facets[facet].values.iter().map(|value| (value.value.as_str(), value.count)).collect()
}

async fn bikes() -> World {
    World::with([
        Thing::new(1, "bike").is("vehicles/bicycles").chosen("colour", "red").used(Condition::New),
        Thing::new(2, "bike").is("vehicles/bicycles").chosen("colour", "red").used(Condition::Fair),
        Thing::new(3, "bike").is("vehicles/bicycles").chosen("colour", "blue").used(Condition::New),
        Thing::new(4, "car").is("vehicles/cars/vans").chosen("colour", "blue"),
        Thing::new(5, "sofa").is("home").stands(ListingStatus::Sold),
    ])
    .await
}

#[tokio::test]
async fn categories_are_counted_a_level_at_a_time() {
    let world = bikes().await;
    let page = world.page(counting(&[Facet::Category], Filter::default())).await;
    assert_eq!(counts(&page, 0), [("vehicles", 4), ("home", 1)]);
    let vehicles = Filter { category: Some(category("vehicles")), ..Filter::default() };
    let page = world.page(counting(&[Facet::Category], vehicles)).await;
    assert_eq!(counts(&page, 0), [("vehicles/bicycles", 3), ("vehicles/cars", 1)]);
    assert_eq!(page.total, 4);
}

#[tokio::test]
async fn a_facet_is_counted_as_if_its_own_filter_were_not_there() {
    let world = bikes().await;
    let red = AttributeFilter::AnyOf(vec!["red".to_owned()]);
    let filter = Filter {
        attributes: [(key("colour"), red)].into(),
        conditions: vec![Condition::New],
        ..Filter::default()
    };
    let facets = [Facet::Attribute(key("colour")), Facet::Condition, Facet::Status];
    let page = world.page(counting(&facets, filter)).await;
    assert_eq!(page.total, 1);
    assert_eq!(counts(&page, 0), [("blue", 1), ("red", 1)], "of new ones");
    assert_eq!(counts(&page, 1), [("fair", 1), ("new", 1)], "of red ones");
    assert_eq!(counts(&page, 2), [("active", 1)]);
}

#[tokio::test]
async fn facets_count_what_words_find() {
    let world = bikes().await;
    let facets = vec![Facet::Attribute(key("colour"))];
    let page = world.page(Query { facets, limit: 1, ..words("bike") }).await;
    assert_eq!((page.total, page.hits.len()), (3, 1));
    assert_eq!(counts(&page, 0), [("red", 2), ("blue", 1)]);
}

#[tokio::test]
async fn texts_are_counted_whatever_their_case_and_fifty_values_at_most() {
    let make = |number: u64, text: &str| {
        Thing::new(number, "car").has("make", AttributeValue::Text(text.to_owned()))
    };
    let mut world =
        World::with([make(1, "Škoda"), make(2, "SKODA"), make(3, "Škoda"), make(4, "Audi")]).await;
    let query = || counting(&[Facet::Attribute(key("make"))], Filter::default());
    assert_eq!(counts(&world.page(query()).await, 0), [("Škoda", 3), ("Audi", 1)]);
    world.put((10..70).map(|number| make(number, &format!("Make {number}")))).await;
    let page = world.page(query()).await;
    assert_eq!(page.facets[0].values.len(), 50);
    assert_eq!(page.facets[0].values[0].count, 3);
    world.remove(1..70).await;
    assert_eq!(counts(&world.page(query()).await, 0), []);
}

#[tokio::test]
async fn numbers_and_flags_are_counted_as_they_are_written() {
    let world = World::with([
        Thing::new(1, "a").has("size", AttributeValue::Number(425, 1)),
        Thing::new(2, "b").has("size", AttributeValue::Number(42, 0)),
        Thing::new(3, "c").has("abs", AttributeValue::Flag(true)),
    ])
    .await;
    let facets = [Facet::Attribute(key("size")), Facet::Attribute(key("abs"))];
    let page = world.page(counting(&facets, Filter::default())).await;
    assert_eq!(counts(&page, 0), [("42", 1), ("42.5", 1)]);
    assert_eq!(counts(&page, 1), [("true", 1)]);
}
