//! Which web pages may read answers (the Fetch standard, "CORS protocol").

use std::time::Duration;

use axum::http::header::{
    AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH, RETRY_AFTER,
};
use axum::http::{HeaderValue, Method};
use tower_http::cors::{AllowCredentials, AllowOrigin, CorsLayer};

use super::observe::REQUEST_ID;
use super::rate::{RATE_LIMIT, RATE_LIMIT_POLICY};
use crate::rest::extract::IDEMPOTENCY_KEY;
use crate::rest::origins::Origins;

/// How long a browser remembers what it was told.
const MAX_AGE: Duration = Duration::from_hours(1);

/// CORS headers for pages of these origins, and for them alone, also with the cookie that keeps their
/// refresh token: a list has no `*`. `None`: nobody is told anything.
pub fn cors(origins: &Origins) -> Option<CorsLayer> {
    let origins = origins.listed().iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    let origins: Vec<_> = origins.collect();
    let known = origins.clone();
    let credentials = AllowCredentials::predicate(move |origin, _| known.contains(origin));
    let (asked, told) = (
        [AUTHORIZATION, CONTENT_TYPE, IDEMPOTENCY_KEY, IF_MATCH, IF_NONE_MATCH, REQUEST_ID],
        [ETAG, RATE_LIMIT, RATE_LIMIT_POLICY, REQUEST_ID, RETRY_AFTER],
    );
    let methods = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let layer = CorsLayer::new()
        .allow_credentials(credentials)
        .allow_headers::<[HeaderName; 6]>(asked)
        .allow_methods(methods)
        .expose_headers::<[HeaderName; 5]>(told)
        .max_age(MAX_AGE);
    (!origins.is_empty()).then(|| layer.allow_origin(AllowOrigin::list(origins)))
}
