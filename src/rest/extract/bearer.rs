//! The caller, by the access token or API key in the `Authorization` header (RFC 6750).

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use crate::auth::principal::Principal;
use crate::auth::token::TokenError;
use crate::rest::Rest;
use crate::rest::layers::Shown;
use crate::rest::problem::Problem;
use crate::services::accounts::AuthError;

/// Whoever proved who they are.
pub struct Caller(pub Principal);

/// The same, or nobody: who shows nothing. What is shown has to be good.
pub struct MaybeCaller(pub Option<Principal>);

/// The same, also who has to have a second factor and has none yet.
pub struct CallerWithoutFactor(pub Principal);

impl FromRequestParts<Rest> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, rest: &Rest) -> Result<Self, Problem> {
        let shown = parts.extensions.remove::<Shown>();
        let caller = match shown.unwrap_or(Shown::Token(Err(TokenError::Invalid))) {
            Shown::Token(verified) => {
                rest.accounts.admit(verified.map_err(AuthError::Token)?).await?
            }
            Shown::Key(key) => {
                let admitted = rest.accounts.admit_key(key).await;
                if matches!(admitted, Err(AuthError::Token(_) | AuthError::Revoked)) {
                    rest.rates.forget_key(&key.digest());
                }
                admitted?
            }
        };
        Ok(Self(caller))
    }
}

impl FromRequestParts<Rest> for MaybeCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, rest: &Rest) -> Result<Self, Problem> {
        if parts.extensions.get::<Shown>().is_none() {
            return Ok(Self(None));
        }
        Caller::from_request_parts(parts, rest).await.map(|Caller(caller)| Self(Some(caller)))
    }
}

impl FromRequestParts<Rest> for CallerWithoutFactor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, rest: &Rest) -> Result<Self, Problem> {
        if let Some(Shown::Token(verified)) = parts.extensions.get::<Shown>() {
            let verified = verified.clone().map_err(AuthError::Token)?;
            return Ok(Self(rest.accounts.admit_without_factor(verified).await?));
        }
        Caller::from_request_parts(parts, rest).await.map(|Caller(caller)| Self(caller))
    }
}

/// The token that a request bears, whatever it is worth.
pub fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}
