//! The id in a path.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use crate::rest::Edge;
use crate::rest::problem::{Code, Problem};

/// The one id that the path names.
pub struct Id<T>(pub T);

impl<T: FromStr> FromRequestParts<Edge> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, edge: &Edge) -> Result<Self, Problem> {
        let wrong = || Problem::with_detail(Code::Invalid, "the id in the path is not a UUID");
        let Path(text) = Path::<String>::from_request_parts(parts, edge)
            .await
            .map_err(|_| wrong())?;
        text.parse().map(Self).map_err(|_| wrong())
    }
}
