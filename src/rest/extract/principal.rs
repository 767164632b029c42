//! Who asks.

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use crate::auth::principal::Principal;
use crate::rest::Edge;
use crate::rest::problem::{Code, Problem};

/// The one whose access token came with the request (RFC 6750, section 2.1).
pub struct Caller(pub Principal);

impl FromRequestParts<Edge> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, edge: &Edge) -> Result<Self, Problem> {
        let header = parts.headers.get(AUTHORIZATION).ok_or(Code::TokenMissing)?;
        let token = header
            .to_str()
            .ok()
            .and_then(|header| header.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or(Code::TokenInvalid)?;
        Ok(Self(edge.services.accounts.authenticate(token).await?))
    }
}
