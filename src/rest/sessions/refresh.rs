//! `POST /v1/sessions/refresh`: new tokens for an old refresh token, which ends.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::Tokens;
use super::cookie::{self, SetCookie};
use crate::rest::Rest;
use crate::rest::extract::{Body, From};
use crate::rest::origins::Page;
use crate::rest::problem::Problem;
use crate::services::accounts::RefreshError;

/// The request.
#[derive(Deserialize, ToSchema)]
#[schema(as = Refresh)]
pub struct Request {
    /// That of the cookie, if it is left out.
    refresh_token: Option<String>,
    /// The caller is a web page: a cookie is to hold the next one, as it does where one held this.
    #[serde(default)]
    cookie: bool,
}

/// Why there are no tokens.
pub struct Refusal {
    problem: Problem,
    /// What the cookie holds will never be good again.
    cookie_is_over: bool,
}

impl std::convert::From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self { problem, cookie_is_over: false }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.cookie_is_over.then(SetCookie::gone), self.problem).into_response()
    }
}

/// Answers with the tokens.
#[utoipa::path(
    post,
    path = "/v1/sessions/refresh",
    tag = "sessions",
    operation_id = "refresh",
    summary = "Get new tokens for a refresh token, which is used up",
    request_body = Request,
    responses(
        (
            status = 200,
            description = "The session with new tokens",
            body = Tokens,
            headers(("Set-Cookie" = String, description = "The next token, if a cookie holds it")),
        ),
    ),
    extensions(("x-codes" = json!(["refresh.invalid", "account.suspended", "origin.forbidden"]))),
)]
pub async fn handle(
    State(rest): State<Rest>,
    From(from): From,
    page: Page,
    headers: HeaderMap,
    Body(request): Body<Request>,
) -> Result<(Option<SetCookie>, Tokens), Refusal> {
    let by_cookie = request.refresh_token.is_none();
    if by_cookie && page == Page::None && !request.cookie && !cookie::is_there(&headers) {
        // A program that forgot it.
        return Err(Problem::invalid("missing field `refresh_token`").into());
    }
    let in_cookie = by_cookie || request.cookie;
    if in_cookie {
        page.expect_known()?;
    }
    rest.rates.refresh(from, rest.clock.now()).await.map_err(Problem::limited)?;
    let shown = request.refresh_token.as_deref().or_else(|| cookie::refresh_token(&headers));
    let refreshed =
        rest.accounts.refresh(shown.unwrap_or_default()).await.map_err(|error| Refusal {
            cookie_is_over: by_cookie && matches!(error, RefreshError::Invalid),
            problem: error.into(),
        });
    let tokens = Tokens::from(refreshed?);
    Ok(if in_cookie { tokens.into_cookie(rest.clock.now()) } else { (None, tokens) })
}
