//! What routes have in common: whoever writes one says in `x-codes` what it alone may be refused with,
//! and the rest follows from what it takes.

use std::collections::{BTreeMap, BTreeSet};

use barterline_protocol::error_code::ErrorCode;
use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

use crate::rest::problem::{Code, Problem};

/// Routes that ask the store nothing, so that nothing is wrong with it.
const WITHOUT_STORE: [&str; 4] = ["connect", "describeUploads", "readDocument", "readCatalogue"];
/// The one whose answer may take its time: it is a socket.
const WITHOUT_END: &str = "connect";
/// The one of the method `HEAD`, which is answered with headers alone.
const WITHOUT_BODY: &str = "readUpload";

const PROBLEM: &str = "#/components/schemas/Problem";

/// Adds to each route what it has in common with others.
///
/// # Panics
/// If a route names a code that there is not.
pub fn complete(routes: OpenApi) -> Value {
    let mut document = serde_json::to_value(routes).expect("a document is plain values");
    let mut spoken: BTreeSet<_> = [Code::RouteNotFound, Code::RouteMethod].map(Code::name).into();
    let mut shared = Map::new();
    for operation in operations(&mut document) {
        for parameter in members(operation.get_mut("parameters")) {
            never_null(&mut parameter["schema"]);
        }
        let codes = codes(operation);
        spoken.extend(codes.iter().map(|code| code.name()));
        answers(operation, &codes, &mut shared);
    }
    document["components"]["headers"] = headers();
    document["components"]["responses"] = shared.into();
    let code = &mut document["components"]["schemas"]["Problem"]["properties"]["code"];
    code["enum"] = json!(spoken);
    absent_is_not_null(&mut document);
    document
}

fn operations(document: &mut Value) -> impl Iterator<Item = &mut Map<String, Value>> {
    let paths = document["paths"].as_object_mut().into_iter();
    let methods = paths.flat_map(Map::values_mut).filter_map(Value::as_object_mut);
    methods.flat_map(Map::values_mut).filter_map(Value::as_object_mut)
}

fn members(list: Option<&mut Value>) -> impl Iterator<Item = &mut Value> {
    list.and_then(Value::as_array_mut).into_iter().flatten()
}

/// Everything that an operation may be refused with.
fn codes(operation: &mut Map<String, Value>) -> Vec<Code> {
    let own = operation.remove("x-codes").unwrap_or_default();
    let own = own.as_array().into_iter().flatten().filter_map(Value::as_str);
    let own = own.map(|name| Code::named(name).unwrap_or_else(|| panic!("no code is {name}")));
    let mut codes: Vec<_> = own.collect();
    let id = operation["operationId"].as_str().unwrap_or_default();
    let parameters = operation.get("parameters").and_then(Value::as_array);
    let mut parameters = parameters.into_iter().flatten();
    if let Some(security) = operation.get("security") {
        // Who need not show anything is refused nothing for what they show beside it.
        if security[0].get("bearer").is_some() {
            // Without scopes it is not for API keys.
            let scopes = security[0]["bearer"].as_array().is_some_and(|scopes| !scopes.is_empty());
            codes.push(if scopes { ErrorCode::OutOfScope.into() } else { Code::LogInOnly });
        }
        codes.push(ErrorCode::TokenInvalid.into());
        codes.push(ErrorCode::TokenExpired.into());
        codes.push(Code::Suspended);
        codes.push(Code::FactorRequired);
    }
    if let Some(body) = operation.get("requestBody") {
        codes.push(Code::Timeout);
        // Who takes files says which, and how large.
        if body["content"].get("application/json").is_some() {
            codes.extend([Code::MediaType, Code::TooLarge]);
        }
    }
    // `If-None-Match` is never wrong: what is no tag of ours is none.
    let may_be_wrong = |parameter: &Value| parameter["name"] != "If-None-Match";
    if operation.contains_key("requestBody") || parameters.clone().any(may_be_wrong) {
        codes.push(ErrorCode::InvalidRequest.into());
    }
    if parameters.any(|parameter| parameter["name"] == "Idempotency-Key") {
        codes.push(Code::IdempotencyKey);
    }
    codes.push(ErrorCode::RateLimited.into());
    if id != WITHOUT_END {
        // Also of an answer that took too long.
        codes.push(ErrorCode::Unavailable.into());
    }
    if !WITHOUT_STORE.contains(&id) {
        codes.push(ErrorCode::Damaged.into());
    }
    codes
}

