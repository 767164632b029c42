//! How many requests a client may make: of an account, when the request bears its token, of an API
//! key, or else of an address. Before anything is asked of the store, but for a key that was not
//! seen of late.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::HeaderName;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::auth::principal::Principal;
use crate::auth::token::TokenError;
use crate::limits::{Client, Told, Wanted};
use crate::listener::client::ClientAddress;
use crate::rest::Rest;
use crate::rest::extract::bearer_token;
use crate::rest::media;
use crate::rest::problem::Problem;
use crate::services::accounts::ShownKey;
use crate::telemetry::refusals::Means;

/// What is left (draft-ietf-httpapi-ratelimit-headers-10, section 4).
pub const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// What is allowed (the same, section 3).
pub const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What a request bears: an extension of it, so that a token is verified once and a key looked up
/// once. Whether the session behind a token goes on is not looked at.
#[derive(Clone)]
pub enum Shown {
    /// An access token, and what it says of its bearer.
    Token(Result<Principal, TokenError>),
    /// An API key, which nobody looked up.
    Key(ShownKey),
}

/// Takes a request of its client's, and tells on the answer what is left.
pub async fn limit_rate(State(rest): State<Rest>, mut request: Request, next: Next) -> Response {
    let shown = bearer_token(request.headers()).map(|token| match ShownKey::parse(token) {
        Some(key) => Shown::Key(key),
        None => Shown::Token(rest.accounts.verify(token)),
    });
    let user = match &shown {
        Some(Shown::Token(Ok(principal))) => Some(principal.user),
        Some(Shown::Token(Err(_)) | Shown::Key(_)) | None => None,
    };
    let from = ClientAddress::of(request.extensions()).ip;
    let wanted = if media::is_download(&request) { Wanted::Bytes } else { Wanted::Anything };
    let client = match (&shown, user) {
        (Some(Shown::Key(key)), _) if is_known(&rest, *key, from, wanted).await => {
            Client::Key(key.digest())
        }
        (_, Some(user)) => Client::User(user),
        (_, None) => Client::Address(from),
    };
    let means = shown.as_ref().map(|shown| match shown {
        Shown::Token(_) => Means::Token,
        Shown::Key(key) => Means::Key(key.id()),
    });
    let shown = shown.and_then(|shown| {
        let key = if let Shown::Key(key) = &shown { Some(key.id()) } else { None };
        request.extensions_mut().insert(shown);
        key
    });
    let told = rest.rates.http_request(client, wanted, rest.clock.now()).await;
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
    if let Some(means) = means {
        response.extensions_mut().insert(means);
    }
    match (client, shown) {
        (Client::User(user), _) => drop(response.extensions_mut().insert(user)),
        (Client::Key(_), Some(key)) => drop(response.extensions_mut().insert(key)),
        _ => {}
    }
    response
}

/// Whether a key has requests of its own: one that is good. Who tries keys that are none is held to
/// what their address may do, and beyond it nothing is looked up for them.
async fn is_known(rest: &Rest, key: ShownKey, from: IpAddr, wanted: Wanted) -> bool {
    rest.rates.knows_key(&key.digest())
        || rest.rates.has_request_left(from, wanted, rest.clock.now())
            && rest.accounts.authenticate_key(key).await.is_ok()
}

/// `q` requests, or of one kind of them, in `w` seconds.
fn policy(told: &Told) -> String {
    let window = told.rate.window().as_millis().div_ceil(1_000);
    format!("\"{}\";q={};w={window}", told.scope.name(), told.rate.burst())
}

/// `r` may come at once; in `t` seconds, as many as ever.
fn left(told: &Told) -> String {
    let whole_in = told.standing.whole_in.as_millis().div_ceil(1_000);
    format!("\"{}\";r={};t={whole_in}", told.scope.name(), told.standing.left)
}
