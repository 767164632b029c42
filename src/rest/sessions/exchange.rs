//! `POST /v1/sessions/exchange`: a session for a token of an outer issuer.

use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use barterline_domain::account::SessionName;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{SessionId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::rest::Rest;
use crate::rest::extract::{Body, From, Program};
use crate::rest::layers::Uncompressed;
use crate::rest::problem::Problem;
use crate::services::accounts::Device;
use crate::services::to_the_end;

/// The request.
#[derive(Deserialize, ToSchema)]
#[schema(as = Exchange)]
pub struct Request {
    /// A signed JWT of an issuer that the server's settings name.
    token: String,
    /// Of the second factor, where there is one.
    second_factor_code: Option<String>,
    /// What the caller calls this log-in.
    #[schema(min_length = 1, max_length = 64)]
    name: Option<String>,
}

/// A session that ends with the token it was made by.
#[derive(Serialize, ToSchema)]
pub struct Exchanged {
    session: SessionId,
    user: UserId,
    #[schema(examples("Bearer"))]
    token_type: &'static str,
    access_token: String,
    access_expires_at: Timestamp,
}

impl IntoResponse for Exchanged {
    fn into_response(self) -> Response {
        // Tokens belong in no cache (RFC 6749, section 5.1).
        let no_store = [(CACHE_CONTROL, HeaderValue::from_static("no-store"))];
        (no_store, Extension(Uncompressed), Json(self)).into_response()
    }
}

/// Answers 201 with an access token.
#[utoipa::path(
    post,
    path = "/v1/sessions/exchange",
    tag = "signing in elsewhere",
    operation_id = "exchangeToken",
    summary = "Get a session for a token of an outer issuer",
    description = "There is no refresh token: exchange the issuer's next token.",
    request_body = Request,
    responses(
        (status = 201, description = "A session with its access token", body = Exchanged),
    ),
    extensions(("x-codes" = json!([
        "session.name_invalid", "exchange.token_invalid", "login.failed", "login.code_required",
        "second_factor.code_wrong", "account.changed", "account.suspended", "sign_in.closed",
        "sign_in.provider_unavailable",
    ]))),
)]
pub async fn handle(
    State(rest): State<Rest>,
    From(from): From,
    Program(client): Program,
    Body(request): Body<Request>,
) -> Result<(StatusCode, Exchanged), Problem> {
    let name = request.name.as_deref().map(SessionName::parse).transpose()?;
    rest.rates.log_in_from(from, rest.clock.now()).await.map_err(Problem::limited)?;
    let Request { token, second_factor_code: code, .. } = request;
    let device = Device { name, client };
    let exchange = async move { rest.accounts.exchange(&token, code, device, from).await };
    let log_in = to_the_end(exchange).await?;
    let exchanged = Exchanged {
        session: log_in.session,
        user: log_in.user,
        token_type: "Bearer",
        access_token: log_in.access_token,
        access_expires_at: log_in.access_expires_at,
    };
    Ok((StatusCode::CREATED, exchanged))
}
