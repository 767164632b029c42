//! Versions in headers: `ETag`, `If-Match`, `If-None-Match` (RFC 9110, sections 8.8.3 and 13.1).

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use utoipa::IntoParams;

use crate::rest::Rest;
use crate::rest::problem::Problem;

/// The version that the caller saw, where they say so.
#[derive(IntoParams)]
#[into_params(names("If-Match"), parameter_in = Header)]
pub struct IfMatch(
    #[param(value_type = String, required = false, pattern = r#"^(\*|"v[0-9]{1,19}")$"#)]
    pub  Option<u64>,
);

/// The tags of what the caller has, or `*`. Read by [`is_unchanged`] and [`has_tag`].
#[derive(IntoParams)]
#[into_params(names("If-None-Match"), parameter_in = Header)]
pub struct IfNoneMatch(#[param(required = false)] pub String);

/// The tag of a version: `"v3"`.
pub fn etag(version: u64) -> HeaderValue {
    HeaderValue::try_from(format!("\"v{version}\"")).expect("a tag is plain ASCII")
}

/// Whether the caller has this version already.
pub fn is_unchanged(headers: &HeaderMap, version: u64) -> bool {
    has(headers, |tag| parse(tag) == Some(version))
}

/// Whether the caller has what bears this tag already.
pub fn has_tag(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let tag = tag.to_str().unwrap_or_default().trim_start_matches("W/");
    has(headers, |theirs| theirs == tag)
}

/// Whether any of the caller's tags is the one, or stands for all.
fn has(headers: &HeaderMap, is_it: impl Fn(&str) -> bool) -> bool {
    let tags = headers.get(header::IF_NONE_MATCH);
    let tags = tags.and_then(|tags| tags.to_str().ok());
    tags.is_some_and(|tags| {
        // Comparison is weak here: a cache in between may have marked the tag.
        let mut tags = tags.split(',').map(|tag| tag.trim().trim_start_matches("W/"));
        tags.any(|tag| tag == "*" || is_it(tag))
    })
}

impl FromRequestParts<Rest> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Rest) -> Result<Self, Problem> {
        let Some(header) = parts.headers.get(header::IF_MATCH) else {
            return Ok(Self(None));
        };
        match header.to_str().map(str::trim) {
            Ok("*") => Ok(Self(None)),
            Ok(tag) if let Some(version) = parse(tag) => Ok(Self(Some(version))),
            Ok(_) | Err(_) => {
                let detail = "`If-Match` takes one tag as it came in `ETag`, such as \"v3\"";
                Err(Problem::invalid(detail))
            }
        }
    }
}

fn parse(tag: &str) -> Option<u64> {
    tag.strip_prefix("\"v")?.strip_suffix('"')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_read_as_it_was_written() {
        assert_eq!(etag(3), "\"v3\"");
        assert_eq!(parse("\"v3\""), Some(3));
        for wrong in ["v3", "\"3\"", "\"v\"", "\"v-1\"", "W/\"v3\"", "\"v3\", \"v4\""] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_known_version_is_not_sent_again() {
        let check = |value: &'static str, expected: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static(value));
            assert_eq!(is_unchanged(&headers, 3), expected, "{value}");
        };
        check("\"v3\"", true);
        check("W/\"v3\"", true);
        check("\"v1\", \"v3\"", true);
        check("*", true);
        check("\"v4\"", false);
        check("junk", false);
        assert!(!is_unchanged(&HeaderMap::new(), 3));
    }
}
