//! Which web pages may read answers (the Fetch standard, "CORS protocol").

use std::time::Duration;

use axum::http::header::{
    ACCEPT_RANGES, AUTHORIZATION, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    HeaderName, IF_MATCH, IF_NONE_MATCH, IF_RANGE, LOCATION, RANGE, RETRY_AFTER,
};
use axum::http::{HeaderValue, Method};
use tower_http::cors::{AllowCredentials, AllowOrigin, CorsLayer};

use super::observe::REQUEST_ID;
use super::rate::{RATE_LIMIT, RATE_LIMIT_POLICY};
use crate::rest::extract::IDEMPOTENCY_KEY;
use crate::rest::media::uploads::{
    TUS_EXTENSION, TUS_MAX_SIZE, TUS_RESUMABLE, TUS_VERSION, UPLOAD_LENGTH, UPLOAD_METADATA,
    UPLOAD_OFFSET,
};
use crate::rest::origins::Origins;

/// What pages may send beside what any may.
const ASKED: [HeaderName; 12] = [
    AUTHORIZATION,
    CONTENT_TYPE,
    IDEMPOTENCY_KEY,
    IF_MATCH,
    IF_NONE_MATCH,
    IF_RANGE,
    RANGE,
    REQUEST_ID,
    TUS_RESUMABLE,
    UPLOAD_LENGTH,
    UPLOAD_METADATA,
    UPLOAD_OFFSET,
];

/// What they may read beside what any may.
const TOLD: [HeaderName; 16] = [
    ACCEPT_RANGES,
    CONTENT_DISPOSITION,
    CONTENT_RANGE,
    ETAG,
    LOCATION,
    RATE_LIMIT,
    RATE_LIMIT_POLICY,
    REQUEST_ID,
    RETRY_AFTER,
    TUS_EXTENSION,
    TUS_MAX_SIZE,
    TUS_RESUMABLE,
    TUS_VERSION,
    UPLOAD_LENGTH,
    UPLOAD_METADATA,
    UPLOAD_OFFSET,
];

/// How long a browser remembers what it was told.
const MAX_AGE: Duration = Duration::from_hours(1);

/// CORS headers for pages of these origins, and for them alone, also with the cookie that keeps their
/// refresh token: a list has no `*`. `None`: nobody is told anything.
pub fn cors(origins: &Origins) -> Option<CorsLayer> {
    let origins = origins.listed().iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    let origins: Vec<_> = origins.collect();
    let known = origins.clone();
    let credentials = AllowCredentials::predicate(move |origin, _| known.contains(origin));
    let methods =
        [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let layer = CorsLayer::new()
        .allow_credentials(credentials)
        .allow_headers(ASKED)
        .allow_methods(methods)
        .expose_headers(TOLD)
        .max_age(MAX_AGE);
    (!origins.is_empty()).then(|| layer.allow_origin(AllowOrigin::list(origins)))
}
