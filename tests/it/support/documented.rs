//! Whatever any test is answered stands in docs/api/openapi.json: its status, its type, its code.

use std::sync::LazyLock;

use serde_json::Value;

use super::Answer;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../docs/api/openapi.json")).expect("JSON")
});

/// Holds an answer against the document.
#[track_caller]
pub fn check(method: &str, path: &str, answer: &Answer) {
    let path = path.split('?').next().unwrap_or_default();
    // Where nothing is (at another port), where a head was no sound HTTP, and where a browser asked what a page
    // may do, no operation answered.
    let nowhere = answer.body.contains("\"route.not_found\"");
    let unheard = !answer.headers.contains_key("x-request-id");
    let for_browsers = answer.headers.contains_key("access-control-allow-methods");
    let operation = operation(&method.to_lowercase(), path);
    let Some(operation) = operation.filter(|_| !nowhere && !unheard && !for_browsers) else {
        return;
    };
    let documented = resolved(&operation["responses"][answer.status.to_string()]);
    let place = format!("{method} {path}: {} {}", answer.status, answer.body);
    assert!(documented.is_object(), "no such answer is documented: {place}");
    if method == "HEAD" {
        return;
    }
    let Some(content_type) = answer.headers.get("content-type") else {
        return assert!(documented["content"].is_null(), "a body is documented: {place}");
    };
    // `*/*`: what people uploaded.
    let contents = &documented["content"];
    let content = contents.get(content_type).unwrap_or(&contents["*/*"]);
    assert!(content.is_object(), "{content_type} is not documented: {place}");
    if content_type == "application/problem+json" {
        let codes = &content["schema"]["allOf"][1]["properties"]["code"]["enum"];
        let code = &answer.json()["code"];
        let codes = codes.as_array().expect("codes");
        assert!(codes.contains(code), "{code} is not documented: {place}");
    }
}

/// The operation at a path: of those that fit, the one that names most of it.
fn operation(method: &str, path: &str) -> Option<&'static Value> {
    let fits = |template: &str| {
        let (theirs, ours): (Vec<_>, Vec<_>) =
            (path.split('/').collect(), template.split('/').collect());
        let mut pairs = theirs.iter().zip(&ours);
        theirs.len() == ours.len()
            && pairs.all(|(their, our)| their == our || (our.starts_with('{') && !their.is_empty()))
    };
    let paths = DOCUMENT["paths"].as_object().expect("paths").iter();
    let fitting = paths.filter(|(template, _)| fits(template));
    let (_, methods) = fitting.min_by_key(|(template, _)| template.matches('{').count())?;
    methods.get(method)
}

fn resolved(value: &'static Value) -> &'static Value {
    let path = value["$ref"].as_str().map(|path| path.trim_start_matches('#'));
    path.and_then(|path| DOCUMENT.pointer(path)).unwrap_or(value)
}
