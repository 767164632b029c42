//! `GET /docs`: the document of the HTTP interface as a page, to read and to try. Swagger UI, from this
//! server alone: the page loads nothing from anybody else, runs no script that stands in it, and keeps
//! a token only for as long as it is open.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use axum::body::Bytes;
use axum::extract::Path;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Redirect, Response};
use utoipa_swagger_ui::Config;

use super::fixed::Fixed;
use super::problem::{Code, Problem};

/// What the page needs, and nothing else. Its styles draw arrows that stand in them as `data:`.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

const PAGE: &str = "index.html";
/// The files that the page loads, of all that the library has.
const FILES: [&str; 8] = [
    PAGE,
    "index.css",
    "swagger-ui.css",
    "swagger-ui-bundle.js",
    "swagger-ui-standalone-preset.js",
    "swagger-initializer.js",
    "favicon-16x16.png",
    "favicon-32x32.png",
];

static SERVED: LazyLock<Vec<(&str, Fixed)>> = LazyLock::new(|| {
    // Beside the page, so that a proxy may put both elsewhere.
    let config = Config::from("../v1/openapi.json")
        // Else the page shows the document to a site of others.
        .validator_url("none")
        // Without the bar above it, where one could have it show the document of somebody else.
        .use_base_layout()
        .display_operation_id(true);
    let config = Arc::new(config);
    let file = |name| {
        let file = utoipa_swagger_ui::serve(name, Arc::clone(&config)).ok().flatten()?;
        let bytes = match file.bytes {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => Bytes::from(bytes),
        };
        let is_text = !file.content_type.starts_with("image/");
        let charset = if is_text { "; charset=utf-8" } else { "" };
        Some((name, Fixed::new(bytes, &format!("{}{charset}", file.content_type))))
    };
    FILES.into_iter().filter_map(file).collect()
});

/// The page's files stand below it.
pub async fn enter() -> Redirect {
    Redirect::temporary("docs/")
}

/// Answers with the page.
pub async fn page(headers: HeaderMap) -> Response {
    serve(PAGE, &headers)
}

/// Answers with a file of the page.
pub async fn file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    serve(&name, &headers)
}

fn serve(name: &str, headers: &HeaderMap) -> Response {
    let Some((_, file)) = SERVED.iter().find(|(served, _)| *served == name) else {
        return Problem::from(Code::RouteNotFound).into_response();
    };
    ([(CONTENT_SECURITY_POLICY, POLICY)], file.answer(headers)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_page_is_there() {
        let served: Vec<_> = SERVED.iter().map(|(name, _)| *name).collect();
        assert_eq!(served, FILES);
    }
}
