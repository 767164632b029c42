//! A JSON body, within limits.

use axum::body::{self, Bytes, HttpBody as _};
use axum::extract::{FromRef, FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::rest::Limits;
use crate::rest::problem::{Code, Problem};

/// The body of a request.
pub struct Body<T>(pub T);

/// The same as it came, for what is signed: to be read by [`json`] once it is known whose it is.
pub struct JsonBytes(pub Bytes);

impl<T, S> FromRequest<S> for Body<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
    Limits: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let JsonBytes(bytes) = JsonBytes::from_request(request, state).await?;
        json(&bytes).map(Self)
    }
}

impl<S> FromRequest<S> for JsonBytes
where
    S: Send + Sync,
    Limits: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Code::MediaType.into());
        }
        read(request.into_body(), Limits::from_ref(state)).await.map(Self)
    }
}

/// Reads an object. The error has nothing of what stands in it.
pub fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if is_list(bytes) {
        return Err(Problem::invalid("the body is a list, and has to be an object"));
    }
    serde_json::from_slice(bytes).map_err(|error| Problem::invalid(without_values(&error)))
}

/// Reads a body under its limits. A declared length above them is refused before the first byte.
async fn read(body: body::Body, limits: Limits) -> Result<Bytes, Problem> {
    let too_large = || {
        let detail = format!("a body has at most {} bytes", limits.body_bytes_max);
        Problem::new(Code::TooLarge, detail)
    };
    let declared = body.size_hint().lower();
    if declared > limits.body_bytes_max as u64 {
        return Err(too_large());
    }
    let reading = body::to_bytes(body, limits.body_bytes_max);
    let read = tokio::time::timeout(limits.timeout, reading).await.map_err(|_| Code::Timeout)?;
    read.map_err(|error| {
        if is_length_limit(&error) { too_large() } else { Problem::invalid("the body ended early") }
    })
}

fn is_length_limit(error: &axum::Error) -> bool {
    let source = std::error::Error::source(error);
    // The limited body's error has no name in axum's interface, only its text.
    source.is_some_and(|source| source.to_string() == "length limit exceeded")
}

/// Whether JSON is a list: it would be read as the fields of an object in their order, of which no
/// document speaks.
fn is_list(json: &[u8]) -> bool {
    json.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[')
}

fn is_json(headers: &HeaderMap) -> bool {
    let essence = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

/// What is wrong with the JSON and where, without anything that stood in it: a password in the
/// wrong place must not come back in an answer or end up in a log.
fn without_values(error: &serde_json::Error) -> String {
    let place = format!("line {} column {}", error.line(), error.column());
    match error.classify() {
        Category::Data => {
            let text = error.to_string();
            // From the end: what was sent stands before what was expected, and may say anything.
            let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
            let shown = match text.rsplit_once(", expected ") {
                Some((found, expected)) => {
                    let what =
                        ["invalid type", "invalid value", "unknown variant", "unknown field"]
                            .into_iter()
                            .find(|what| found.starts_with(what))
                            .unwrap_or("unexpected value");
                    format!("{what}, expected {expected}")
                }
                None => text.to_owned(),
            };
            format!("{shown} at {place}")
        }
        Category::Eof => "the JSON ends early".to_owned(),
        Category::Syntax | Category::Io => format!("not JSON at {place}"),
    }
}

#[cfg(test)]
mod tests {
    use barterline_domain::listing::ListingStatus;
    use barterline_domain::money::Money;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "read by the derived code alone")]
    struct Example {
        password: String,
        status: Option<ListingStatus>,
        price: Option<Money>,
    }

    fn check(json: &str, expected: &str) {
        let error = serde_json::from_str::<Example>(json).expect_err(json);
        let shown = without_values(&error);
        assert_eq!(shown, expected, "{json}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn mistakes_are_told_without_what_was_sent() {
        check("{}", "missing field `password` at line 1 column 2");
        check(
            r#"{"password": ["hunter2"]}"#,
            "invalid type, expected a string at line 1 column 13",
        );
        check(
            r#"{"password": "x", "status": "hunter2"}"#,
            "unknown variant, expected one of `draft`, `active`, `reserved`, `sold`, `withdrawn`, \
             `expired` at line 1 column 37",
        );
        check(
            r#"{"password": "x", "price": "hunter2, expected at line 1"}"#,
            "invalid type, expected struct Money at line 1 column 56",
        );
        check(
            r#"{"password": "x", "price": {"minor": 1, "currency": "hunter2"}}"#,
            "not an active ISO 4217 currency code at line 1 column 62",
        );
        check(r#"{"password": "hunter2"#, "the JSON ends early");
        check("hunter2", "not JSON at line 1 column 1");
    }

    #[test]
    fn only_json_is_json() {
        let check = |value: &'static str, expected: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, value.parse().expect("a header"));
            assert_eq!(is_json(&headers), expected, "{value}");
        };
        check("application/json", true);
        check("Application/JSON; charset=utf-8", true);
        check("text/plain", false);
        check("application/json5", false);
        assert!(!is_json(&HeaderMap::new()));
    }
}
