//! What happens to every request: it is named, logged and measured, it is within the limits, and it
//! ends; and what every answer bears.

mod compress;
mod cors;
mod harden;
mod observe;
mod rate;

use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use barterline_protocol::error_code::ErrorCode;

pub use self::compress::{Uncompressed, compression};
pub use self::cors::cors;
pub use self::harden::{Transport, harden};
pub use self::observe::{Cause, Observer, Refused, observe};
pub use self::rate::{Shown, limit_rate};
use super::media;
use super::problem::Problem;

/// Ends a request that takes too long, but for one that brings a file. What it began may still happen.
pub async fn limit_time(State(timeout): State<Duration>, request: Request, next: Next) -> Response {
    if media::is_upload(&request) {
        return next.run(request).await;
    }
    // The body has its own time, and the answer as much again.
    let answer = tokio::time::timeout(timeout * 2, next.run(request));
    answer.await.unwrap_or_else(|_| {
        let detail = "the answer took too long; read before you try again";
        Problem::new(ErrorCode::Unavailable, detail).into_response()
    })
}
