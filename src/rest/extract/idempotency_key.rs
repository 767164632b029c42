//! The caller's name for what they ask for, in the header `Idempotency-Key`: on a socket, `id`.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::HeaderName;
use axum::http::request::Parts;
use barterline_domain::ids::ClientId;
use utoipa::IntoParams;

use crate::rest::Rest;
use crate::rest::problem::{Code, Problem};

/// The header.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The name of what is asked for: made once, sent with every try.
#[derive(IntoParams)]
#[into_params(names("Idempotency-Key"), parameter_in = Header)]
pub struct IdempotencyKey(pub ClientId);

impl FromRequestParts<Rest> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Rest) -> Result<Self, Problem> {
        read(&parts.headers).map(Self).ok_or_else(|| Code::IdempotencyKey.into())
    }
}

/// The one key. Two would be two names for one message.
fn read(headers: &HeaderMap) -> Option<ClientId> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    let key = keys.next()?.to_str().ok()?;
    if keys.next().is_some() {
        return None;
    }
    // As a structured field a string stands in quotes (RFC 9651, section 3.3.3); most clients send
    // the bare value.
    let quoted = key.strip_prefix('"').and_then(|key| key.strip_suffix('"'));
    quoted.unwrap_or(key).parse().ok()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const KEY: &str = "019ac1b3-1f58-7c02-9a6d-4b70e1f3c802";

    fn check(values: &[&str], sound: bool) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(IDEMPOTENCY_KEY, HeaderValue::from_str(value).expect("a header"));
        }
        let expected = sound.then(|| KEY.parse().expect("an id"));
        assert_eq!(read(&headers), expected, "{values:?}");
    }

    #[test]
    fn a_key_is_one_uuid_with_or_without_quotes() {
        check(&[KEY], true);
        check(&[&format!("\"{KEY}\"")], true);
        check(&[], false);
        check(&[""], false);
        check(&["\""], false);
        check(&[&format!("\"{KEY}")], false);
        check(&[&KEY.to_uppercase()], false);
        check(&["order-7"], false);
        check(&[KEY, KEY], false);
    }
}