/// Adds the refusals to an operation's answers, and the headers that all answers bear. Refusals that
/// many operations share stand in `shared`, by their codes.
fn answers(operation: &mut Map<String, Value>, codes: &[Code], shared: &mut Map<String, Value>) {
    let is_head = operation["operationId"] == WITHOUT_BODY;
    let Some(answers) = operation.get_mut("responses").and_then(Value::as_object_mut) else {
        return;
    };
    answers.values_mut().for_each(|answer| bear(answer, &[]));
    let mut refusals = BTreeMap::<_, Vec<_>>::new();
    for code in codes {
        refusals.entry(code.status().as_u16()).or_default().push(*code);
    }
    for (status, mut codes) in refusals {
        codes.sort_unstable_by_key(|code| code.name());
        if is_head {
            let mut refusal = refusal(status, &codes);
            if let Some(refusal) = refusal.as_object_mut() {
                refusal.remove("content");
            }
            answers.insert(status.to_string(), refusal);
            continue;
        }
        let names: Vec<_> = codes.iter().map(|code| code.name()).collect();
        let name = names.join("-");
        let reference = json!({ "$ref": format!("#/components/responses/{name}") });
        shared.entry(name).or_insert_with(|| refusal(status, &codes));
        answers.insert(status.to_string(), reference);
    }
}

/// The answer of one status, for whatever reasons.
fn refusal(status: u16, codes: &[Code]) -> Value {
    let reasons = codes.iter().map(|code| format!("`{}`: {}", code.name(), code.meaning()));
    let reasons: Vec<_> = reasons.collect();
    let names: Vec<_> = codes.iter().map(|code| code.name()).collect();
    let properties = json!({ "status": { "const": status }, "code": { "enum": names } });
    let schema = json!({ "allOf": [{ "$ref": PROBLEM }, { "properties": properties }] });
    let example = codes.first().map(|code| Problem::from(*code).example());
    let content = json!({ "schema": schema, "example": example });
    let mut refusal = json!({
        "description": reasons.join("; "),
        "content": { "application/problem+json": content },
    });
    let own: &[_] = match status {
        401 => &["WWW-Authenticate"],
        416 => &["Content-Range"],
        429 | 503 => &["Retry-After"],
        _ => &[],
    };
    bear(&mut refusal, own);
    refusal
}

/// Adds to an answer the headers that all bear, and some.
fn bear(answer: &mut Value, own: &[&str]) {
    for name in ["X-Request-Id", "RateLimit", "RateLimit-Policy"].iter().chain(own) {
        answer["headers"][*name] = json!({ "$ref": format!("#/components/headers/{name}") });
    }
}

/// Headers that many answers bear.
fn headers() -> Value {
    let text = |required: bool, pattern: &str, description: &str| {
        let schema = json!({ "type": "string", "pattern": pattern });
        json!({ "required": required, "schema": schema, "description": description })
    };
    let seconds = json!({
        "required": true,
        "schema": { "type": "integer", "minimum": 1 },
        "description": "In how many seconds the same request may be sent again",
    });
    json!({
        "X-Request-Id": text(
            true,
            "^[A-Za-z0-9._-]{1,64}$",
            "The request's name: the client's, where it gave one, or a new one",
        ),
        "RateLimit-Policy": text(
            false,
            "^\"(requests|downloads)\";q=[0-9]+;w=[0-9]+$",
            "Where requests are limited: `q` may come at once, and as many more in each `w` seconds",
        ),
        "RateLimit": text(
            false,
            "^\"(requests|downloads)\";r=[0-9]+;t=[0-9]+$",
            "Where requests are limited: `r` are left at once; in `t` seconds, all",
        ),
        "Content-Range": text(true, "^bytes \\*/[0-9]+$", "How many bytes there are"),
        "WWW-Authenticate": text(true, "^Bearer", "What is to be shown (RFC 6750)"),
        "Retry-After": seconds,
    })
}

/// What an answer need not have it has, or does not: it is never `null`. Of what is sent both are
/// taken.
fn absent_is_not_null(document: &mut Value) {
    let mut sent = BTreeSet::new();
    for operation in operations(document) {
        let body = operation.get("requestBody").cloned().unwrap_or_default();
        references(&body, &mut sent);
    }
    let schemas = document["components"]["schemas"].take();
    let mut begun: Vec<_> = sent.iter().cloned().collect();
    while let Some(name) = begun.pop() {
        let mut named = BTreeSet::new();
        references(&schemas[&name], &mut named);
        begun.extend(named.into_iter().filter(|name| sent.insert(name.clone())));
    }
    document["components"]["schemas"] = schemas;
    let schemas = document["components"]["schemas"].as_object_mut().into_iter().flatten();
    for (_, schema) in schemas.filter(|(name, _)| !sent.contains(*name)) {
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
        for (name, property) in properties.into_iter().flatten() {
            if !required.iter().any(|required| required == name) {
                never_null(property);
            }
        }
    }
}

/// The names of the schemas that a value refers to.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            let named = fields.get("$ref").and_then(Value::as_str);
            let named = named.and_then(|path| path.strip_prefix("#/components/schemas/"));
            found.extend(named.map(str::to_owned));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// Takes `null` from what a schema allows.
fn never_null(schema: &mut Value) {
    if let Some(types) = schema.get_mut("type").and_then(Value::as_array_mut) {
        types.retain(|kind| kind != "null");
        if let [one] = types.as_slice() {
            schema["type"] = one.clone();
        }
    }
    if let Some(kinds) = schema.get_mut("oneOf").and_then(Value::as_array_mut) {
        kinds.retain(|kind| kind["type"] != "null");
        if let [one] = kinds.as_slice() {
            *schema = one.clone();
        }
    }
}
