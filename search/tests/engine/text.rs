use barterline_domain::catalogue::attribute::AttributeValue;
use barterline_search::{Query, SearchEngine as _, Sort};
use proptest::prelude::*;

use crate::world::{Thing, World, everything, words};

#[tokio::test]
async fn a_title_says_more_than_a_description() {
    let described = Thing::new(1, "Old things").says("with a lamp");
    let world = World::with([described, Thing::new(2, "Lamp"), Thing::new(3, "Chair")]).await;
    assert_eq!(world.found_by("lamp").await, [2, 1]);
}

#[tokio::test]
async fn all_that_is_said_is_found() {
    let bike = Thing::new(1, "Trek 820")
        .is("vehicles/mountain-bikes")
        .has("make", AttributeValue::Text("Gary Fisher".to_owned()))
        .chosen("colour", "crimson")
        .at(48.1, 11.5, Some("München"));
    let world = World::with([bike, Thing::new(2, "Chair")]).await;
    for text in ["vehicles", "mountain", "fisher", "crimson", "munchen", "MÜNCHEN", "trek", "820"]
    {
        assert_eq!(world.found_by(text).await, [1], "{text}");
    }
}

#[tokio::test]
async fn what_has_all_words_comes_first() {
    let long = Thing::new(1, "Table").says(&format!("red {}", "and so on ".repeat(200)));
    let things = [long, Thing::new(2, "Red red red lamp"), Thing::new(3, "Table, table, table")];
    let world = World::with(things).await;
    let found = world.found_by("red table").await;
    assert_eq!(found[0], 1);
    assert_eq!(found.len(), 3, "what has some words follows");
    let newest = Query { sort: Sort::Newest, ..words("red table") };
    assert_eq!(world.found(newest).await, [1], "other orders show what has all");
}

#[tokio::test]
async fn endings_do_not_matter_in_the_languages_of_the_index() {
    let world = World::with([
        Thing::new(1, "Two bicycles"),
        Thing::new(2, "Alte Häuser"),
        Thing::new(3, "Women's jackets"),
    ])
    .await;
    for (text, expected) in
        [("bicycle", 1), ("bicycles", 1), ("haus", 2), ("jacket", 3), ("womens jacket", 3)]
    {
        assert_eq!(world.found_by(text).await.first(), Some(&expected), "{text}");
    }
}

#[tokio::test]
async fn a_typing_error_is_forgiven_and_comes_last() {
    let world = World::with([
        Thing::new(1, "Guitar"),
        Thing::new(2, "Refrigerator"),
        Thing::new(3, "Saw"),
        Thing::new(4, "Form").says("form"),
        Thing::new(5, "Things").says(&format!("{} from here", "many things ".repeat(100))),
    ])
    .await;
    for (text, expected) in [
        ("guittar", &[1][..]),
        ("giutar", &[1]),
        ("uitar", &[1]),
        ("refridgerattor", &[2]),
        ("sax", &[]),
        ("guixxr", &[]),
        // Once in a long description, and still before what is written otherwise.
        ("from", &[5, 4]),
    ] {
        assert_eq!(world.found_by(text).await, expected, "{text}");
    }
}

#[tokio::test]
async fn the_last_word_may_be_a_beginning() {
    let world = World::with([Thing::new(1, "Bicycle pump"), Thing::new(2, "Bic pen")]).await;
    assert_eq!(world.found_by("bic").await, [2, 1]);
    assert_eq!(world.found_by("pump bicyc").await, [1]);
    assert_eq!(world.found_by("bicyc pen").await, [2], "the first may not");
}

#[tokio::test]
async fn two_words_may_be_one() {
    let things =
        [Thing::new(1, "Dishwasher"), Thing::new(2, "Gartenstuhl"), Thing::new(3, "Chair")];
    let world = World::with(things).await;
    assert_eq!(world.found_by("dish washer").await, [1]);
    assert_eq!(world.found_by("dish wash").await, [1], "also as far as it is typed");
    assert_eq!(world.found_by("garten stuhl grün").await, [2]);
}

#[tokio::test]
async fn any_script_is_found() {
    let texts = ["自転車を売ります", "كرسي خشبي", "🚲 wheels", "Велосипед", "हिन्दी किताब"];
    let things = texts.iter().zip(1..).map(|(text, number)| Thing::new(number, text));
    let world = World::with(things).await;
    for (text, expected) in
        [("自転車", 1), ("خشبي", 2), ("🚲", 3), ("ВЕЛОСИПЕД", 4), ("किताब", 5), ("車", 1)]
    {
        assert_eq!(world.found_by(text).await, [expected], "{text}");
    }
}

#[tokio::test]
async fn no_character_has_a_meaning() {
    let world = World::with([Thing::new(1, "Lamp"), Thing::new(2, "Chair")]).await;
    for text in [
        "lamp AND NOT",
        "title:lamp",
        "+lamp -sofa^9",
        "\"lamp",
        "(lamp",
        "lamp*",
        "lamp~2",
        "[lamp TO *]",
        "/lamp/",
        "{lamp}",
        "lamp\\",
        "lamp\0",
        "'; DROP TABLE lamp; --",
        "lamp:*",
    ] {
        assert_eq!(world.found_by(text).await[0], 1, "{text}");
    }
    for text in ["*", "\"", "!?", "\u{202e}", "AND", "()", "\\"] {
        assert_eq!(world.found_by(text).await, [0; 0], "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_text_is_taken(title in "\\PC{1,40}", text in any::<String>(), typed in "\\PC{1,200}") {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build();
        runtime.expect("a runtime").block_on(async {
            let mut world = World::new();
            let title = format!("x{title}");
            if barterline_domain::listing::ListingText::parse(&title, text.clone()).is_ok() {
                world.put([Thing::new(1, &title).says(&text)]).await;
            }
            if let Ok(text) = barterline_search::Words::parse(&typed) {
                world.found(Query { text: Some(text), ..everything() }).await;
            }
            world.engine.suggest(&typed, 5, crate::world::NOW).await.expect("suggestions");
        });
    }
}
