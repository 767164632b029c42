//! `/v1/uploads`: files in parts, by tus 1.0 (<https://tus.io/protocols/resumable-upload>). An upload is a
//! file of `/v1/media` by the same id; whoever was cut off asks how far it came and goes on there.

pub mod append;
pub mod create;
pub mod describe;
pub mod read;
pub mod remove;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::header::{ACCESS_CONTROL_REQUEST_METHOD, CONTENT_TYPE, HeaderName};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use utoipa::IntoParams;

use crate::rest::Rest;
use crate::rest::problem::{Code, Problem};

/// Where uploads are announced.
pub const UPLOADS: &str = "/v1/uploads";
/// Where their parts go.
pub const UPLOAD: &str = "/v1/uploads/{id}";

/// The version of the protocol that is spoken.
const VERSION: HeaderValue = HeaderValue::from_static("1.0.0");
/// What of it, beside its core.
const EXTENSIONS: HeaderValue = HeaderValue::from_static("creation,termination");

/// Which version a request or answer speaks.
pub const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
/// Which versions are spoken.
pub const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
/// What is spoken beside the core.
pub const TUS_EXTENSION: HeaderName = HeaderName::from_static("tus-extension");
/// The most bytes of a file.
pub const TUS_MAX_SIZE: HeaderName = HeaderName::from_static("tus-max-size");
/// Bytes of a file.
pub const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
/// Where its next byte goes.
pub const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
/// What a client says of it.
pub const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");

/// The version that the caller speaks: the one there is.
#[derive(IntoParams)]
#[into_params(names("Tus-Resumable"), parameter_in = Header)]
pub struct Resumable(#[param(value_type = String, pattern = "^1[.]0[.]0$")] ());

impl FromRequestParts<Rest> for Resumable {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Rest) -> Result<Self, Problem> {
        let is_ours = parts.headers.get(TUS_RESUMABLE).is_some_and(|version| version == VERSION);
        if is_ours { Ok(Self(())) } else { Err(Code::UploadVersion.into()) }
    }
}

/// Says on each answer of these routes which version is spoken, whatever else it says. What is spoken at all
/// it says itself, as CORS takes every `OPTIONS` for a question of its own.
pub async fn speak(State(size_max): State<u64>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let is_upload = matches!(route, Some(UPLOADS | UPLOAD));
    let is_described = route == Some(UPLOADS)
        && request.method() == Method::OPTIONS
        && !request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let is_head = request.method() == Method::HEAD;
    if !is_upload {
        return next.run(request).await;
    }
    let mut response =
        if is_described { describe::answer(size_max) } else { next.run(request).await };
    let status = response.status();
    let headers = response.headers_mut();
    headers.insert(TUS_RESUMABLE, VERSION);
    if status == StatusCode::PRECONDITION_FAILED {
        headers.insert(TUS_VERSION, VERSION);
    }
    if is_head {
        // Of the words of a refusal, which nobody gets here.
        headers.remove(CONTENT_TYPE);
    }
    response
}

/// The one number of a header.
fn number(headers: &HeaderMap, name: &HeaderName) -> Result<u64, Problem> {
    let mut values = headers.get_all(name).iter();
    let (first, second) = (values.next(), values.next());
    let text = first.filter(|_| second.is_none()).and_then(|value| value.to_str().ok());
    // Signs and spaces are none of the protocol.
    let digits = text.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let number = digits.and_then(|digits| digits.parse().ok());
    number.ok_or_else(|| Problem::invalid(format!("`{name}` takes one number")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_digits_and_comes_once() {
        let check = |values: &[&'static str], expected: Option<u64>| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(UPLOAD_OFFSET, HeaderValue::from_static(value));
            }
            assert_eq!(number(&headers, &UPLOAD_OFFSET).ok(), expected, "{values:?}");
        };
        check(&["0"], Some(0));
        check(&["90000"], Some(90_000));
        for wrong in ["", "-1", "+1", "1.5", "0x10", "1 2", "99999999999999999999"] {
            check(&[wrong], None);
        }
        check(&["1", "1"], None);
        check(&[], None);
    }
}
