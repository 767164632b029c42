//! Headers that tell a browser what it must not do with an answer of ours.

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, HeaderName, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use axum::middleware::Next;
use axum::response::Response;

use crate::listener::client::ClientAddress;

/// On every answer.
const ALWAYS: [(HeaderName, &str); 3] = [
    // JSON is JSON, whatever it looks like.
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    // No page of others embeds an answer; those that may read it ask by CORS, which this is not about.
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// An answer that is shown as a page loads nothing, runs nothing, and stands in no frame. The one that
/// is meant to be a page says itself what it needs.
const POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; base-uri 'none'; frame-ancestors 'none'");

/// Who is to come under TLS only from then on, for a year, when somebody came so once (RFC 6797).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// This host. Its subdomains are nobody's to speak for but the operator's.
    Host,
    /// Its subdomains as well, of which all have to have TLS.
    Subdomains,
}

impl Transport {
    const fn policy(self) -> HeaderValue {
        match self {
            Self::Host => HeaderValue::from_static("max-age=31536000"),
            Self::Subdomains => HeaderValue::from_static("max-age=31536000; includeSubDomains"),
        }
    }
}

/// Adds them. What no cache was told about is kept by none; what has a version is asked for anew.
pub async fn harden(State(transport): State<Transport>, request: Request, next: Next) -> Response {
    let https = ClientAddress::of(request.extensions()).https;
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(POLICY);
    if https {
        headers.insert(STRICT_TRANSPORT_SECURITY, transport.policy());
    }
    if !headers.contains_key(CACHE_CONTROL) {
        let kept = if headers.contains_key(ETAG) { "no-cache" } else { "no-store" };
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(kept));
    }
    response
}
