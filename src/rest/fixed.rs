//! Answers that are the same until the program is another.

use axum::body::Bytes;
use axum::http::header::{CONTENT_TYPE, ETAG};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use sha2::{Digest as _, Sha256};

use super::audit::hex;
use super::extract::has_tag;

/// Bytes of the sum that a tag is made of: no two versions of a file share them.
const TAG_BYTES: usize = 8;

/// A file.
#[derive(Clone)]
pub struct Fixed {
    bytes: Bytes,
    content_type: HeaderValue,
    tag: HeaderValue,
}

impl Fixed {
    /// A file of this type.
    ///
    /// # Panics
    /// If the type cannot stand in a header.
    pub fn new(bytes: Bytes, content_type: &str) -> Self {
        let sum = hex(&Sha256::digest(&bytes)[..TAG_BYTES]);
        // Weak, as it may leave compressed.
        let tag = HeaderValue::try_from(format!("W/\"{sum}\"")).expect("a tag is plain ASCII");
        let content_type = HeaderValue::from_str(content_type).expect("a type is plain ASCII");
        Self { bytes, content_type, tag }
    }

    /// What is in it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Answers with the file, or with 304 when the caller has it. Caches ask each time whether it is
    /// still the same.
    pub fn answer(&self, headers: &HeaderMap) -> Response {
        let tag = [(ETAG, self.tag.clone())];
        if has_tag(headers, &self.tag) {
            return (StatusCode::NOT_MODIFIED, tag).into_response();
        }
        let content_type = [(CONTENT_TYPE, self.content_type.clone())];
        (tag, content_type, self.bytes.clone()).into_response()
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header::IF_NONE_MATCH;

    use super::*;

    #[test]
    fn a_file_that_a_client_has_is_not_sent_again() {
        let file = Fixed::new(Bytes::from_static(b"{}"), "application/json");
        let check = |tags: Option<&HeaderValue>, expected: StatusCode| {
            let mut headers = HeaderMap::new();
            headers.extend(tags.map(|tags| (IF_NONE_MATCH, tags.clone())));
            let answer = file.answer(&headers);
            assert_eq!(answer.status(), expected, "{tags:?}");
            assert_eq!(answer.headers().get(ETAG), Some(&file.tag));
        };
        check(None, StatusCode::OK);
        check(Some(&file.tag), StatusCode::NOT_MODIFIED);
        check(Some(&HeaderValue::from_static("*")), StatusCode::NOT_MODIFIED);
        let other = Fixed::new(Bytes::from_static(b"[]"), "application/json");
        check(Some(&other.tag), StatusCode::OK);
    }
}
