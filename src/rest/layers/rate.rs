//! How many requests a client may make: of an account, when the request bears its token, or else of
//! an address. Before anything is asked of the store.

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::HeaderName;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::auth::principal::Principal;
use crate::auth::token::TokenError;
use crate::limits::{Client, Told};
use crate::listener::client::ClientAddress;
use crate::rest::Rest;
use crate::rest::extract::bearer_token;
use crate::rest::problem::Problem;

/// What is left (draft-ietf-httpapi-ratelimit-headers-10, section 4).
pub const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// What is allowed (the same, section 3).
pub const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What the request's access token says of its bearer, when there is one: an extension of the
/// request, so that a token is verified once. Whether its session goes on is not looked at.
#[derive(Debug, Clone)]
pub struct Verified(pub Result<Principal, TokenError>);

/// Takes a request of its client's, and tells on the answer what is left.
pub async fn limit_rate(State(rest): State<Rest>, mut request: Request, next: Next) -> Response {
    let verified = bearer_token(request.headers()).map(|token| rest.accounts.verify(token));
    let user = match &verified {
        Some(Ok(principal)) => Some(principal.user),
        Some(Err(_)) | None => None,
    };
    if let Some(verified) = verified {
        request.extensions_mut().insert(Verified(verified));
    }
    let from = ClientAddress::of(request.extensions()).ip;
    let client = user.map_or(Client::Address(from), Client::User);
    let told = rest.rates.http_request(client, rest.clock.now());
    let mut response = match told.map(|told| told.taken) {
        Some(Err(exceeded)) => Problem::limited(exceeded).into_response(),
        Some(Ok(())) | None => next.run(request).await,
    };
    if let Some(told) = told {
        let headers = response.headers_mut();
        for (name, value) in [(RATE_LIMIT_POLICY, policy(&told)), (RATE_LIMIT, left(&told))] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
    }
    // For the log.
    if let Some(user) = user {
        response.extensions_mut().insert(user);
    }
    response
}

/// `q` requests in `w` seconds.
fn policy(told: &Told) -> String {
    let window = told.rate.window().as_millis().div_ceil(1_000);
    format!("\"requests\";q={};w={window}", told.rate.burst())
}

/// `r` may come at once; in `t` seconds, as many as ever.
fn left(told: &Told) -> String {
    let whole_in = told.standing.whole_in.as_millis().div_ceil(1_000);
    format!("\"requests\";r={};t={whole_in}", told.standing.left)
}
