//! What a program says it is.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use barterline_domain::account::ClientName;

/// What the caller's program says of itself, if it can be shown.
pub struct Program(pub Option<ClientName>);

impl<S: Sync> FromRequestParts<S> for Program {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let said = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        Ok(Self(said.and_then(|said| ClientName::parse(said).ok())))
    }
}
