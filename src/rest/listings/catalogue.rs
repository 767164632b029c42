//! `GET /v1/catalogue`: the kinds of things there are.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use barterline_domain::catalogue::Catalogue;

use crate::rest::Rest;
use crate::rest::extract::IfNoneMatch;
use crate::rest::fixed::Fixed;

/// The tree, ready to be sent.
#[derive(Clone)]
pub struct CatalogueFile(Fixed);

impl CatalogueFile {
    /// That of this tree.
    pub fn of(tree: &Catalogue) -> Self {
        let json = serde_json::to_vec(tree).expect("a tree is JSON");
        Self(Fixed::new(Bytes::from(json), "application/json"))
    }
}

/// Answers with the tree, or with 304 when the caller has it.
#[utoipa::path(
    get,
    path = "/v1/catalogue",
    tag = "listings",
    operation_id = "readCatalogue",
    summary = "The kinds of things there are, and what is said of each",
    description = "A category has the attributes of those above it, too. Their names are by language.",
    params(IfNoneMatch),
    responses(
        (
            status = 200,
            description = "The categories, each behind the one above it",
            body = Catalogue,
            headers(("ETag" = String, description = "For `If-None-Match`")),
        ),
        (
            status = 304,
            description = "The caller has it",
            headers(("ETag" = String, description = "For `If-None-Match`")),
        ),
    ),
)]
pub async fn handle(State(rest): State<Rest>, headers: HeaderMap) -> Response {
    rest.catalogue.0.answer(&headers)
}
