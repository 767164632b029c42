//! The caller, by the access token in the `Authorization` header (RFC 6750).

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use crate::auth::principal::Principal;
use crate::auth::token::TokenError;
use crate::rest::Rest;
use crate::rest::layers::Verified;
use crate::rest::problem::Problem;
use crate::services::accounts::AuthError;

/// Whoever proved who they are.
pub struct Caller(pub Principal);

impl FromRequestParts<Rest> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, rest: &Rest) -> Result<Self, Problem> {
        let verified = parts.extensions.remove::<Verified>();
        let Verified(verified) = verified.unwrap_or(Verified(Err(TokenError::Invalid)));
        let principal = verified.map_err(AuthError::Token)?;
        let roles = rest.accounts.admits(principal.user, principal.session).await?;
        Ok(Self(Principal { roles, ..principal }))
    }
}

/// The token that a request bears, whatever it is worth.
pub fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}
