//! `POST /v1/sign-in/redeem`: a session for who came back.

use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::account::{DisplayName, SessionName};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::rest::Rest;
use crate::rest::extract::{Body, From, Program};
use crate::rest::origins::Page;
use crate::rest::problem::Problem;
use crate::rest::sessions::Tokens;
use crate::rest::sessions::cookie::SetCookie;
use crate::services::accounts::{Device, Redemption};
use crate::services::to_the_end;

/// The request.
#[derive(Deserialize, ToSchema)]
#[schema(as = Redemption)]
pub struct Request {
    /// What came back with the person.
    code: String,
    /// What the program has kept to itself.
    #[schema(min_length = 43, max_length = 128)]
    verifier: String,
    /// Of the second factor, where there is one: six digits, or a recovery code. Without it, what came
    /// back is not used up.
    second_factor_code: Option<String>,
    /// What the person is to be called, if they have no account yet: else as the provider calls them.
    #[schema(min_length = 1, max_length = 64)]
    display_name: Option<String>,
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
    path = "/v1/sign-in/redeem",
    tag = "signing in elsewhere",
    operation_id = "redeemSignIn",
    summary = "Get a session for who came back from a provider",
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
        "session.name_invalid", "account.name_invalid", "code.invalid", "login.failed",
        "login.code_required", "second_factor.code_wrong", "account.changed", "account.suspended",
        "sign_in.account_exists", "sign_in.closed", "sign_in.email_unverified", "origin.forbidden",
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
    let display_name = request.display_name.as_deref().map(DisplayName::choose).transpose()?;
    rest.rates.log_in_from(from, rest.clock.now()).await.map_err(Problem::limited)?;
    let Request { code, verifier, second_factor_code: second_factor, .. } = request;
    let redemption = Redemption { code, verifier, second_factor, display_name };
    let (accounts, device) = (rest.accounts.clone(), Device { name, client });
    let redeem = async move { accounts.redeem(redemption, device, from).await };
    let tokens = Tokens::from(to_the_end(redeem).await?);
    let (cookie, tokens) =
        if request.cookie { tokens.into_cookie(rest.clock.now()) } else { (None, tokens) };
    Ok((StatusCode::CREATED, cookie, tokens))
}
