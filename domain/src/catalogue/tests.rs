use super::*;

const TREE: &str = r#"{"categories": [
    {"id": "vehicles", "names": {"en": "Vehicles"}, "attributes": [
        {"key": "year", "names": {}, "kind": {"type": "number", "min": 1900, "max": 2100}}
    ]},
    {"id": "vehicles/cars", "names": {"en": "Cars", "de": "Autos"}, "attributes": [
        {"key": "make", "names": {}, "kind": {"type": "text"}, "required": true}
    ]}
]}"#;

fn tree() -> Catalogue {
    serde_json::from_str(TREE).expect("a tree")
}

fn id(text: &str) -> CategoryId {
    CategoryId::try_from(text.to_owned()).expect("a category")
}

fn check(category: &str, given: &str, is_draft: bool) -> Result<Attributes, String> {
    let given = serde_json::from_str(given).expect("values");
    tree().check(&id(category), given, is_draft).map_err(|error| error.to_string())
}

#[test]
fn what_is_said_of_a_thing_is_what_its_category_and_those_above_have() {
    let said = check("vehicles/cars", r#"{"make": "Skoda", "year": 2012}"#, false).expect("sound");
    let said: Vec<_> = said.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    let make = AttributeValue::Text("Skoda".to_owned());
    assert_eq!(said, [("make", make), ("year", AttributeValue::Number(2012, 0))]);
    let refused = |category, given| check(category, given, false).expect_err("a refusal");
    assert_eq!(refused("vehicles/cars", "{}"), "make is missing");
    assert_eq!(refused("vehicles", r#"{"make": "Skoda"}"#), "the category has no attribute make");
    assert_eq!(refused("boats", "{}"), "there is no category boats");
    assert_eq!(
        refused("vehicles", r#"{"year": 1812}"#),
        "year: not a number from 1900 to 2100 with at most 0 decimal places"
    );
    assert_eq!(refused("vehicles", r#"{"year": "new"}"#), "year: not a number");
}

#[test]
fn of_a_draft_anything_may_be_missing_and_nothing_wrong() {
    assert_eq!(check("vehicles/cars", "{}", true), Ok(Attributes::new()));
    check("vehicles/cars", r#"{"make": ""}"#, true).expect_err("not a make");
}

#[test]
fn a_tree_that_does_not_hold_together_is_none() {
    let refused = |text: &str| {
        let read = serde_json::from_str::<Catalogue>(text);
        read.expect_err("a refusal").to_string()
    };
    assert_eq!(refused(r#"{"categories": []}"#), "there is no category");
    let orphan = r#"{"categories": [{"id": "a/b", "names": {}}]}"#;
    assert_eq!(refused(orphan), "category a/b is below one that is not there");
    let twice = r#"{"categories": [{"id": "a", "names": {}}, {"id": "a", "names": {}}]}"#;
    assert_eq!(refused(twice), "category a is there twice");
    let year = r#"{"key": "year", "names": {}, "kind": {"type": "flag"}}"#;
    let twice = format!(
        r#"{{"categories": [{{"id": "a", "names": {{}}, "attributes": [{year}]}},
            {{"id": "a/b", "names": {{}}, "attributes": [{year}]}}]}}"#
    );
    assert_eq!(refused(&twice), "category a/b says twice what year is");
    let reversed = year.replace("flag\"", "number\", \"min\": 2, \"max\": 1");
    let reversed =
        format!(r#"{{"categories": [{{"id": "a", "names": {{}}, "attributes": [{reversed}]}}]}}"#);
    assert_eq!(refused(&reversed), "category a, year: its least is above its greatest");
}

#[test]
fn a_tree_is_written_as_it_is_read() {
    let written = serde_json::to_string(&tree()).expect("JSON");
    assert_eq!(serde_json::from_str::<Catalogue>(&written).expect("a tree"), tree());
}
