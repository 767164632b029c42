//! A JSON body, bounded.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;

use crate::rest::Rest;
use crate::rest::problem::Problem;

/// The request's body as `T`.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Rest> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, rest: &Rest) -> Result<Self, Problem> {
        let content_type = request.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
        let media_type = content_type.and_then(|value| value.split(';').next()).map(str::trim);
        if !media_type.is_some_and(|media| media.eq_ignore_ascii_case("application/json")) {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "request.media_type",
                "the body must be application/json",
            ));
        }
        let bytes =
            Bytes::from_request(request, rest).await.map_err(|rejection| {
                match rejection.status() {
                    StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
                        StatusCode::PAYLOAD_TOO_LARGE,
                        "request.too_large",
                        "the body is larger than 64 KiB",
                    ),
                    _ => Problem::invalid("the body could not be read"),
                }
            })?;
        let parsed = serde_json::from_slice(&bytes);
        // Line and column, but not the value: it may be a password.
        parsed.map(Body).map_err(|error| {
            let what = match error.classify() {
                serde_json::error::Category::Data => {
                    "a field is missing, doubled or of the wrong type"
                }
                _ => "the body is not JSON",
            };
            Problem::invalid(format!("{what}, at line {} column {}", error.line(), error.column()))
        })
    }
}
