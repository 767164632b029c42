//! Which part of a list.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::rest::Edge;
use crate::rest::problem::{Code, Problem};

/// Entries of a page when nobody says how many.
const LIMIT_DEFAULT: usize = 50;
/// Most entries of a page.
const LIMIT_MAX: usize = 100;

/// The query of a request.
pub struct Query<T>(pub T);

/// How many entries at most: 1 to [`LIMIT_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "usize")]
pub struct Limit(usize);

/// A page of a list, and how to ask for the next.
#[derive(Debug, Serialize)]
pub struct Page<T, C> {
    /// The entries.
    pub items: Vec<T>,
    /// Value of the cursor parameter for the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<C>,
}

impl Limit {
    /// The number.
    pub fn get(self) -> usize {
        self.0
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(LIMIT_DEFAULT)
    }
}

impl TryFrom<usize> for Limit {
    type Error = String;

    fn try_from(limit: usize) -> Result<Self, String> {
        if (1..=LIMIT_MAX).contains(&limit) {
            Ok(Self(limit))
        } else {
            Err(format!("`limit` must be 1 to {LIMIT_MAX}"))
        }
    }
}

impl<T: DeserializeOwned> FromRequestParts<Edge> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Edge) -> Result<Self, Problem> {
        // The rejection names the parameter; a query never holds a secret.
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|axum::extract::Query(query)| Self(query))
            .map_err(|rejection| Problem::with_detail(Code::Invalid, rejection.body_text()))
    }
}
