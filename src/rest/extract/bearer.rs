//! The caller, by the access token in the `Authorization` header (RFC 6750).

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use crate::auth::principal::Principal;
use crate::auth::token::TokenError;
use crate::rest::Rest;
use crate::rest::problem::Problem;
use crate::services::accounts::AuthError;

/// Whoever proved who they are.
pub struct Caller(pub Principal);

impl FromRequestParts<Rest> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, rest: &Rest) -> Result<Self, Problem> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token)
        });
        let token = token.ok_or(AuthError::Token(TokenError::Invalid))?;
        Ok(Self(rest.accounts.authenticate(token).await?))
    }
}
