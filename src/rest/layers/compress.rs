//! Answers are compressed (gzip, brotli) where that pays and tells nothing.

use axum::http::{Extensions, HeaderMap, StatusCode, Version};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{Predicate, SizeAbove};

/// Smaller answers fit into one packet as they are.
const COMPRESSED_BYTES_MIN: u64 = 1_024;
/// Of gzip and brotli: larger numbers cost many times as much and save a few per cent of JSON.
const LEVEL: i32 = 4;

/// An extension of answers that are never compressed. They hold a secret beside what a stranger may
/// choose: the length of both together, compressed, would tell of the secret (BREACH). Or they are files,
/// small already, of which a client may want the bytes from a place on.
#[derive(Debug, Clone, Copy)]
pub struct Uncompressed;

/// Compresses what a client wants compressed.
pub fn compression() -> CompressionLayer<impl Predicate> {
    let predicate = SizeAbove::new(COMPRESSED_BYTES_MIN).and(tells_nothing);
    CompressionLayer::new().quality(CompressionLevel::Precise(LEVEL)).compress_when(predicate)
}

fn tells_nothing(_: StatusCode, _: Version, _: &HeaderMap, extensions: &Extensions) -> bool {
    extensions.get::<Uncompressed>().is_none()
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::http::Request;
    use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
    use axum::response::{Extension, IntoResponse as _};
    use axum::routing::get;
    use tower_service::Service as _;

    use super::*;

    #[tokio::test]
    async fn an_answer_with_a_token_is_not_compressed() {
        let long = || "a token beside a stranger's words ".repeat(100);
        let secret = async move || (Extension(Uncompressed), long()).into_response();
        let mut routes = Router::new()
            .route("/plain", get(async move || long()))
            .route("/secret", get(secret))
            .route("/short", get("short"))
            .layer(compression());
        let mut check = async |path: &str, accepted: &str, expected: Option<&str>| {
            let request = Request::get(path).header(ACCEPT_ENCODING, accepted);
            let answer = routes.call(request.body(Body::empty()).expect("a request")).await;
            let answer = answer.expect("an answer");
            let encoding = answer.headers().get(CONTENT_ENCODING);
            assert_eq!(encoding.and_then(|value| value.to_str().ok()), expected, "{path}");
        };
        check("/plain", "gzip", Some("gzip")).await;
        check("/plain", "gzip, br", Some("br")).await;
        check("/plain", "deflate", None).await;
        check("/secret", "gzip, br", None).await;
        check("/short", "gzip, br", None).await;
    }
}
