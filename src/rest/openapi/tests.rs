//! The document, held against the code and against docs/.

use std::collections::BTreeSet;

use serde_json::Value;

use super::TAGS;
use crate::app;
use crate::rest::media::CONTENT;
use crate::rest::media::uploads::{UPLOAD, UPLOADS};
use crate::rest::problem::Code;

fn document() -> Value {
    serde_json::from_slice(app::document().text()).expect("JSON")
}

/// Every operation, with its path.
fn operations(document: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    paths.iter().flat_map(|(path, methods)| {
        methods.as_object().expect("methods").values().map(|operation| (path.as_str(), operation))
    })
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Everything that is referred to.
fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn the_document_is_what_docs_say() {
    let written = include_str!("../../../docs/api/openapi.json");
    assert!(
        written.as_bytes() == app::document().text(),
        "run `barterline openapi > docs/api/openapi.json`"
    );
}

#[test]
fn every_operation_is_described() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let mut ids = BTreeSet::new();
    for (path, operation) in operations(&document) {
        let id = text(&operation["operationId"]);
        assert!(!id.is_empty() && ids.insert(id), "{path}: {id:?} is missing or taken");
        assert!(!text(&operation["summary"]).is_empty(), "{id} says nothing");
        let tag = text(&operation["tags"][0]);
        assert!(TAGS.iter().any(|(known, _)| *known == tag), "{id}: {tag}");
        let parameters = operation["parameters"].as_array();
        let parameters = parameters.into_iter().flatten();
        let inside = parameters.filter(|parameter| parameter["in"] == "path").count();
        assert_eq!(inside, path.matches('{').count(), "{id}: {path}");
        let answers = operation["responses"].as_object().expect("answers");
        let succeeds = |status: &str| status < "300" || status == "303";
        assert!(answers.keys().any(|status| succeeds(status)), "{id} never succeeds");
    }
}

/// By their paths it is told which requests have time and room of their own.
#[test]
fn the_bytes_of_files_come_and_go_where_layers_look_for_them() {
    let document = document();
    for (path, method) in [
        (CONTENT, "get"),
        (CONTENT, "put"),
        (UPLOAD, "head"),
        (UPLOAD, "patch"),
        (UPLOADS, "options"),
    ] {
        assert!(document["paths"][path][method].is_object(), "{method} {path}");
    }
}

#[test]
fn whatever_is_referred_to_is_there() {
    let document = document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for path in found {
        let there = document.pointer(path.trim_start_matches('#'));
        assert!(there.is_some(), "{path} is nowhere");
    }
}

/// Codes that nobody gets at a route of the public port: of sockets, of no route, of operators, and of one thing
/// among several.
const ELSEWHERE: [&str; 12] = [
    "admin.token_invalid",
    "audit.broken",
    "export.running",
    "request.unknown_kind",
    "route.method_not_allowed",
    "route.not_found",
    "send.after_refused",
    "source.seller_changed",
    "source.seller_gone",
    "source.seller_unknown",
    "state.hidden_full",
    "user.not_found",
];

#[test]
fn every_code_is_an_answer_of_some_operation() {
    let document = document();
    let mut told = BTreeSet::new();
    for answer in document["components"]["responses"].as_object().expect("answers").values() {
        let schema = &answer["content"]["application/problem+json"]["schema"]["allOf"][1];
        let codes = schema["properties"]["code"]["enum"].as_array();
        told.extend(codes.into_iter().flatten().filter_map(Value::as_str));
    }
    for code in Code::all().map(Code::name).filter(|code| !ELSEWHERE.contains(code)) {
        assert!(told.contains(code), "no route is refused with {code}");
    }
}
