use std::collections::BTreeSet;

use barterline_domain::place::Point;
use barterline_search::cursor::Cursor;
use barterline_search::near::Near;
use barterline_search::{Filter, PriceRange, Query, QueryError, SearchEngine as _, SearchError};
use barterline_search::{Sort, Words};
use proptest::prelude::*;

use crate::world::{Thing, World, eur, everything, filtered, numbers, words};

#[tokio::test]
async fn a_cursor_is_for_its_own_search() {
    let world = World::with((1..=6).map(|number| Thing::new(number, "red lamp"))).await;
    let next = world.page(Query { limit: 2, ..words("red") }).await.next.expect("a cursor");
    let next: Cursor = next.to_string().parse().expect("a cursor");
    let after = |query| Query { after: Some(next.clone()), ..query };
    assert_eq!(world.found(after(words("red"))).await, [4, 3, 2, 1]);
    let limited = Query { limit: 1, ..words("red") };
    assert_eq!(world.found(after(limited)).await, [4], "with another limit");
    let price = PriceRange { currency: eur(), min: None, max: None };
    let priced = Filter { price: Some(price), ..Filter::default() };
    for other in [
        words("lamp"),
        everything(),
        Query { sort: Sort::Newest, ..words("red") },
        Query { filter: priced, ..words("red") },
    ] {
        let refused = world.engine.search(after(other)).await.expect_err("a refusal");
        assert!(matches!(refused, SearchError::Query(QueryError::Cursor)));
    }
}

#[tokio::test]
async fn the_last_page_says_so() {
    let world = World::with((1..=4).map(|number| Thing::new(number, "lamp"))).await;
    let first = world.page(Query { limit: 2, ..everything() }).await;
    let second = world.page(Query { limit: 2, after: first.next, ..everything() }).await;
    assert_eq!((numbers(&second), second.next), (vec![2, 1], None));
    assert_eq!(second.total, 4);
}

/// What happens between two pages.
#[derive(Debug, Clone)]
enum Meanwhile {
    Added(u64, String),
    Removed(u64),
    Emptied,
}

const SORTS: &[Sort] =
    &[Sort::Relevance, Sort::Newest, Sort::PriceUp, Sort::PriceDown, Sort::Distance];
const TEXTS: &[&str] = &["red", "lamp", "rad", "lamps", "reds", "laptop", "chair", "redder"];

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(TEXTS), 1..6).prop_map(|words| words.join(" "))
}

fn meanwhile() -> impl Strategy<Value = Meanwhile> {
    prop_oneof![
        8 => (100..160_u64, text()).prop_map(|(number, text)| Meanwhile::Added(number, text)),
        3 => (100..160_u64).prop_map(Meanwhile::Removed),
        1 => Just(Meanwhile::Emptied),
    ]
}

fn query() -> impl Strategy<Value = Query> {
    (prop::sample::select(SORTS), text()).prop_map(|(sort, text)| {
        let text = Some(Words::parse(&text).expect("words"));
        let near = Some(Near { point: Point { lat: 48.0, lon: 11.0 }, km: None });
        let price = Some(PriceRange { currency: eur(), min: None, max: None });
        let text = text.filter(|_| matches!(sort, Sort::Relevance | Sort::PriceUp));
        Query { text, sort, ..filtered(Filter { near, price, ..Filter::default() }) }
    })
}

fn thing(number: u64, text: &str) -> Thing {
    // Prices and places with many ties.
    let lat = 47.0 + f64::from(u32::try_from(number % 5).expect("small"));
    Thing::new(number, text)
        .says(&format!("{text} lamp"))
        .costs(number % 4, "EUR")
        .at(lat, 11.0, None)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Pages that are taken while others are added, removed and merged show everything that stays as it
    /// is once, in the order that it had.
    #[test]
    fn what_does_not_change_is_on_one_page_and_in_its_place(
        steady in prop::collection::vec(text(), 5..30),
        meanwhile in prop::collection::vec(prop::collection::vec(meanwhile(), 1..4), 10),
        query in query(),
        limit in 2..7_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build();
        let outcome: Result<(), TestCaseError> = runtime.expect("a runtime").block_on(async {
            let mut world = World::new();
            let things = steady.iter().zip(1..).map(|(text, number)| thing(number, text));
            // In two commits, so that there is something to merge.
            let things: Vec<_> = things.collect();
            for half in things.chunks(steady.len().div_ceil(2)) {
                world.put(half.to_vec()).await;
            }
            let expected = world.found(query.clone()).await;
            let mut seen = Vec::new();
            let mut after = None;
            let mut meanwhile = meanwhile.iter().cycle();
            loop {
                let page = world.page(Query { limit, after, ..query.clone() }).await;
                seen.extend(numbers(&page));
                let Some(next) = page.next else { break };
                after = Some(next.to_string().parse().expect("a cursor"));
                for change in meanwhile.next().into_iter().flatten() {
                    match change {
                        Meanwhile::Added(number, text) => {
                            world.put([thing(*number, text)]).await;
                        }
                        Meanwhile::Removed(number) => world.remove([*number]).await,
                        Meanwhile::Emptied => world.remove(100..160).await,
                    }
                }
            }
            let shown: Vec<_> = seen.iter().copied().filter(|number| *number < 100).collect();
            prop_assert_eq!(&shown, &expected);
            let once: BTreeSet<_> = shown.iter().collect();
            prop_assert_eq!(once.len(), shown.len());
            Ok(())
        });
        outcome?;
    }
}
