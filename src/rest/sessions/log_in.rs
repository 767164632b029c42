//! `POST /v1/sessions`: logs in.

use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::account::{Email, Password, SessionName};
use serde::Deserialize;
use utoipa::ToSchema;

use super::Tokens;
use super::cookie::SetCookie;
use crate::rest::Rest;
use crate::rest::extract::{Body, From, Program};
use crate::rest::origins::Page;
use crate::rest::problem::Problem;
use crate::services::accounts::{Device, Shown};

/// The request.
#[derive(Deserialize, ToSchema)]
#[schema(as = LogIn)]
pub struct Request {
    #[schema(format = Email, max_length = 254, examples("ana@example.org"))]
    email: String,
    #[schema(format = Password, min_length = 8, max_length = 256)]
    password: String,
    /// Of the second factor, where there is one.
    code: Option<String>,
    /// What the caller calls this log-in.
    #[schema(min_length = 1, max_length = 64)]
    name: Option<String>,
    /// The caller is a web page: a cookie is to hold the refresh token.
    #[serde(default)]
    cookie: bool,
}

/// Answers 201 with the tokens.
#[utoipa::path(
    post,
    path = "/v1/sessions",
    tag = "sessions",
    operation_id = "logIn",
    summary = "Log in",
    request_body = Request,
    responses(
        (
            status = 201,
            description = "A session with its tokens",
            body = Tokens,
            headers(("Set-Cookie" = String, description = "With `cookie`: the refresh token")),
        ),
    ),
    extensions(("x-codes" = json!([
        "session.name_invalid", "login.failed", "login.code_required", "second_factor.code_wrong",
        "account.changed", "account.suspended", "origin.forbidden", "server.busy",
    ]))),
)]
pub async fn handle(
    State(rest): State<Rest>,
    From(from): From,
    page: Page,
    Program(client): Program,
    Body(request): Body<Request>,
) -> Result<(StatusCode, Option<SetCookie>, Tokens), Problem> {
    if request.cookie {
        page.expect_known()?;
    }
    let name = request.name.as_deref().map(SessionName::parse).transpose()?;
    rest.rates.log_in_from(from, rest.clock.now()).await.map_err(Problem::limited)?;
    // What cannot be an address is nobody's.
    let Ok(email) = Email::parse(&request.email) else {
        return Err(rest.accounts.nobodys(from).into());
    };
    let shown = Shown { password: Password::shown(request.password), code: request.code };
    let log_in = rest.accounts.log_in(&email, shown, Device { name, client }, from).await?;
    let tokens = Tokens::from(log_in);
    let (cookie, tokens) =
        if request.cookie { tokens.into_cookie(rest.clock.now()) } else { (None, tokens) };
    Ok((StatusCode::CREATED, cookie, tokens))
}
