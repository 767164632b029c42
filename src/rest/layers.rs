//! What happens to every request: it is measured, and it ends.

use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use barterline_protocol::error_code::ErrorCode;
use tracing::debug;

use super::problem::Problem;
use crate::telemetry::metrics::HttpMetrics;

/// Counts and times requests; names each at debug level.
pub async fn measure(State(http): State<HttpMetrics>, request: Request, next: Next) -> Response {
    let running = http.begin();
    let began = Instant::now();
    let method = method(&request);
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let status = response.status().as_u16();
    let took_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    http.answered(route, method, status, took_us);
    drop(running);
    debug!(method, route, status, took_us, "request");
    response
}

/// A method of few: a stranger can invent any number of them, and each would be a metric.
fn method(request: &Request) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS"];
    let method = request.method().as_str();
    KNOWN.into_iter().find(|known| *known == method).unwrap_or("other")
}

/// Ends a request that takes too long. What it began may still happen.
pub async fn limit_time(State(timeout): State<Duration>, request: Request, next: Next) -> Response {
    // The body has its own time, and the answer as much again.
    let answer = tokio::time::timeout(timeout * 2, next.run(request));
    answer.await.unwrap_or_else(|_| {
        let detail = "the answer took too long; read before you try again";
        Problem::new(ErrorCode::Unavailable, detail).into_response()
    })
}
